"""A connection's life: order of answers, keep-alive, deadlines, room, draining."""

import gzip
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import INGEST, Node, connections_of, running_node, unanswered, wait_for
from tests.unit.ingest.wire import chunked, request
from weir.ingest.encodings import INFLATE_ON_LOOP_BYTES_MAX

HELLO = request("/livez", b"", method="GET")


@pytest.fixture
def way() -> Way:
    """One connection's life, byte by byte: a proxy leads lives of its own on both sides."""
    return PLAIN


@pytest.fixture
def patient_node(tmp_path: Path) -> Iterator[Node]:
    """A node that has as much time for its end as the test."""
    with running_node(tmp_path / "node", drain_timeout_s=120) as running:
        yield running


def _event(number: int) -> bytes:
    return b'{"event":"%d"}' % number


def _old(version: str = "1.0", line: str = "") -> bytes:
    head = f"GET /livez HTTP/{version}\r\n{line}\r\n"
    return head.encode()


def test_connection_stays_open(node: Node) -> None:
    """HTTP/1.1 goes on without being asked, and answers do not mention it."""
    with node.connect() as wire:
        for _ in range(3):
            answer = wire.ask(HELLO, method="GET")
            assert answer.status == 200
            assert answer["connection"] is None


def test_health_paths_tell_their_methods(node: Node) -> None:
    """A POST to a path that is there for looking gets 405 with what is allowed."""
    with node.connect() as wire:
        answer = wire.ask(request("/livez", b"", method="POST"))
        assert answer.status == 405
        assert answer["allow"] == "GET, HEAD"


def test_close_is_honoured(node: Node) -> None:
    """The answer to a request that says close is the last."""
    with node.connect() as wire:
        answer = wire.ask(request("/livez", b"", "Connection: close", method="GET"))
        assert answer["connection"] == "close"
        assert wire.is_closed()


def test_old_client_gets_one_answer(node: Node) -> None:
    """HTTP/1.0 without a word means close, and needs no Host."""
    with node.connect() as wire:
        answer = wire.ask(_old())
        assert (answer.status, answer["connection"]) == (200, "close")
        assert wire.is_closed()


def test_old_client_may_ask_to_stay(node: Node) -> None:
    """HTTP/1.0 with keep-alive goes on, and is told so."""
    with node.connect() as wire:
        for _ in range(2):
            answer = wire.ask(_old(line="Connection: keep-alive\r\n"))
            assert (answer.status, answer["connection"]) == (200, "keep-alive")


def test_head_has_no_body(node: Node) -> None:
    """HEAD is answered like GET without the body, and the connection stays in step."""
    with node.connect() as wire:
        shown = wire.ask(HELLO, method="GET")
        asked = wire.ask(request("/livez", b"", method="HEAD"), method="HEAD")
        assert asked["content-length"] == str(len(shown.body))
        assert wire.ask(HELLO, method="GET").body == shown.body


def test_two_hundred_pipelined_requests_are_answered_in_order(node: Node) -> None:
    """Quick, slow (inflated elsewhere) and relayed requests mixed: answers keep their order."""
    mixed = random.Random(7)
    noise = mixed.randbytes(INFLATE_ON_LOOP_BYTES_MAX).hex()
    kinds = [mixed.choice(["event", "large", "relay", "health", "chunked"]) for _ in range(200)]
    large = {number for number, kind in enumerate(kinds) if kind == "large"}
    kept = set(sorted(large)[:4])
    with node.connect() as wire:
        sent = []
        for number, kind in enumerate(kinds):
            body = _event(number)
            if kind == "relay":
                sent.append(request(f"/echo/{number}", b"", method="GET"))
            elif kind == "health":
                sent.append(HELLO)
            elif kind == "chunked":
                sent.append(chunked(body[:5], body[5:], key=INGEST))
            elif number in kept:
                packed = gzip.compress(b'{"event":"%d","user_id":"%s"}' % (number, noise.encode()))
                assert len(packed) > INFLATE_ON_LOOP_BYTES_MAX
                sent.append(request("/v1/ingest", packed, "Content-Encoding: gzip", key=INGEST))
            else:
                sent.append(request("/v1/ingest", body, key=INGEST))
        wire.send(b"".join(sent))
        for number, kind in enumerate(kinds):
            answer = wire.read("GET")
            expected = 200 if kind in ("relay", "health") else 202
            assert answer.status == expected, (number, kind, answer)
            if kind == "relay":
                assert answer.json["target"] == f"/echo/{number}"
    stored = [event.event for event in node.events()]
    assert stored == [str(n) for n, kind in enumerate(kinds) if kind not in ("relay", "health")]


