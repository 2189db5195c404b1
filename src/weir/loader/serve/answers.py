"""What the loader answers: snapshots, the ledger, traces, its status, cuts, replays.

Every answer may come from any thread, beside the one that reads and the one that commits.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from weir.clock import Clock
from weir.domain.event import Dialect
from weir.errors import Unavailable
from weir.loader.commit.catalog import Catalog
from weir.loader.read.replay_queue import Replays
from weir.loader.read.rounds import RoundReader
from weir.loader.serve.demand import Demand
from weir.loader.serve.trace import Wanted, copies_in_memory, copies_in_raw
from weir.loader.serve.wire import (
    HoldRequest,
    LedgerReply,
    LedgerRequest,
    ReplayReply,
    ReplayRequest,
    SharedSnapshot,
    Status,
    TraceReply,
    TraceRequest,
)
from weir.loader.tail.ledger import Counts, total_by_key
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.settings import Settings

TRACE_SEARCH_S = 20.0
"""How long raw files are searched for an event's copies."""

DEAD_LETTERS_SEARCHED = 1000

CUT_ANSWER_S = 55.0
"""How long a demanded cut is waited for."""


@dataclass(frozen=True, slots=True)
class AnswerPorts:
    """What of the loader is asked. ``read_raw`` gives the content of a raw file by its path."""

    catalog: Catalog
    view: View
    readers: RoundReader
    demand: Demand
    hold: RemovalHold
    replays: Replays
    ledger_lock: threading.Lock
    """Held while rows of the ledger move from memory into the catalog."""
    read_raw: Callable[[str], bytes]
    dialects: Mapping[int, Dialect]
    clock: Clock
    settings: Settings


class Answers:
    """The answers of one running loader."""

    __slots__ = ("_ports",)

    def __init__(self, ports: AnswerPorts) -> None:
        self._ports = ports

    def snapshot(self, project_id: int) -> SharedSnapshot:
        """Files and tail of one project at one moment."""
        return self._ports.view.snapshot(project_id)

    def ledger(self, request: LedgerRequest) -> LedgerReply:
        """Counts, those in flight included."""
        first, end, keys = request.from_minute, request.to_minute, request.key_ids
        counts = Counts()
        with self._ports.ledger_lock:
            rows = self._ports.catalog.ledger(key_ids=keys, from_minute=first, to_minute=end)
            counts.add_rows(rows)
            counts.add_rows(
                row
                for row in self._ports.view.in_flight()
                if first <= row.minute < end and (keys is None or row.key_id in keys)
            )
        found = counts.rows()
        return LedgerReply(tuple(found if request.by == "minute" else total_by_key(found)))

    def status(self) -> Status:
        """How the loader stands."""
        view = self._ports.view
        return Status(
            commit_id=view.commit_id,
            committed_at_us=view.committed_at_us,
            watermark_us=view.watermark_us,
            tail_bytes=view.byte_count,
            backlog_bytes=self._ports.readers.backlog_bytes(view.committed),
            journals=dict(view.committed),
        )

    def trace(self, request: TraceRequest) -> TraceReply:
        """Every copy of an event in memory, and in the raw files around the stored one.

        Without a stored one only dead letters are searched. What ``TRACE_SEARCH_S`` does not
        suffice for is left out and told.
        """
        wanted = Wanted(request.event_id, received_us=request.received_at_us)
        dialects, project_id = self._ports.dialects, request.project_id
        copies = list(copies_in_memory(self._ports.view.frames(project_id), wanted, dialects))
        letters = self._ports.catalog.dead_letters(project_id, limit=DEAD_LETTERS_SEARCHED)
        dead = {(each.journal_id, each.position): each.reason for each in letters}
        paths = dict.fromkeys(each.raw_path for each in letters)
        if request.received_at_us is not None:
            window_us = self._ports.settings.dedup_window_s * 1_000_000
            first_us, last_us = (request.received_at_us + each for each in (-window_us, window_us))
            paths |= dict.fromkeys(
                self._ports.catalog.raw_between(project_id, from_us=first_us, to_us=last_us)
            )
        deadline_s = self._ports.clock.monotonic_s() + TRACE_SEARCH_S
        complete = True
        for path in paths:
            if self._ports.clock.monotonic_s() > deadline_s:
                complete = False
                break
            copies += copies_in_raw([path], self._ports.read_raw, wanted, dialects, dead)
        by_place = {(each.journal_id, each.position, each.body_hash): each for each in copies}
        ordered = sorted(by_place.values(), key=lambda each: (each.received_at_us, each.journal_id))
        return TraceReply(tuple(ordered), complete)

    def cut(self) -> Status:
        """Returns when everything durable now is in the lake; raises ``Unavailable``."""
        if not self._ports.demand.wait(self._ports.demand.ask(), timeout_s=CUT_ANSWER_S):
            raise Unavailable("The lake commit was not done in time.", retry_after_s=1)
        return self.status()

    def hold(self, request: HoldRequest) -> Status:
        """Nothing is removed for so long: somebody copies the node's files."""
        self._ports.hold.extend(request.lease_s)
        return self.status()

    def replay(self, request: ReplayRequest) -> ReplayReply:
        """Dead letters go through decode again; those that became rows are in the lake.

        Raises ``Unavailable`` when that takes too long; then they may be all the same, and asking
        again does no harm.
        """
        fates = self._ports.replays.ask(request.project_id, request.places)
        if any(fate.reason is None for fate in fates):
            self.cut()
        return ReplayReply(tuple(fates))
