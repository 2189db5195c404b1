"""Where a request ends: what two servers could understand differently is refused (RFC 9112)."""

import pytest

from tests.contract.http.smuggling import (
    BODY,
    CHUNKED,
    CLOSING,
    HARMLESS,
    HEAD,
    INNER,
    REFUSED,
)
from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import INGEST, Node, connections_of, wait_for
from tests.unit.ingest.wire import Answer, chunked, request


@pytest.fixture
def way() -> Way:
    """The bytes of a request as the door sees them: a proxy would write them anew."""
    return PLAIN


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


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_but_clear_framing_is_understood(node: Node, name: str) -> None:
    """The request is answered, and what follows it is the next one."""
    sent, statuses = HARMLESS[name]
    answers = _answers(node, sent + INNER)
    assert [answer.status for answer in answers] == [*statuses, 202]


@pytest.mark.parametrize("name", CLOSING)
def test_close_wins_over_keep_alive(node: Node, name: str) -> None:
    """Whatever else is said about the connection; nothing behind it is taken."""
    answers = _answers(node, CLOSING[name] + INNER)
    assert [answer.status for answer in answers] == [202]
    assert node.bodies() == [BODY]


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
    sent = HEAD + CHUNKED + b'\r\n11;a=b;c="d"\r\n' + BODY + b"\r\n0;last\r\n\r\n"
    assert [answer.status for answer in _answers(node, sent)] == [202]
    assert node.bodies() == [BODY]


def test_leading_zeros_of_a_chunk_size_are_harmless(node: Node) -> None:
    """They do not change the number."""
    sent = HEAD + CHUNKED + b"\r\n0000000000011\r\n" + BODY + b"\r\n000\r\n\r\n"
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
    head = b"POST /q HTTP/1.1\r\nHost:a\r\nUpgrade:a\r\nConnection:upgrade\r\n"
    sent = head + b"Content-Length:1\r\n\r\nx"
    count = 2500

    def feed() -> list[int]:
        connection = connections_of(node)[0]
        connection.data_received(sent * count)
        return [len(exchange.body) for exchange in connection._pipeline.exchanges]

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