def test_answers_wait_for_the_disk_in_order(node: Node) -> None:
    """What needs no disk still waits behind an event whose sync is not done."""
    node.disk.may_sync.clear()
    with node.connect() as wire:
        wire.send(request(key=INGEST) + HELLO)
        wait_for(lambda: node.call(lambda: unanswered(node) == 2))
        node.disk.may_sync.set()
        assert [wire.read().status, wire.read("GET").status] == [202, 200]


def test_pipelining_is_bounded(node: Node) -> None:
    """With too many unanswered requests the client is not read until some are answered."""
    node.disk.may_sync.clear()
    most = node.settings.pipelined_requests_max
    with node.connect() as wire:
        for _ in range(most + 50):
            wire.send(request(key=INGEST))
        wait_for(lambda: node.call(lambda: unanswered(node) >= most))
        node.disk.may_sync.set()
        for _ in range(most + 50):
            assert wire.read().status == 202
        assert wire.ask(HELLO, method="GET").status == 200


def test_hundreds_of_relayed_requests_fail_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Without an api process each pipelined request gets its 503; none is lost in a recursion."""
    with (
        running_node(tmp_path_factory.mktemp("node"), with_api=False) as node,
        node.connect() as wire,
    ):
        wire.send(request(key=INGEST) + request("/v1/query", b"", method="GET") * 600)
        assert wire.read().status == 202
        for _ in range(600):
            assert wire.read().status == 503
        assert wire.ask(HELLO, method="GET").status == 200


def test_half_closed_client_gets_its_answers(node: Node) -> None:
    """A client that has said everything still reads what it asked for."""
    node.disk.may_sync.clear()
    with node.connect() as wire:
        wire.send(request(key=INGEST) * 3)
        wire.shutdown()
        wait_for(lambda: node.call(lambda: unanswered(node) == 3))
        node.disk.may_sync.set()
        assert [answer.status for answer in wire.read_to_end()] == [202] * 3


def test_half_request_of_a_half_closed_client_is_dropped(node: Node) -> None:
    """The rest will never come: earlier answers leave, then the connection ends at once."""
    node.disk.may_sync.clear()
    with node.connect() as wire:
        wire.send(request(key=INGEST) + request(key=INGEST)[:-3])
        wire.shutdown()
        wait_for(lambda: node.call(lambda: unanswered(node) == 1))
        node.disk.may_sync.set()
        assert [answer.status for answer in wire.read_to_end()] == [202]


def test_client_that_leaves_early_loses_only_its_answer(node: Node) -> None:
    """What was received whole is stored although nobody waits for the answer any more."""
    node.disk.may_sync.clear()
    with node.connect() as wire:
        wire.send(request(body=_event(1), key=INGEST))
        wait_for(lambda: node.call(lambda: unanswered(node) == 1))
        wire.reset()
    wait_for(lambda: not node.door.connections)
    assert node.door.bytes_in_flight == len(_event(1))
    node.disk.may_sync.set()
    wait_for(lambda: node.door.bytes_in_flight == 0)
    assert node.bodies() == [_event(1)]


_HALVES = {
    "line": request()[:10],
    "headers": request()[:40],
    "body": request(key=INGEST)[:-1],
    "chunk": chunked(b"abc", key=INGEST)[:-6],
    "second request": HELLO + request()[:25],
}


@pytest.mark.parametrize("half", _HALVES)
def test_half_sent_request_meets_a_deadline(
    tmp_path_factory: pytest.TempPathFactory, half: str
) -> None:
    """A client that goes silent midway gets 408 and is let go, also behind a whole request."""
    path = tmp_path_factory.mktemp("node")
    with running_node(path, receive_timeout_s=0.3) as node, node.connect() as wire:
        wire.send(_HALVES[half])
        if half == "second request":
            assert wire.read("GET").status == 200
        answer = wire.read()
        assert (answer.status, answer["connection"]) == (408, "close")
        assert wire.is_closed()


def test_trickling_request_meets_the_same_deadline(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The time of a request is not made longer by sending a little now and then."""
    path = tmp_path_factory.mktemp("node")
    with running_node(path, receive_timeout_s=0.5) as node, node.connect() as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(2000):
            wire.send(b"x")
            if wire.poll(0.01):
                break
        assert wire.read().status == 408


