"""Where a request ends: what two servers could understand differently is refused (RFC 9112)."""

import pytest

from tests.unit.ingest.node import INGEST, Node, connections_of, wait_for
from tests.unit.ingest.wire import Answer, chunked, request

BODY = b'{"event":"first"}'
INNER = request(body=b'{"event":"smuggled"}', key=INGEST)
"""A whole valid request, hidden where a sloppy server would find the next one."""

_HEAD = f"POST /v1/events HTTP/1.1\r\nHost: door.example\r\nX-API-Key: {INGEST}\r\n".encode()
_LENGTH = b"Content-Length: %d\r\n" % len(BODY)
_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED: dict[str, bytes] = {
    "length and chunked": _HEAD + _LENGTH + _CHUNKED + b"\r\n" + _CHUNKS,
    "chunked and length": _HEAD + _CHUNKED + _LENGTH + b"\r\n" + _CHUNKS,
    "two lengths": _HEAD + _LENGTH + b"Content-Length: 0\r\n\r\n" + BODY,
    "two equal lengths": _HEAD + _LENGTH + _LENGTH + b"\r\n" + BODY,
    "list of lengths": _HEAD + b"Content-Length: 17, 17\r\n\r\n" + BODY,
    "signed length": _HEAD + b"Content-Length: +17\r\n\r\n" + BODY,
    "negative length": _HEAD + b"Content-Length: -17\r\n\r\n" + BODY,
    "hexadecimal length": _HEAD + b"Content-Length: 0x11\r\n\r\n" + BODY,
    "length of many digits": _HEAD + b"Content-Length: " + b"0" * 5000 + b"17\r\n\r\n" + BODY,
    "empty length": _HEAD + b"Content-Length:\r\n\r\n" + BODY,
    "length beyond 64 bits": _HEAD + b"Content-Length: 18446744073709551633\r\n\r\n" + BODY,
    "length in other digits": _HEAD + "Content-Length: \u0661\u0667\r\n\r\n".encode() + BODY,
    "length with inner space": _HEAD + b"Content-Length: 1 7\r\n\r\n" + BODY,
    "space before colon": _HEAD + b"Content-Length : 17\r\n\r\n" + BODY,
    "two codings": _HEAD + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + _CHUNKS,
    "chunked twice": _HEAD + _CHUNKED + _CHUNKED + b"\r\n" + _CHUNKS,
    "identity": _HEAD + b"Transfer-Encoding: identity\r\n\r\n" + _CHUNKS,
    "unknown coding": _HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + _CHUNKS,
    "coding behind chunked": _HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + _CHUNKS,
    "coding before chunked": _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + _CHUNKS,
    "quoted chunked": _HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n' + _CHUNKS,
    "coding after vertical tab": _HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + _CHUNKS,
    "folded coding": _HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + _CHUNKS,
    "chunked in HTTP/1.0": _HEAD.replace(b"1.1", b"1.0") + _CHUNKED + b"\r\n" + _CHUNKS,
    "folded header": _HEAD + b"X-A: b\r\n c\r\n" + _LENGTH + b"\r\n" + BODY,
    "space before first header": b"POST /v1/events HTTP/1.1\r\n X-A: b\r\n\r\n",
    "bare line feeds": _HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 17\n\n" + BODY,
    "one bare line feed": _HEAD + b"X-A: b\n" + _LENGTH + b"\r\n" + BODY,
    "bare carriage return": _HEAD + b"X-A: b\rX-B: c\r\n" + _LENGTH + b"\r\n" + BODY,
    "NUL in value": _HEAD + b"X-A: b\0c\r\n" + _LENGTH + b"\r\n" + BODY,
    "NUL in name": _HEAD + b"X\0A: b\r\n" + _LENGTH + b"\r\n" + BODY,
    "no name": _HEAD + b": b\r\n" + _LENGTH + b"\r\n" + BODY,
    "no colon": _HEAD + b"X-A\r\n" + _LENGTH + b"\r\n" + BODY,
    "bracket in name": _HEAD + b"X[A]: b\r\n" + _LENGTH + b"\r\n" + BODY,
    "chunk with prefix": _HEAD + _CHUNKED + b"\r\n0x11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk with sign": _HEAD + _CHUNKED + b"\r\n+11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "negative chunk": _HEAD + _CHUNKED + b"\r\n-11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk beyond 64 bits": _HEAD
    + _CHUNKED
    + b"\r\n10000000000000011\r\n"
    + BODY
    + b"\r\n0\r\n\r\n",
    "chunk without size": _HEAD + _CHUNKED + b"\r\n\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with space": _HEAD + _CHUNKED + b"\r\n11 \r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk longer than said": _HEAD + _CHUNKED + b"\r\n10\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk ended by line feed": _HEAD + _CHUNKED + b"\r\n11\n" + BODY + b"\r\n0\r\n\r\n",
    "line feed in extension": _HEAD + _CHUNKED + b"\r\n11;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "unknown version": _HEAD.replace(b"1.1", b"1.2") + _LENGTH + b"\r\n" + BODY,
    "version 2": _HEAD.replace(b"1.1", b"2.0") + _LENGTH + b"\r\n" + BODY,
    "version 0.9": _HEAD.replace(b"1.1", b"0.9") + _LENGTH + b"\r\n" + BODY,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "lower-case method": b"post" + _HEAD[4:] + _LENGTH + b"\r\n" + BODY,
    "unknown method": b"FROB" + _HEAD[4:] + _LENGTH + b"\r\n" + BODY,
    "space in target": _HEAD.replace(b"/v1/events", b"/v1/ events") + _LENGTH + b"\r\n" + BODY,
    "high byte in target": _HEAD.replace(b"/v1/events", b"/v1/\xff") + _LENGTH + b"\r\n" + BODY,
    "no host": _HEAD.replace(b"Host: door.example\r\n", b"") + _LENGTH + b"\r\n" + BODY,
    "two hosts": _HEAD + b"Host: other.example\r\n" + _LENGTH + b"\r\n" + BODY,
    "two keys": _HEAD + b"X-API-Key: other\r\n" + _LENGTH + b"\r\n" + BODY,
    "two authorizations": _HEAD + b"Authorization: a\r\nAuthorization: b\r\n" + _LENGTH + b"\r\n",
    "two content types": _HEAD + b"Content-Type: a/b\r\nContent-Type: c/d\r\n" + _LENGTH + b"\r\n",
    "proxy": b"CONNECT door.example:443 HTTP/1.1\r\nHost: door.example\r\n\r\n",
}


