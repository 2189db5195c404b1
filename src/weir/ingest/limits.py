"""Rate limits shared by the edge workers without locks.

A file of 8-byte cells in ``run/``, made anew at each start of the node: one row of cells for each
worker.

    requests      by the key's slot     KEY_SLOTS_MAX
    events        by the key's slot     KEY_SLOTS_MAX
    events        by the tenant's id    TENANTS_MAX

A cell holds the minute and the count of that minute, stored together in one aligned word, so that
nobody reads half of one; only its worker writes it, all read it, and what a key has used is the sum
over the workers. Two workers that count at the same instant may each miss the other's last
increments: the overshoot is at most one request (or one batch) per other worker. Fixed windows of
60 s.

Which limit applies: the key's, else its tenant's, else its plan's (``control`` resolves these
three), else the node's setting, else what the route's dialect is known for. Events of a key with a
number of its own count in the key's cell and nowhere else, all others in their tenant's.
"""

import mmap
from pathlib import Path

from weir.dialects.port import RateLimits, RateWindow
from weir.domain.registry import KEY_SLOTS_MAX, TENANTS_MAX, Principal, Tenant
from weir.errors import LimitExceeded

WINDOW_S = 60
_WINDOW_US = WINDOW_S * 1_000_000
_KEY_EVENTS = KEY_SLOTS_MAX
_TENANT_EVENTS = _KEY_EVENTS + KEY_SLOTS_MAX
_ROW_CELLS = _TENANT_EVENTS + TENANTS_MAX
_CELL_BYTES = 8
_COUNT_BITS = 32
_COUNT_MAX = (1 << _COUNT_BITS) - 1


def create_limit_table(path: Path, *, workers: int) -> None:
    """Makes an empty table for so many workers, replacing what stood there."""
    path.unlink(missing_ok=True)
    path.write_bytes(bytes(workers * _ROW_CELLS * _CELL_BYTES))
    path.chmod(0o600)


class LimitTable:
    """One worker's view of the table: writes its own row, reads all.

    ``rates`` of its methods are those of the route's dialect, if it has any.
    """

    __slots__ = (
        "_begins_us",
        "_cells",
        "_defaults",
        "_empty",
        "_ends_us",
        "_other_rows",
        "_own_row",
        "_reset_s",
    )

    def __init__(self, path: Path, *, worker: int, defaults: RateLimits) -> None:
        with path.open("r+b") as file:
            # Native words: each is loaded and stored in one piece.
            self._cells = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
        self._own_row = worker * _ROW_CELLS
        rows = range(0, len(self._cells), _ROW_CELLS)
        self._other_rows = tuple(row for row in rows if row != self._own_row)
        self._defaults = defaults
        self._begin_minute(0)

    def applies(self, principal: Principal, tenant: Tenant) -> bool:
        """Whether any limit is to be counted for the key, whatever the dialect."""
        return bool(
            self._requests_limit(principal, None) or self.events_limit(principal, tenant, None)
        )

    def count_request(
        self, principal: Principal, rates: RateLimits | None = None, *, now_us: int
    ) -> RateWindow | None:
        """Counts a request of a key; returns its window, None when there is no limit.

        Raises ``LimitExceeded`` when the window is full already.
        """
        limit = principal.requests_per_minute
        if limit is None:
            limit = self._requests_limit(principal, rates)
        if not limit:
            return None
        cell = principal.slot
        return self._count(cell, 1, limit, now_us, "requests per minute of this API key")

    def count_events(
        self,
        principal: Principal,
        tenant: Tenant,
        events: int,
        rates: RateLimits | None = None,
        *,
        now_us: int,
    ) -> RateWindow | None:
        """Counts events of a key or its tenant; none of them when not all fit.

        Returns and raises as ``count_request`` does.
        """
        own = principal.events_per_minute
        if own:
            cell = _KEY_EVENTS + principal.slot
            return self._count(cell, events, own, now_us, "events per minute of this API key")
        limit = self.events_limit(principal, tenant, rates)
        if not limit:
            return None
        cell = _TENANT_EVENTS + tenant.tenant_id
        return self._count(cell, events, limit, now_us, "events per minute of this account")

    def window_of(
        self, principal: Principal, tenant: Tenant, rates: RateLimits | None, *, now_us: int
    ) -> RateWindow | None:
        """The window a client is told of when nothing was counted: requests', else events'."""
        limit, cell = self._requests_limit(principal, rates), principal.slot
        if not limit:
            limit = self.events_limit(principal, tenant, rates)
            own = principal.events_per_minute
            cell = _KEY_EVENTS + principal.slot if own else _TENANT_EVENTS + tenant.tenant_id
        if not limit:
            return None
        self._begin_minute(now_us)
        counts = [word - self._empty for word in self._cells[cell::_ROW_CELLS].tolist()]
        used = sum(count for count in counts if 0 <= count <= _COUNT_MAX)
        return RateWindow(limit, max(0, limit - used), self._reset_s)

    def events_limit(self, principal: Principal, tenant: Tenant, rates: RateLimits | None) -> int:
        """Events in a window that the key may send; 0 is no limit."""
        own = principal.events_per_minute
        if own is None:
            own = tenant.events_per_minute
        if own is not None:
            return own
        return self._defaults.events or (rates.events if rates else 0)

    def _requests_limit(self, principal: Principal, rates: RateLimits | None) -> int:
        own = principal.requests_per_minute
        if own is not None:
            return own
        return self._defaults.requests or (rates.requests if rates else 0)

    def _count(self, cell: int, amount: int, limit: int, now_us: int, what: str) -> RateWindow:
        # In one piece, and with little arithmetic: it is done for each request that is counted.
        if not self._begins_us <= now_us < self._ends_us:
            self._begin_minute(now_us)
        cells, empty = self._cells, self._empty
        own = cells[self._own_row + cell] - empty
        if not 0 <= own <= _COUNT_MAX:
            own = 0
        left = limit - own
        for row in self._other_rows:
            count = cells[row + cell] - empty
            if 0 < count <= _COUNT_MAX:
                left -= count
        if amount > left:
            raise _refusal(RateWindow(limit, max(0, left), self._reset_s), amount, now_us, what)
        cells[self._own_row + cell] = empty + own + amount
        return RateWindow(limit, left - amount, self._reset_s)

    def _begin_minute(self, now_us: int) -> None:
        """Begins the window of the minute that it is, also when the clock went back."""
        minute = now_us // _WINDOW_US
        self._begins_us, self._ends_us = minute * _WINDOW_US, (minute + 1) * _WINDOW_US
        self._reset_s = (minute + 1) * WINDOW_S
        self._empty = minute << _COUNT_BITS


def _refusal(window: RateWindow, amount: int, now_us: int, what: str) -> LimitExceeded:
    return LimitExceeded(
        f"The limit of {window.limit} {what} is reached.",
        retry_after_s=max(1, window.reset_s - now_us // 1_000_000),
        window=window,
        refused_count=amount,
    )
