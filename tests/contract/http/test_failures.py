"""Disk, backlog and journal failing under the door: never a 2xx for what is not on disk."""

import gzip
import random
import threading
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import DEADLINE_S, INGEST, Node, running_node, wait_for
from tests.unit.ingest.wire import request
from weir.dialects.port import Admission, Submission
from weir.ingest.edge import EXIT_JOURNAL
from weir.ingest.encodings import ADMIT_ON_LOOP_BYTES_MAX, INFLATE_ON_LOOP_BYTES_MAX

HELLO = request("/livez", b"", method="GET")


@pytest.fixture
def way() -> Way:
    """Pipelined requests of several connections around one sync of the disk."""
    return PLAIN


def test_answer_leaves_only_after_the_sync(node: Node) -> None:
    """While the disk is held there is no answer; afterwards there is."""
    node.disk.may_sync.clear()
    with node.connect() as wire, node.connect() as other:
        wire.send(request(key=INGEST))
        wait_for(lambda: node.door.bytes_in_flight)
        assert other.ask(HELLO, method="GET").status == 200
        assert not wire.poll()
        assert node.frames() == []
        node.disk.may_sync.set()
        assert wire.read().status == 202
        assert len(node.frames()) == 1


def test_failed_sync_is_503_for_all_of_its_batch_and_ends_the_worker(tmp_path: Path) -> None:
    """Nothing is claimed, clients may try again, and recovery decides in a new process."""
    with running_node(tmp_path / "node") as node:
        wires = [node.connect() for _ in range(4)]
        assert wires[0].ask(request(body=b'{"event":"before"}', key=INGEST)).status == 202
        node.disk.may_sync.clear()
        node.disk.broken = True
        for wire in wires:
            wire.send(request(key=INGEST) * 3)
        wait_for(lambda: node.call(lambda: node.door.bytes_in_flight) == 12 * len(b'{"event":"a"}'))
        node.disk.may_sync.set()
        for wire in wires:
            answers = wire.read_to_end()
            assert {answer.status for answer in answers} == {503}
            assert len(answers) == 3
            assert all(answer["retry-after"] == "2" for answer in answers)
            assert answers[0].json["error"] == "journal_failed"
            wire.socket.close()
        node.thread.join(DEADLINE_S)
        assert node.exit_codes == [EXIT_JOURNAL]
        assert node.bodies() == [b'{"event":"before"}']


def test_tally_on_a_dying_journal_does_not_hide_its_death(tmp_path: Path) -> None:
    """The worker still ends with the journal's exit code."""
    with running_node(tmp_path / "node") as node:
        node.disk.broken = True
        with node.connect() as wire:
            assert wire.ask(request("/v1/ingest", b"{}", key=INGEST)).status == 400
        node.call(node.door.tick)
        node.thread.join(DEADLINE_S)
        assert node.exit_codes == [EXIT_JOURNAL]


def test_events_are_refused_above_the_backlog_and_then_taken_again(node: Node) -> None:
    """503 with Retry-After for events, while the rest is answered; then as before."""
    with node.connect() as wire:
        node.backlog[0] = node.settings.journal_backlog_bytes_max + 1
        node.call(node.door.tick)
        for _ in range(3):
            answer = wire.ask(request("/v1/ingest", key=INGEST))
            assert (answer.status, answer["retry-after"]) == (503, "5")
            assert answer.json["error"] == "unavailable"
        with node.connect() as stranger:
            assert stranger.ask(request("/v1/ingest")).status == 401
        assert wire.ask(HELLO, method="GET").status == 200
        assert wire.ask(request("/echo", b"", method="GET")).status == 200
        node.backlog[0] = 0
        node.call(node.door.tick)
        assert wire.ask(request("/v1/ingest", key=INGEST)).status == 202
    assert len(node.bodies()) == 1


def test_full_disk_refuses_events(tmp_path: Path) -> None:
    """Below disk_reserve_bytes of free space events get 503 from the start."""
    with (
        running_node(tmp_path / "node", disk_reserve_bytes=1 << 60) as node,
        node.connect() as wire,
    ):
        assert wire.ask(request("/v1/ingest", key=INGEST)).status == 503
        assert wire.ask(HELLO, method="GET").status == 200