def _answers(node: Node, *parts: bytes) -> list[Answer]:
    with node.connect() as wire:
        wire.send(*parts)
        wire.shutdown()
        return wire.read_to_end()


@pytest.mark.parametrize("name", REFUSED)
def test_doubtful_framing_is_refused_once_and_ends_the_connection(node: Node, name: str) -> None:
    """One error, then the end: what follows is never taken for a request, nothing is stored."""
    answers = _answers(node, REFUSED[name] + INNER + INNER)
    assert len(answers) == 1, answers
    assert answers[0].status in (400, 417, 501, 505)
    assert answers[0]["connection"] == "close"
    assert set(answers[0].json) == {"error", "message"}
    assert node.bodies() == []


@pytest.mark.parametrize("name", ["two hosts", "unknown coding", "chunk with sign"])
def test_refusal_does_not_depend_on_how_the_bytes_arrive(node: Node, name: str) -> None:
    """Sent byte by byte, the same request meets the same error."""
    with node.connect() as wire:
        for byte in REFUSED[name][:-1]:
            wire.send(bytes([byte]))
            if wire.poll():
                break
        assert wire.read().status in (400, 501)
        assert wire.is_closed()
    assert node.bodies() == []


def test_body_is_never_taken_for_a_request(node: Node) -> None:
    """A request inside a body with a Content-Length, or in chunks, is a body."""
    with node.connect() as wire:
        assert wire.ask(request("/v1/ingest", INNER, key=INGEST)).status == 400
        assert wire.ask(chunked(INNER, key=INGEST, target="/v1/ingest")).status == 400
        assert wire.ask(request(body=BODY, key=INGEST)).status == 202
    assert node.bodies() == [BODY]


def test_every_split_of_a_chunked_request_is_read_alike(node: Node) -> None:
    """Wherever the network cuts the bytes, the body is put together as it was sent."""
    sent = chunked(BODY[:3], BODY[3:4], BODY[4:], key=INGEST)
    with node.connect() as wire:
        for cut in range(1, len(sent)):
            assert wire.ask(sent[:cut], sent[cut:]).status == 202
    assert node.bodies() == [BODY] * (len(sent) - 1)


def test_chunked_request_sent_byte_by_byte_is_read(node: Node) -> None:
    """The smallest pieces make the same request."""
    with node.connect() as wire:
        wire.send(*(bytes([byte]) for byte in chunked(BODY, key=INGEST)))
        assert wire.read().status == 202
    assert node.bodies() == [BODY]


def test_chunk_extensions_are_ignored(node: Node) -> None:
    """What stands behind a chunk's size is none of our business (RFC 9112 section 7.1.1)."""
    sent = _HEAD + _CHUNKED + b'\r\n11;a=b;c="d"\r\n' + BODY + b"\r\n0;last\r\n\r\n"
    assert [answer.status for answer in _answers(node, sent)] == [202]
    assert node.bodies() == [BODY]


def test_leading_zeros_of_a_chunk_size_are_harmless(node: Node) -> None:
    """They do not change the number."""
    sent = _HEAD + _CHUNKED + b"\r\n0000000000011\r\n" + BODY + b"\r\n000\r\n\r\n"
    assert [answer.status for answer in _answers(node, sent)] == [202]


