"""Duplicates at the door: answered like the first, and never before it is on disk."""

from tests.contract.http.ways import unproxied
from tests.unit.ingest.node import INGEST, Node, wait_for
from tests.unit.ingest.wire import Answer, request

ID = b'"event_id":"once"'
SENT = {
    "/v1/ingest": b'{"event":"a",%s}' % ID,
    "/v1/batch": b'{"events":[{"event":"a",%s},{"event":"a",%s}]}' % (ID, ID),
    "/v1/events": b'[{"event":"a",%s},{"event":"a",%s}]' % (ID, ID),
}


@unproxied
def test_duplicate_in_flight_waits_for_the_disk_and_is_answered_alike(node: Node) -> None:
    """On another connection, in another dialect, within a request: each like the first."""
    first = {path: _told(node, path) for path in SENT}
    node.disk.may_sync.clear()
    with node.connect() as one, node.connect() as other:
        for wire in (one, other):
            for path, body in SENT.items():
                wire.send(request(path, body, key=INGEST))
        in_flight = 2 * sum(map(len, SENT.values()))
        wait_for(lambda: node.call(lambda: node.door.bytes_in_flight) == in_flight)
        assert not one.poll()
        assert not other.poll()
        node.disk.may_sync.set()
        for wire in (one, other):
            assert {path: _shape(wire.read()) for path in SENT} == first
    assert len(node.events()) == 3 * 5


def _told(node: Node, path: str) -> tuple[int, dict[str, object]]:
    with node.connect() as wire:
        return _shape(wire.ask(request(path, SENT[path], key=INGEST)))


def _shape(answer: Answer) -> tuple[int, dict[str, object]]:
    """Status and body, without the id that each request has of its own."""
    body = dict(answer.json)
    assert str(body.pop("batch_id", "b_")).startswith("b_")
    return answer.status, body
