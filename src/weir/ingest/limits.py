"""Rate limits shared by the edge workers without locks.

A file of 8-byte cells in ``run/``, one row of cells for each worker. A cell holds the minute and
the count of that minute, stored together in one aligned word; only its worker writes it, all
read it, and what a key has used is the sum over the workers. Two workers that count at the same
instant may each miss the other's last increments: the overshoot is at most one request (or one
batch) per other worker. Fixed windows of 60 s.
"""

import mmap
import struct
from pathlib import Path

import msgspec

from weir.domain.registry import KEY_SLOTS_MAX, TENANTS_MAX, Principal, Tenant
from weir.errors import LimitExceeded

WINDOW_S = 60
_ROW_CELLS = KEY_SLOTS_MAX + TENANTS_MAX
_CELL = struct.Struct("<Q")
_COUNT_BITS = 32
_COUNT_MASK = (1 << _COUNT_BITS) - 1


class Limits(msgspec.Struct, frozen=True):
    """The node's limits, for what key, tenant and plan leave open; 0 is none."""

    requests: int
    events: int


class Usage(msgspec.Struct, frozen=True):
    """What one window looks like to the client that is counted in it."""

    limit: int
    remaining: int
    reset_s: int
    """Unix time at which the window ends."""


def create_limit_table(path: Path, *, workers: int) -> None:
    """An empty table for so many workers, replacing whatever stood there."""
    path.unlink(missing_ok=True)
    path.write_bytes(bytes(workers * _ROW_CELLS * _CELL.size))
    path.chmod(0o600)


class LimitTable:
    """One worker's view of the table: writes its own row, reads all."""

    __slots__ = ("_cells", "_defaults", "_own", "_workers")

    def __init__(self, path: Path, *, worker: int, defaults: Limits) -> None:
        with path.open("r+b") as file:
            self._cells = mmap.mmap(file.fileno(), 0)
        self._workers = len(self._cells) // (_ROW_CELLS * _CELL.size)
        self._own = worker
        self._defaults = defaults

    def applies(self, principal: Principal, tenant: Tenant) -> bool:
        """Whether any limit is to be counted for the key."""
        return bool(self._requests_limit(principal) or self._events_limit(principal, tenant))

    def count_request(
        self, principal: Principal, *, now_us: int, default: int | None = None
    ) -> Usage | None:
        """Counts a request of a key; ``LimitExceeded`` when the window is full already.

        ``default`` holds for a key without a limit of its own; None: the node's.
        """
        limit = self._requests_limit(principal, default)
        if not limit:
            return None
        cell = principal.slot
        return self._count(cell, 1, limit, now_us, "requests per minute of this API key")

    def count_events(
        self, principal: Principal, tenant: Tenant, events: int, *, now_us: int
    ) -> Usage | None:
        """Counts events of a tenant; ``LimitExceeded``, and none counted, when they do not fit."""
        limit = self._events_limit(principal, tenant)
        if not limit:
            return None
        cell = KEY_SLOTS_MAX + tenant.tenant_id
        return self._count(cell, events, limit, now_us, "events per minute of this account")

    def _requests_limit(self, principal: Principal, default: int | None = None) -> int:
        own = principal.requests_per_minute
        if own is None:
            own = default
        return self._defaults.requests if own is None else own

    def _events_limit(self, principal: Principal, tenant: Tenant) -> int:
        own = principal.events_per_minute
        if own is None:
            own = tenant.events_per_minute
        return self._defaults.events if own is None else own

    def _count(self, cell: int, amount: int, limit: int, now_us: int, what: str) -> Usage:
        minute = now_us // (WINDOW_S * 1_000_000)
        reset_s = (minute + 1) * WINDOW_S
        used = sum(self._read(worker, cell, minute) for worker in range(self._workers))
        if used + amount > limit:
            wait_s = max(1, reset_s - now_us // 1_000_000)
            raise LimitExceeded(
                f"The limit of {limit} {what} is reached.",
                retry_after_s=wait_s,
                usage=Usage(limit, max(0, limit - used), reset_s),
                refused_count=amount,
            )
        own = self._read(self._own, cell, minute)
        self._write(cell, minute, min(own + amount, _COUNT_MASK))
        return Usage(limit, limit - used - amount, reset_s)

    def _read(self, worker: int, cell: int, minute: int) -> int:
        offset = (worker * _ROW_CELLS + cell) * _CELL.size
        word: int = _CELL.unpack_from(self._cells, offset)[0]
        return word & _COUNT_MASK if word >> _COUNT_BITS == minute else 0

    def _write(self, cell: int, minute: int, count: int) -> None:
        offset = (self._own * _ROW_CELLS + cell) * _CELL.size
        _CELL.pack_into(self._cells, offset, minute << _COUNT_BITS | count)
