"""Monthly quotas at the door: what a tenant has used, in this worker's row and everybody's sum.

No locks: workers that check at the same instant may each let one request pass beyond a quota.
"""

from pathlib import Path
from typing import Protocol, Self

from weir.clock import Clock
from weir.dialects.port import RateWindow
from weir.domain.times import SECOND_US, month_of, month_start_us
from weir.errors import LimitExceeded
from weir.node.usage import UsageTable


class CountedJournal(Protocol):
    """What a quota needs of the journal's writer."""

    @property
    def start_offset(self) -> int | None:
        """Events in the journal when it was opened; None while it is not, and takes none."""
        ...


class Quota:
    """One worker's counts of the month, and the check against the sum over all workers."""

    __slots__ = ("_begins_us", "_ends_us", "_month", "_table", "_worker", "accepted")

    def __init__(self, table: UsageTable, *, worker: int, offset: int | None, now_us: int) -> None:
        self._table = table
        self._worker = worker
        self._set_month(month_of(now_us))
        self.accepted = (
            table.accepted(worker)
            if offset is None
            else table.begin(worker, self._month, offset=offset)
        )
        """Events taken, by tenant; the taker adds to it, whether there is a quota or not."""

    @classmethod
    def open(cls, path: Path, *, worker: int, journal: CountedJournal, clock: Clock) -> Self:
        """The worker's part of the node's table, from where its journal stands."""
        table = UsageTable.open(path)
        return cls(table, worker=worker, offset=journal.start_offset, now_us=clock.now_us())

    def check(self, tenant_id: int, events: int, limit: int, *, now_us: int) -> None:
        """Raises ``LimitExceeded`` (``quota_exceeded``) when so many events do not fit any more."""
        if not self._begins_us <= now_us < self._ends_us:
            self.begin_month(now_us)
        used = self._table.used(tenant_id, self._month)
        if used + events <= limit:
            return
        left = max(0, limit - max(0, used))
        raise LimitExceeded(
            f"The quota of {limit} events per month of this account is reached.",
            code="quota_exceeded",
            retry_after_s=-((now_us - self._ends_us) // SECOND_US),
            window=RateWindow(limit, left, self._ends_us // SECOND_US),
            refused_count=events,
        )

    def begin_month(self, now_us: int) -> None:
        """Begins the month that it is; asked before each check and once a second."""
        if self._begins_us <= now_us < self._ends_us:
            return
        self._set_month(month_of(now_us))
        self._table.begin_month(self._worker, self._month)

    def _set_month(self, month: int) -> None:
        self._month = month
        self._begins_us, self._ends_us = month_start_us(month), month_start_us(month + 1)
