"""How slowly a request may arrive, and how many connections one client may have."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.ingest.node import INGEST, Node, connections_of, running_node, wait_for
from tests.unit.ingest.wire import Closed, chunked, request

RATE = 1000
WINDOW_S = 30.0
BODY = b'{"event":"a","user_id":"%s"}' % (b"x" * 200_000)
HELLO = request("/livez", b"", method="GET")


class Hand:
    """The worker's monotonic clock, moved by the test; everybody is looked at after each move."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._now = node.call(node.door.loop_time)
        node.door.loop_time = lambda: self._now

    def move(self, seconds: float) -> None:
        self._now += seconds

        def sweep() -> None:
            for connection in connections_of(self._node):
                connection.sweep(self._now)

        self._node.call(sweep)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A worker whose least rate and window are round numbers."""
    with running_node(
        tmp_path / "node", body_bytes_per_s_min=RATE, receive_timeout_s=WINDOW_S
    ) as running:
        yield running


def _arrived(node: Node, body_bytes: int) -> Callable[[], bool]:
    return lambda: node.door.bytes_in_flight == body_bytes


def test_slow_but_steady_body_is_taken_however_long_it_is(node: Node) -> None:
    """A client at just over the least rate takes minutes for its body, and gets its 202."""
    hand = Hand(node)
    sent = request(body=b"", key=INGEST, length=len(BODY))
    with node.connect() as wire:
        wire.send(sent)
        wait_for(lambda: node.call(lambda: any(not c.is_idle for c in connections_of(node))))
        for start in range(0, len(BODY), 16_000):
            part = BODY[start : start + 16_000]
            wire.send(part)
            if start + len(part) < len(BODY):
                wait_for(_arrived(node, start + len(part)))
                hand.move(15.5)
        assert wire.read().status == 202
    assert node.bodies() == [BODY]


def test_body_below_the_least_rate_is_refused(node: Node) -> None:
    """408 and closed after the first window that brought too little; a fast start buys nothing."""
    hand = Hand(node)
    with node.connect() as wire:
        wire.send(request(body=BODY[:150_000], key=INGEST, length=len(BODY)))
        wait_for(_arrived(node, 150_000))
        hand.move(WINDOW_S + 1)  # the fast start's window
        hand.move(WINDOW_S - 1)
        assert not wire.poll()
        wire.send(BODY[150_000:170_000])
        wait_for(_arrived(node, 170_000))
        hand.move(2)
        answer = wire.read()
        assert (answer.status, answer["connection"]) == (408, "close")
        assert wire.is_closed()
    assert node.bodies() == []


def test_slow_head_does_not_cost_the_body_its_time(node: Node) -> None:
    """The window of the body begins when the head is complete."""
    hand = Hand(node)
    sent = request(body=BODY, key=INGEST)
    end = sent.index(b"\r\n\r\n") + 4
    with node.connect() as wire:
        wire.send(sent[:20])
        wait_for(lambda: node.call(lambda: any(not c.is_idle for c in connections_of(node))))
        hand.move(WINDOW_S - 1)
        wire.send(sent[20 : end + 10])
        wait_for(_arrived(node, 10))
        hand.move(WINDOW_S - 1)
        assert not wire.poll()
        wire.send(sent[end + 10 :])
        assert wire.read().status == 202


def test_second_request_of_a_connection_is_judged_by_its_own_bytes(node: Node) -> None:
    """What an earlier body brought is not counted for or against the next."""
    hand = Hand(node)
    with node.connect() as wire:
        wire.send(request(body=BODY[:150_000], key=INGEST, length=len(BODY)))
        wait_for(_arrived(node, 150_000))
        hand.move(WINDOW_S + 1)
        wire.send(BODY[150_000:])
        assert wire.read().status == 202
        wire.send(request(body=BODY[:40_000], key=INGEST, length=len(BODY)))
        wait_for(_arrived(node, 40_000))
        hand.move(WINDOW_S + 1)
        assert not wire.poll()
        wire.send(BODY[40_000:])
        assert wire.read().status == 202


def test_one_address_does_not_take_all_connections(tmp_path: Path) -> None:
    """The one too many is told and closed at once; others come in, and a leaver makes room."""
    with running_node(tmp_path / "node", connections_per_address_max=2, trusted_proxies="") as node:
        wires = [node.connect() for _ in range(2)]
        for wire in wires:
            assert wire.ask(HELLO, method="GET").status == 200
        with node.connect() as third:
            answer = third.read()
            assert (answer.status, answer["retry-after"]) == (503, "1")
            assert third.is_closed()
        assert node.call(lambda: len(node.door.connections)) == 2
        with node.connect(source="127.0.0.2") as other:
            assert other.ask(HELLO, method="GET").status == 200
        wires.pop().socket.close()
        wait_for(lambda: len(node.door.connections) == 1)
        with node.connect() as again:
            assert again.ask(HELLO, method="GET").status == 200
        wires.pop().socket.close()


def test_trusted_proxy_has_as_many_connections_as_there_are(tmp_path: Path) -> None:
    """Addresses of proxies are named by a setting; loopback is among them by default."""
    with running_node(tmp_path / "node", connections_per_address_max=1) as node:
        wires = [node.connect() for _ in range(20)]
        for wire in wires:
            assert wire.ask(HELLO, method="GET").status == 200
            wire.socket.close()


def test_flood_from_one_address_holds_no_connection(tmp_path: Path) -> None:
    """Refused connections are gone at once, also when their clients stay."""
    with (
        running_node(
            tmp_path / "node", connections_per_address_max=1, connections_max=5, trusted_proxies=""
        ) as node,
        node.connect() as first,
    ):
        assert first.ask(HELLO, method="GET").status == 200
        flood = [node.connect() for _ in range(50)]
        for wire in flood:
            wire.send(HELLO)
        with node.connect(source="127.0.0.3") as other:
            assert other.ask(HELLO, method="GET").status == 200
        for wire in flood:
            with suppress(Closed, ConnectionError):  # it sent while it was refused
                assert wire.read("GET").status == 503
            wire.socket.close()


def test_chunks_of_two_bytes_are_refused(node: Node) -> None:
    """They would cost a hundred times what they carry; a few of them are nobody's harm."""
    body = b'{"event":"a","user_id":"%s"}' % (b"x" * 4000)
    pieces = [body[start : start + 2] for start in range(0, len(body), 2)]
    with node.connect() as wire:
        wire.send(chunked(*pieces, key=INGEST))
        answer = wire.read()
        assert (answer.status, answer["connection"]) == (400, "close")
        assert b"chunks" in answer.body
    with node.connect() as wire:
        wire.send(chunked(*pieces[:900], b"".join(pieces[900:]), key=INGEST))
        assert wire.read().status == 202
    assert node.bodies() == [body]


def test_slow_packets_of_a_body_with_its_length_are_no_crumbs(node: Node) -> None:
    """A modem's bytes come one by one; they are gathered, however many they are."""
    body = b'{"event":"a","user_id":"%s"}' % (b"x" * 3000)
    with node.connect() as wire:
        head = request(body=b"", key=INGEST, length=len(body))
        wire.send(head)
        for start in range(0, len(body), 2):
            wire.send(body[start : start + 2])
        assert wire.read().status == 202
    assert node.bodies() == [body]