def test_inflated_bodies_count_while_they_wait_for_the_disk(tmp_path: Path) -> None:
    """Small bodies that become large ones do not get around in_flight_bytes_max."""
    body = b'{"event":"a","user_id":"%s"}' % (b"x" * 700_000)
    packed = gzip.compress(body)
    with running_node(tmp_path / "node", in_flight_bytes_max=1 << 20) as node:
        node.disk.may_sync.clear()
        with node.connect() as first, node.connect() as second:
            first.send(request("/v1/ingest", packed, key=INGEST))
            wait_for(lambda: node.call(lambda: node.door.bytes_in_flight) > len(body))
            answer = second.ask(request("/v1/ingest", packed, key=INGEST))
            assert (answer.status, answer["retry-after"]) == (503, "1")
            node.disk.may_sync.set()
            assert first.read().status == 202
            assert second.ask(request("/v1/ingest", packed, key=INGEST)).status == 202
        assert node.bodies() == [body] * 2


def test_large_body_is_decided_in_a_thread(node: Node) -> None:
    """Inflated from little or sent whole; order is kept, and other connections are answered."""
    deciding, go_on = threading.Event(), threading.Event()
    route = node.door._routes[b"/v1/events"]

    def slow(submission: Submission) -> Admission:
        if len(submission.body) > ADMIT_ON_LOOP_BYTES_MAX:
            deciding.set()
            assert go_on.wait(DEADLINE_S)
        return route.admit(submission)

    slowed = msgspec.structs.replace(route, admit=slow)
    node.call(lambda: setattr(node.door, "_routes", {b"/v1/events": slowed}))
    large = b'{"event":"a","properties":{"text":"%s"}}' % (b"x" * 300_000)
    small = b'{"event":"b"}'
    for sent in (large, gzip.compress(large)):
        deciding.clear()
        go_on.clear()
        with node.connect() as wire, node.connect() as other:
            wire.send(request(body=sent, key=INGEST) + request(body=small, key=INGEST))
            assert deciding.wait(DEADLINE_S)
            assert other.ask(HELLO, method="GET").status == 200
            assert other.ask(request(body=small, key=INGEST)).status == 202
            assert not wire.poll()
            go_on.set()
            assert [wire.read().status, wire.read().status] == [202, 202]
    assert node.bodies() == [small, large, small] * 2


def test_body_inflated_elsewhere_is_stored_as_it_was(node: Node) -> None:
    """Also when its client has left meanwhile, and errors are answered in line."""
    noise = random.Random(7).randbytes(100_000).hex()
    body = b'{"event":"a","user_id":"%s"}' % noise.encode()
    packed = gzip.compress(body, 1)
    broken = packed[:-9] + bytes([packed[-9] ^ 1]) + packed[-8:]
    assert len(packed) > INFLATE_ON_LOOP_BYTES_MAX
    with node.connect() as wire:
        wire.send(b"".join(request("/v1/ingest", sent, key=INGEST) for sent in (packed, broken)))
        wire.send(HELLO)
        assert [wire.read("GET").status for _ in range(3)] == [202, 400, 200]
    with node.connect() as wire:
        wire.send(request("/v1/ingest", packed, key=INGEST))
        wait_for(lambda: node.call(lambda: node.door.bytes_in_flight or len(node.bodies()) > 1))
        wire.reset()
    wait_for(lambda: len(node.bodies()) == 2)
    assert node.bodies() == [body] * 2


def test_heavy_tenant_is_refused_while_others_are_served(node: Node) -> None:
    """Room is short: the one that sent a hundred times as much waits, queries and others go on."""
    with node.connect() as wire:

        def send() -> int:
            return wire.ask(request("/v1/ingest", key=INGEST)).status

        node.call(lambda: node.overload.shares.note(77, 1_000_000))
        node.backlog[0] = node.settings.journal_backlog_bytes_max // 2 + 1
        assert send() == 202
        node.call(node.door.tick)
        assert send() == 202
        node.call(lambda: node.overload.shares.note(1, 100_000_000))
        node.call(node.door.tick)
        assert send() == 503
        node.backlog[0] = 0
        node.call(node.door.tick)
        assert send() == 202


def test_limits_that_refuse_are_told_once_between_two_ticks(node: Node) -> None:
    """A flood of refusals is one line a second, not one each."""

    def told() -> float:
        labels = {"happening": "edge_saturated"}
        return REGISTRY.get_sample_value("weir_happenings_total", labels) or 0.0

    too_many = node.settings.in_flight_bytes_max + 1
    before = told()
    for _ in range(5):
        node.call(lambda: node.door.reserve(too_many))
    assert told() == before + 1
    node.call(node.door.tick)
    node.call(lambda: node.door.reserve(too_many))
    assert told() == before + 2
    with node.connect() as wire:
        assert wire.ask(request("/v1/ingest", key=INGEST)).status == 202