def test_idle_connection_is_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a request nobody holds a connection for ever, used or not."""
    path = tmp_path_factory.mktemp("node")
    with running_node(path, keepalive_timeout_s=1.0) as node:
        with node.connect() as wire:
            assert wire.is_closed()
        with node.connect() as wire:
            assert wire.ask(HELLO, method="GET").status == 200
            assert wire.is_closed()


def test_reader_that_stops_reading_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Answers that nobody takes do not hold a connection for ever, nor does closing it."""
    path = tmp_path_factory.mktemp("node")
    with running_node(path, receive_timeout_s=0.5) as node:
        wires = [node.connect(receive_bytes=4096) for _ in range(2)]
        for wire, last in zip(wires, (b"", b"Connection: close\r\n"), strict=True):
            wire.socket.settimeout(5)
            wire.send(request("/flood", b"", method="GET")[:-2] + last + b"\r\n")
        wait_for(lambda: len(node.upstream.requests) == 2)
        wait_for(lambda: not node.door.connections)
        for wire in wires:
            wire.socket.close()


def test_closing_does_not_wait_for_a_reader_for_ever(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The last answers of a client that never reads are dropped after a while."""
    path = tmp_path_factory.mktemp("node")
    with (
        running_node(path, receive_timeout_s=0.5) as node,
        node.connect(receive_bytes=4096) as wire,
    ):
        with suppress(ConnectionError):  # dropped before the last is sent
            wire.send(HELLO * 30000, request("/livez", b"", "Connection: close", method="GET"))
        wait_for(lambda: not node.door.connections)


def test_connections_are_bounded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One too many is told to come back; when another leaves there is room again."""
    with running_node(tmp_path_factory.mktemp("node"), connections_max=2) as node:
        with node.connect() as first, node.connect() as second:
            assert first.ask(HELLO, method="GET").status == 200
            assert second.ask(HELLO, method="GET").status == 200
            with node.connect() as third:
                answer = third.read()
                assert (answer.status, answer["retry-after"]) == (503, "1")
                assert third.is_closed()
            assert first.ask(HELLO, method="GET").status == 200
        wait_for(lambda: not node.door.connections)
        with node.connect() as wire:
            assert wire.ask(HELLO, method="GET").status == 200


def test_draining_node_finishes_what_it_received(patient_node: Node) -> None:
    """Pipelined requests are all answered, the last answer says close, new ones find no door."""
    node = patient_node
    node.disk.may_sync.clear()
    with node.connect() as busy, node.connect() as idle, node.connect() as halfway:
        assert idle.ask(HELLO, method="GET").status == 200
        busy.send(request(key=INGEST) * 3)
        halfway.send(request(key=INGEST)[:-4])
        wait_for(lambda: node.call(lambda: unanswered(node) == 3))
        wait_for(lambda: node.call(lambda: not all(c.is_idle for c in connections_of(node))))
        node.loop.call_soon_threadsafe(node.stop.set)
        wait_for(lambda: node.door.is_draining)
        assert idle.is_closed()
        node.disk.may_sync.set()
        answers = busy.read_to_end()
        assert [answer.status for answer in answers] == [202] * 3
        assert [answer["connection"] for answer in answers] == [None, None, "close"]
        answer = halfway.ask(request(key=INGEST)[-4:])
        assert (answer.status, answer["connection"]) == (202, "close")
        assert halfway.is_closed()
    assert node.end() == 0
    assert len(node.bodies()) == 4


def test_relayed_answer_on_a_draining_node_says_close(patient_node: Node) -> None:
    """A query under way is finished before the node stops."""
    node = patient_node
    with node.connect() as wire:
        wire.send(request("/hang", b"", method="GET"))
        wait_for(lambda: node.upstream.requests)
        node.loop.call_soon_threadsafe(node.stop.set)
        wait_for(lambda: node.door.is_draining)
        node.call(node.upstream.let_go)
        answer = wire.read("GET")
        assert (answer.status, answer.body, answer["connection"]) == (418, b"short", "close")
        assert wire.is_closed()


def test_drain_is_bounded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A client that never finishes its request does not keep the node from stopping."""
    path = tmp_path_factory.mktemp("node")
    with running_node(path, drain_timeout_s=0.2) as node, node.connect() as wire:
        wire.send(request(key=INGEST)[:-4])
        wait_for(lambda: node.door.connections)
        assert node.end() == 0
        assert wire.is_closed()


def test_bug_in_a_dialect_is_a_500_and_no_silence(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails inside, the client and those behind it in line get answers."""

    def fail(*_: object) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr(node.door._intake, "_store", fail)
    with node.connect() as wire:
        wire.send(request(key=INGEST) * 2 + HELLO)
        answers = [wire.read() for _ in range(3)]
    assert [answer.status for answer in answers] == [500, 500, 200]
    assert answers[0].json["error"] == "internal"
    assert b"injected" not in answers[0].body