@pytest.mark.parametrize(
    "name", ["X-API-Key", "Authorization", "Content-Encoding", "Host", "X-New"]
)
def test_trailer_changes_nothing_about_the_request(node: Node, name: str) -> None:
    """A header behind the body neither authenticates nor counts as repeated."""
    trailer = f"{name}: {INGEST}\r\n"
    with node.connect() as stranger:
        assert stranger.ask(chunked(BODY, trailer=trailer)).status == 401
    with node.connect() as wire:
        assert wire.ask(chunked(BODY, key=INGEST, trailer=trailer)).status == 202
    assert node.bodies() == [BODY]


def test_empty_lines_before_a_request_are_forgiven(node: Node) -> None:
    """RFC 9112 section 2.2: robust servers skip them."""
    with node.connect() as wire:
        assert wire.ask(b"\r\n\r\n" + request(key=INGEST)).status == 202
        assert wire.ask(b"\r\n", request(key=INGEST)).status == 202
    assert len(node.bodies()) == 2


def test_absolute_target_means_its_path(node: Node) -> None:
    """RFC 9112 section 3.2.2: a server must understand the form that proxies are sent."""
    with node.connect() as wire:
        target = "http://door.example/v1/events?server_ts=1"
        assert wire.ask(request(target, key=INGEST)).status == 202
    assert node.frames()[0].flags == 1


def test_request_behind_connection_close_is_not_taken(node: Node) -> None:
    """The client said that nothing follows."""
    first = request("/v1/events", BODY, "Connection: close", key=INGEST)
    answers = _answers(node, first + INNER)
    assert [answer.status for answer in answers] == [202]
    assert node.bodies() == [BODY]


@pytest.mark.parametrize("framing", ["length", "chunked", "none"])
def test_upgrade_is_not_taken_up(node: Node, framing: str) -> None:
    """curl --http2 asks for h2c with every request, also one with a body: answered in HTTP/1.1."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    plain = request("/v1/events", BODY, *lines, key=INGEST)
    in_chunks = chunked(BODY, key=INGEST).replace(
        b"\r\nHost", "\r\n{}\r\nHost".format("\r\n".join(lines)).encode()
    )
    probe = request("/livez", b"", *lines, method="GET")
    sent = {"length": plain, "chunked": in_chunks, "none": probe}[framing]
    with node.connect() as wire:
        for cut in (len(sent), len(sent) - 5, sent.index(b"\r\n\r\n") + 4, 30):
            answer = wire.ask(sent[:cut], sent[cut:])
            assert answer.status == (200 if framing == "none" else 202)
        assert wire.ask(request(body=BODY, key=INGEST)).status == 202
    assert node.bodies() == [BODY] * (1 if framing == "none" else 5)


def test_hundreds_of_upgrades_in_one_piece_are_answered(node: Node) -> None:
    """Reading a request again does not pile up."""
    sent = request("/v1/ingest", BODY, "Connection: Upgrade", "Upgrade: h2c", key=INGEST)
    with node.connect() as wire:
        wire.send(sent * 800)
        assert {wire.read().status for _ in range(800)} == {202}
    assert node.bodies() == [BODY] * 800


def test_thousands_of_upgrades_in_one_read_do_not_pile_up(node: Node) -> None:
    """As many as one read of the socket can hold, each with its body."""
    sent = (
        b"POST / HTTP/1.1\r\nHost:a\r\nUpgrade:a\r\nConnection:upgrade\r\nContent-Length:1\r\n\r\nx"
    )
    count = 2500

    def feed() -> list[int]:
        connection = connections_of(node)[0]
        connection.data_received(sent * count)
        return [len(exchange.body) for exchange in connection._line]

    with node.connect():
        wait_for(lambda: node.door.connections)
        assert node.call(feed) == [1] * count


def test_upgrade_and_close_still_closes(node: Node) -> None:
    """Of the Connection header only the upgrade is passed over."""
    sent = request("/livez", b"", "Connection: close, Upgrade", "Upgrade: websocket", method="GET")
    answers = _answers(node, sent + INNER)
    assert [answer.status for answer in answers] == [200]
    assert node.bodies() == []


def test_remembered_head_is_not_confused_by_what_surrounds_it(node: Node) -> None:
    """The same head is parsed once; cut, joined or followed by more it still means the same."""
    sent = request(body=BODY, key=INGEST)
    middle = sent.index(b"\r\n\r\n") + 2
    with node.connect() as wire:
        assert wire.ask(sent).status == 202
        assert wire.ask(sent).status == 202
        wire.send(sent + sent)
        assert [wire.read().status, wire.read().status] == [202, 202]
        assert wire.ask(sent[:middle], sent[middle:]).status == 202
        assert wire.ask(sent[: middle + 2], sent[middle + 2 :]).status == 202
        assert wire.ask(b"\r\n" + sent).status == 202
        assert wire.ask(sent[:-1], sent[-1:]).status == 202
        wire.send(sent, chunked(BODY, key=INGEST), sent)
        assert [wire.read().status for _ in range(3)] == [202] * 3
    assert node.bodies() == [BODY] * 11
