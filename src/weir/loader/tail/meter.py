"""What each tenant has used this month, as the journals tell it.

Exact: the catalog holds it up to the last commit, and what was read since is added here. The
edge workers learn of it through the shared table (``weir/node/usage.py``): whatever of the month
does not stand in their own counts. Up to a worker's start a journal's events are counted here;
from there on by the worker. docs/decisions/0009-monthly-quotas.md says why that is right after
crashes.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np

from weir.domain.frame import Frame
from weir.domain.times import month_of, month_start_us
from weir.lake.records import UsageRow
from weir.loader.read.rounds import Round
from weir.loader.read.rows import Block
from weir.loader.tail.dedup import Verdict
from weir.node.usage import UsageTable, WorkerStart

Committed = Callable[[int], Sequence[UsageRow]]
"""The catalog's rows of a month."""


class Meter:
    """The month's counts by journal and tenant. One thread asks."""

    __slots__ = (
        "_accepted",
        "_committed",
        "_duplicate",
        "_ends_us",
        "_month",
        "_starts_us",
        "_table",
        "_writers",
    )

    def __init__(
        self,
        table: UsageTable,
        committed: Committed,
        *,
        writers: Mapping[str, int],
        now_us: int,
    ) -> None:
        """``writers`` tells of each journal that is being written which worker does."""
        self._table = table
        self._writers = writers
        self._committed = committed
        self._accepted: dict[str, Counter[int]] = {}
        """Events of the month that have been read, duplicates too, by journal and tenant."""
        self._duplicate: Counter[int] = Counter()
        self._month = self._starts_us = self._ends_us = 0
        self.turn(now_us)

    def turn(self, now_us: int) -> None:
        """Begins the month that it is, unless it is going on."""
        if self._starts_us <= now_us < self._ends_us:
            return
        month = month_of(now_us)
        # An earlier loader of this run knew more of the workers' starts than the catalog does.
        is_known = not self._month and self._table.month == month
        if not is_known:
            self._table.open_month(month)
        self._month = month
        self._starts_us, self._ends_us = month_start_us(month), month_start_us(month + 1)
        self._accepted, self._duplicate = {}, Counter()
        for row in self._committed(month):
            self._of(row.journal_id)[row.tenant_id] += row.accepted
            self._duplicate[row.tenant_id] += row.duplicate
        for journal_id, counts in self._accepted.items():
            worker = self._writers.get(journal_id)
            if worker is not None and not (is_known and self._table.open_start(worker) is None):
                self._raise_before(worker, counts)
        self._publish({tenant for counts in self._accepted.values() for tenant in counts})

    def add(self, found: Round, block: Block, verdict: Verdict, *, now_us: int) -> None:
        """Counts a portion of a round: its frames, and which of their events were duplicates."""
        self.turn(now_us)
        touched: set[int] = set()
        for journal_id, some in groupby(found.frames, attrgetter("journal_id")):
            touched |= self._add_frames(journal_id, list(some))
        if verdict.duplicate.any():
            touched |= self._add_duplicates(block, verdict)
        self._publish(touched)

    def settle(self, offsets: Mapping[str, int]) -> None:
        """Puts starts in order up to which everything has been added.

        ``offsets`` says for each journal how many of its events have been. Without this a start
        would wait for the next event behind it, which a full quota does not let in.
        """
        for journal_id, offset in offsets.items():
            worker = self._writers.get(journal_id)
            start = None if worker is None else self._table.open_start(worker)
            if worker is not None and start is not None and offset >= start.offset:
                self._publish(self._settle(worker, start, journal_id))

    def _add_frames(self, journal_id: str, frames: Sequence[Frame]) -> set[int]:
        """Adds frames of one journal, in order; gives the tenants whose figure it changes."""
        worker = self._writers.get(journal_id)
        if worker is None:
            return set(self._count(journal_id, frames))
        # Looked up after the frames were read: one that a new start wrote is never taken for one
        # of the old start's.
        start = self._table.open_start(worker)
        if start is None:
            self._count(journal_id, frames)
            return set()
        border = bisect_left(frames, start.offset, key=attrgetter("offset"))
        touched = set(self._raise_before(worker, self._count(journal_id, frames[:border])))
        if border < len(frames):
            touched |= self._settle(worker, start, journal_id)
            self._count(journal_id, frames[border:])
        return touched

    def _count(self, journal_id: str, frames: Sequence[Frame]) -> Counter[int]:
        """Adds the events of the month; returns the sums so far of the tenants that had some."""
        counts = self._of(journal_id)
        touched: set[int] = set()
        times = attrgetter("received_at_us")  # a journal's frames stand in this order
        first = bisect_left(frames, self._starts_us, key=times)
        end = bisect_left(frames, self._ends_us, key=times)
        for place, some in groupby(frames[first:end], attrgetter("place")):
            counts[place.tenant_id] += sum([frame.event_count for frame in some])
            touched.add(place.tenant_id)
        return Counter({tenant: counts[tenant] for tenant in touched})

    def _add_duplicates(self, block: Block, verdict: Verdict) -> set[int]:
        rows = block.id_rows[verdict.duplicate]
        per_frame = np.bincount(block.frame_of[rows], minlength=len(block.frames))
        touched: set[int] = set()
        for number in np.flatnonzero(per_frame).tolist():
            frame = block.frames[number]
            if self._starts_us <= frame.received_at_us < self._ends_us:
                self._duplicate[frame.place.tenant_id] += int(per_frame[number])
                touched.add(frame.place.tenant_id)
        return touched

    def _raise_before(self, worker: int, counts: Counter[int]) -> Iterable[int]:
        """Raises the worker's ``before`` to what has been read: it was that much at least."""
        table = self._table
        for tenant_id, accepted in counts.items():
            least = accepted - table.at_start(worker, tenant_id)
            if least > table.before(worker, tenant_id):
                table.set_before(worker, tenant_id, least)
        return counts

    def _settle(self, worker: int, start: WorkerStart, journal_id: str) -> set[int]:
        """Puts a start in order: all before it has been read, so the figures are exact."""
        table, counts = self._table, self._of(journal_id)
        touched = {*counts, *table.counted_at_start(worker)}
        for tenant_id in touched:
            table.set_before(
                worker, tenant_id, counts[tenant_id] - table.at_start(worker, tenant_id)
            )
        table.settle(worker, start)
        return touched

    def _publish(self, tenants: Iterable[int]) -> None:
        table = self._table
        others = [
            counts
            for journal_id, counts in self._accepted.items()
            if self._writers.get(journal_id) is None
        ]
        for tenant_id in tenants:
            before = sum(table.before(worker, tenant_id) for worker in range(table.workers))
            beside = sum(counts[tenant_id] for counts in others)
            table.carry(tenant_id, before + beside - self._duplicate[tenant_id])

    def _of(self, journal_id: str) -> Counter[int]:
        return self._accepted.setdefault(journal_id, Counter())
