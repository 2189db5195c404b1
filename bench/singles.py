"""The loader by itself, in one process: what a single event costs it from the journal to the lake.

No sockets and no sender beside it: a journal of frames of one event, written by the real writer,
goes through the real loader, whose CPU time is counted. So the figure is steady where the whole
tree's is the neighbours'.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from time import process_time

from bench.door import EVENT
from bench.figure import Figure, spread
from bench.node import ROOT, load_all
from tests.unit.loader.rig import Rig, Wiring, make_rig
from weir.clock import SystemClock
from weir.dialects.table import ROUTES, dialects_by_code
from weir.domain.frame import Draft, Place

EVENTS = 100_000
WARMING_EVENTS = 1_000
RUNS = 5
GOAL_US = 20
WRITTEN_WITHIN_S = 300


def measure() -> list[Figure]:
    """CPU of a single event, all threads of the loader, commit included."""
    _run(WARMING_EVENTS)  # what is imported when it is first needed
    runs = [_run(EVENTS) for _ in range(RUNS)]
    how = f"{EVENTS} frames of one event of {len(EVENT)} bytes, {RUNS} runs; commit included"
    return [
        Figure(
            "the loader by itself: CPU of a single event, µs",
            *(spread(runs, digits=1), str(GOAL_US), how),
        )
    ]


def _run(events: int) -> float:
    ROOT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        rig = make_rig(Path(name) / "node", SystemClock())
        rig.wrap = _with_dialects
        _write(rig, events)
        rig.close()
        rig.open_catalog().close()  # a new database takes its time once
        started_s = process_time()
        with rig.running():
            load_all(rig.directory.root)
        used_s = process_time() - started_s
        if rig.ledger_total().stored != events:
            raise SystemExit("The figure would lie: not all events are in the lake.")
    return used_s / events * 1e6


def _with_dialects(wiring: Wiring) -> Wiring:
    return replace(wiring, dialects=dialects_by_code())


def _write(rig: Rig, events: int) -> None:
    """Writes the journal as the door does when many clients send at once."""
    [route] = [route for route in ROUTES if route.path == "/v1/ingest"]
    draft = Draft(
        place=Place(1, 1, 7, 1),
        dialect=route.dialect.code,
        dialect_version=route.dialect_version,
        event_count=1,
        refused_count=0,
        flags=0,
        meta=b"",
        body=EVENT.encode(),
    )
    told: SimpleQueue[Callable[[], None]] = SimpleQueue()  # a writer has one thread beside its own
    writer, waiter = rig.writer(0, notify=told.put), _Waiter(events)
    for _ in range(events):
        writer.append(draft, waiter)
    while waiter.left:
        told.get(timeout=WRITTEN_WITHIN_S)()


class _Waiter:
    """Is told of each frame that is on disk."""

    def __init__(self, frame_count: int) -> None:
        self.left = frame_count

    def durable(self, received_at_us: int) -> None:
        self.left -= 1

    def failed(self, error: Exception) -> None:
        raise error
