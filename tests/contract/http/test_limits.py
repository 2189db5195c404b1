"""Sizes, counts and expectations of a request; each limit by its setting's name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import INGEST, Node, running_node, wait_for
from tests.unit.ingest.wire import Wire, chunked, request

HELLO = request("/livez", b"", method="GET")
BODY = b'{"event":"a"}'
BODY_BYTES_MAX = 4096


@pytest.fixture
def way() -> Way:
    """Limits of heads and bodies half sent, where a proxy has limits of its own."""
    return PLAIN


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Node]:
    """A node with small limits."""
    limits: dict[str, Any] = {
        "header_bytes_max": 2048,
        "header_count_max": 20,
        "target_bytes_max": 512,
        "body_bytes_max": BODY_BYTES_MAX,
    }
    with running_node(tmp_path / "node", **limits) as running:
        yield running


def _refused(wire: Wire, sent: bytes, status: int) -> None:
    answer = wire.ask(sent)
    assert (answer.status, answer["connection"]) == (status, "close")
    assert wire.is_closed()


def test_header_count_is_bounded(small: Node) -> None:
    """At header_count_max the request passes, above it is 431."""
    at_limit = request("/livez", b"", *(f"X-{n}: a" for n in range(19)), method="GET")
    above = request("/livez", b"", *(f"X-{n}: a" for n in range(20)), method="GET")
    with small.connect() as wire:
        assert wire.ask(at_limit).status == 200
        _refused(wire, above, 431)


def test_header_bytes_are_bounded(small: Node) -> None:
    """Names and values together, above header_bytes_max: 431."""
    room = 2048 - len("Hostdoor.example") - len("X-Long")
    with small.connect() as wire:
        assert wire.ask(request("/livez", b"", f"X-Long: {'a' * room}", method="GET")).status == 200
        _refused(wire, request("/livez", b"", f"X-Long: {'a' * (room + 1)}", method="GET"), 431)


@pytest.mark.parametrize("line", [b"X: a\r\n", b"X-%d: a\r\n"])
def test_flood_of_headers_is_cut_short(small: Node, line: bytes) -> None:
    """Headers without end are refused as soon as they are too many, in one piece or in many."""
    lines = b"".join(line % n if b"%" in line else line for n in range(50_000))
    head = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
    with small.connect() as wire:
        _refused(wire, head + lines, 431)


def test_endless_header_is_cut_short(small: Node) -> None:
    """A header that never ends does not fill the memory."""
    with small.connect() as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(2000):
            if wire.poll():
                break
            wire.send(b"a" * 1024)
        assert wire.read().status == 431


def test_trailers_count_as_headers(small: Node) -> None:
    """Nobody gets around header_count_max behind the body."""
    trailer = "".join(f"X-{n}: a\r\n" for n in range(30))
    with small.connect() as wire:
        _refused(wire, chunked(BODY, key=INGEST, trailer=trailer) + HELLO, 431)
    wait_for(lambda: not small.door.connections)
    assert small.door.bytes_in_flight == 0
    assert small.bodies() == []


def test_target_is_bounded(small: Node) -> None:
    """A target above target_bytes_max: 414."""
    with small.connect() as wire:
        target = "/livez?" + "a" * 505
        assert wire.ask(request(target, b"", method="GET")).status == 200
        _refused(wire, request(target + "a", b"", method="GET"), 414)


def test_declared_body_is_bounded(small: Node) -> None:
    """At body_bytes_max the body is read; a greater length is refused before it is."""
    body = BODY + b" " * (BODY_BYTES_MAX - len(BODY))
    with small.connect() as wire:
        assert wire.ask(request(body=body, key=INGEST)).status == 202
        _refused(wire, request(body=body + b" ", key=INGEST)[:-4000], 413)
    assert small.bodies() == [body]


def test_chunked_body_is_bounded(small: Node) -> None:
    """What was not declared is counted, also when the next request already waits behind it."""
    body = BODY + b" " * (BODY_BYTES_MAX - len(BODY))
    with small.connect() as wire:
        assert wire.ask(chunked(body[:99], body[99:], key=INGEST)).status == 202
        _refused(wire, chunked(body, b" ", key=INGEST) + request(key=INGEST), 413)
    wait_for(lambda: not small.door.connections)
    assert small.door.bytes_in_flight == 0
    assert small.bodies() == [body]


@pytest.mark.parametrize("form", ["declared", "chunked"])
def test_refusal_can_be_read_by_a_client_that_goes_on_sending(node: Node, form: str) -> None:
    """The answer is not lost in a reset: the rest is read and thrown away for a while."""
    size = node.settings.body_bytes_max + 1
    piece = b"x" * 65536
    head = request(body=b"", key=INGEST, length=size)
    if form == "chunked":
        head = chunked(key=INGEST).removesuffix(b"0\r\n\r\n")
        piece = b"10000\r\n" + piece + b"\r\n"
    with node.connect() as wire:
        wire.send(head)
        for _ in range(size // 65536 + 1):
            wire.send(piece)
        answer = wire.read()
        assert answer.status == 413
        assert answer.json["error"] == "payload_too_large"
    assert node.bodies() == []


def test_refusal_waits_for_its_turn(small: Node) -> None:
    """Answers to earlier requests leave before the error that ends the connection."""
    small.disk.may_sync.clear()
    with small.connect() as wire:
        wire.send(request(key=INGEST) * 2 + request(body=b"", length=BODY_BYTES_MAX + 1))
        wait_for(lambda: small.call(lambda: small.door.bytes_in_flight == 2 * len(BODY)))
        assert not wire.poll()
        small.disk.may_sync.set()
        assert [answer.status for answer in wire.read_to_end()] == [202, 202, 413]


def test_browser_can_read_an_early_refusal(small: Node) -> None:
    """It carries the CORS headers of its route."""
    sent = request(
        "/v1/batch", b"", "Origin: https://shop.example", length=BODY_BYTES_MAX + 1, key=INGEST
    )
    with small.connect() as wire:
        answer = wire.ask(sent)
    assert (answer.status, answer["access-control-allow-origin"]) == (413, "https://shop.example")


def test_continue_is_sent_when_asked_for(node: Node) -> None:
    """A client that asks first is told to go on, then answered."""
    sent = request("/v1/events", BODY, "Expect: 100-continue", key=INGEST)
    with node.connect() as wire:
        for _ in range(2):
            assert wire.ask(sent[: -len(BODY)]).status == 100
            assert wire.ask(BODY).status == 202
    assert node.bodies() == [BODY] * 2


def test_continue_waits_for_earlier_answers(node: Node) -> None:
    """A 100 between the answers of earlier requests would be read as one of them."""
    node.disk.may_sync.clear()
    sent = request("/v1/events", BODY, "Expect: 100-continue", key=INGEST)
    with node.connect() as wire:
        wire.send(request(key=INGEST) + sent[: -len(BODY)])
        wait_for(lambda: node.call(lambda: node.door.bytes_in_flight == len(BODY)))
        assert not wire.poll()
        node.disk.may_sync.set()
        assert [wire.read().status, wire.read().status] == [202, 100]
        assert wire.ask(BODY).status == 202


def test_no_continue_follows_a_body_that_came_unasked(node: Node) -> None:
    """A 100 behind the final answer would be read as the start of another."""
    node.disk.may_sync.clear()
    asking = request("/v1/events", BODY, "Expect: 100-continue", key=INGEST)
    with node.connect() as wire:
        wire.send(request(key=INGEST) + asking)
        wait_for(lambda: node.call(lambda: node.door.bytes_in_flight == 2 * len(BODY)))
        node.disk.may_sync.set()
        wire.send(HELLO)
        assert [wire.read().status for _ in range(3)] == [202, 202, 200]


def test_too_large_a_body_is_refused_instead_of_continued(small: Node) -> None:
    """The client is spared the sending."""
    sent = request(body=b"", length=BODY_BYTES_MAX + 1, key=INGEST)
    with small.connect() as wire:
        _refused(wire, sent[:-2] + b"Expect: 100-continue\r\n\r\n", 413)


def test_unknown_expectation_fails(node: Node) -> None:
    """417, as RFC 9110 section 10.1.1 allows."""
    with node.connect() as wire:
        _refused(wire, request("/v1/events", BODY, "Expect: magic", key=INGEST), 417)
    assert node.bodies() == []


def test_old_client_is_not_told_to_continue(node: Node) -> None:
    """HTTP/1.0 does not know the 100."""
    sent = request("/v1/events", BODY, "Expect: 100-continue", key=INGEST)
    with node.connect() as wire:
        assert wire.ask(sent.replace(b"HTTP/1.1", b"HTTP/1.0")).status == 202


def test_bodies_in_flight_are_bounded(tmp_path: Path) -> None:
    """Above in_flight_bytes_max requests get 503 until bodies have reached the disk."""
    with running_node(tmp_path / "node", in_flight_bytes_max=1 << 20) as node:
        node.disk.may_sync.clear()
        large = b'{"event":"a","user_id":"%s"}' % (b"x" * 600_000)
        with node.connect() as first, node.connect() as second, node.connect() as third:
            first.send(request(body=large, key=INGEST))
            wait_for(lambda: node.door.bytes_in_flight == len(large))
            for sent in (request(body=large, key=INGEST), chunked(large, key=INGEST)):
                wire = second if sent.find(b"chunked") < 0 else third
                answer = wire.ask(sent)
                assert (answer.status, answer["retry-after"]) == (503, "1")
            node.disk.may_sync.set()
            assert first.read().status == 202
            assert first.ask(request(body=large, key=INGEST)).status == 202
        assert len(node.bodies()) == 2
