"""Tenants share the room for bodies in flight."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import FEW_EVENTS, INGEST, Node, running_node, wait_for
from tests.unit.ingest.wire import Wire, chunked, request

ROOM = 1 << 20
LARGE = b'{"event":"a","user_id":"%s"}' % (b"x" * 150_000)


@pytest.fixture
def way() -> Way:
    """Bodies half sent, which a proxy would hold back."""
    return PLAIN


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A worker with little room, whose disk stands still: what is taken stays in flight."""
    with running_node(tmp_path / "node", in_flight_bytes_max=ROOM) as running:
        running.disk.may_sync.clear()
        yield running
        running.disk.may_sync.set()


@pytest.mark.parametrize("form", ["whole", "in pieces"])
def test_one_tenant_cannot_keep_the_others_out(node: Node, form: str) -> None:
    """At three quarters of the room it gets 503, while another's request is taken."""
    sent = request(body=LARGE, key=INGEST)
    if form == "in pieces":
        sent = chunked(LARGE[:50_000], LARGE[50_000:], key=INGEST)
    with ExitStack() as stack:
        wires: list[Wire] = []
        for _ in range(5):
            wires.append(stack.enter_context(node.connect()))
            wires[-1].send(sent)
        wait_for(lambda: _in_flight(node) == 5 * len(LARGE))
        refused, other = (stack.enter_context(node.connect()) for _ in range(2))
        answer = refused.ask(sent)
        assert (answer.status, answer["retry-after"]) == (503, "1")
        other.send(request(body=LARGE, key=FEW_EVENTS))
        wait_for(lambda: _in_flight(node) == 6 * len(LARGE))
        node.disk.may_sync.set()
        assert [wire.read().status for wire in (*wires, other)] == [202] * 6
        wait_for(lambda: _in_flight(node) == 0)
        assert stack.enter_context(node.connect()).ask(sent).status == 202


def test_client_that_leaves_gives_its_tenants_budget_back(node: Node) -> None:
    """Also with a body that it had not sent to its end."""
    half = request(body=LARGE, key=INGEST)[:-1000]
    for _ in range(10):
        with node.connect() as wire:
            wire.send(half)
            wait_for(lambda: _in_flight(node) > 0)
        wait_for(lambda: _in_flight(node) == 0)
    node.disk.may_sync.set()
    with node.connect() as wire:
        assert wire.ask(request(body=LARGE, key=INGEST)).status == 202


def _in_flight(node: Node) -> int:
    return node.call(lambda: node.door.bytes_in_flight)
