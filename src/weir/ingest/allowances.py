"""What a sender may: whether its events may come now, and how many more fit into its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weir.dialects.port import IngestRoute, RateWindow
    from weir.ingest.authentication import Sender
    from weir.ingest.backfill import Backfill
    from weir.ingest.limits import LimitTable
    from weir.ingest.overload import Overload
    from weir.ingest.quota import Quota


class Allowances:
    """One worker's limits, quotas, overload and backfill lane, as one sender after another asks."""

    __slots__ = ("_accepted", "_backfill", "_limits", "_overload", "_quota")

    def __init__(
        self, *, limits: LimitTable, quota: Quota, overload: Overload, backfill: Backfill
    ) -> None:
        self._limits = limits
        self._quota = quota
        self._overload = overload
        self._backfill = backfill
        self._accepted = quota.accepted

    def tick(self, now_us: int) -> None:
        """Looks at disk and backlog, and begins the month that it is; called once a second."""
        self._overload.tick()
        self._quota.begin_month(now_us)

    def count_request(
        self, sender: Sender, route: IngestRoute, *, in_backfill: bool, now_us: int
    ) -> RateWindow | None:
        """Counts a request whose events may come; returns the window that it counts in, if any.

        Raises ``Unavailable`` when there is no room for them, ``LimitExceeded`` when the window of
        requests is full.
        """
        overload = self._overload
        if not overload.takes_all:
            overload.check(sender.principal.tenant_id)
        if in_backfill:
            self._backfill.check(is_pressed=not overload.takes_all, now_us=now_us)
        if sender.is_limited or route.rates:
            return self._limits.count_request(sender.principal, route.rates, now_us=now_us)
        return None

    def count_events(
        self, sender: Sender, route: IngestRoute, events: int, *, now_us: int
    ) -> RateWindow | None:
        """Counts events of one body; returns the window that they count in, if any.

        Raises ``LimitExceeded`` when not all of them fit; then none is counted.
        """
        if sender.quota:
            self._quota.check(sender.place.tenant_id, events, sender.quota, now_us=now_us)
        return self._limits.count_events(
            sender.principal, sender.tenant, events, route.rates, now_us=now_us
        )

    def note_taken(
        self, sender: Sender, events: int, byte_count: int, *, in_backfill: bool
    ) -> None:
        """Adds what was taken to the month, to the tenant's share and to the lane's debt."""
        tenant_id = sender.place.tenant_id
        self._accepted[tenant_id] += events
        self._overload.shares.note(tenant_id, byte_count)
        if in_backfill:
            self._backfill.spend(byte_count)

    def window_of(self, sender: Sender, route: IngestRoute, *, now_us: int) -> RateWindow | None:
        """The window that a sender is told of when nothing was counted; None without a limit."""
        if not (sender.is_limited or route.rates):
            return None
        return self._limits.window_of(sender.principal, sender.tenant, route.rates, now_us=now_us)
