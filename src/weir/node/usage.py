"""What each tenant has used of its month: shared by the edge workers and the loader.

A file of 8-byte cells in ``run/``; each cell has one writer. A worker counts in its row what it
takes, at once. The loader counts what it reads in the journals, so it knows exactly; it puts
down, per tenant, what is in no worker's row (taken earlier) less what turned out to be
duplicates. What a tenant has used is that figure and the workers' rows together, at any moment:
neither waits for the other. docs/decisions/0009-monthly-quotas.md says how a worker that died
between counting and writing is put right.

    loader        month, -, …                 (8 cells)    carried[TENANTS_MAX]
    each worker   month, starts, start,       (8 cells)    accepted, at_start, before [TENANTS_MAX]
                  settled, …

``settled`` and ``before`` are the loader's cells in a worker's row.
"""

import mmap
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from weir.domain.registry import TENANTS_MAX

_CELL_BYTES = 8
_HEAD = 8
_LOADER_CELLS = _HEAD + TENANTS_MAX
_WORKER_CELLS = _HEAD + 3 * TENANTS_MAX
_MONTH, _STARTS, _START, _SETTLED = 0, 1, 2, 3
_ACCEPTED = _HEAD
_AT_START = _ACCEPTED + TENANTS_MAX
_BEFORE = _AT_START + TENANTS_MAX
_ZEROES = bytes(TENANTS_MAX * _CELL_BYTES)


class WorkerStart(NamedTuple):
    """One start of a worker. ``offset``: events in its journal then."""

    number: int
    offset: int


NOT_STARTED = WorkerStart(0, sys.maxsize)
"""Everything in the journal lies before the first start of a run."""


def create_usage_table(path: Path, *, workers: int, month: int, used: Mapping[int, int]) -> None:
    """Makes a table for so many workers, replacing what stood there. Raises ``OSError``.

    ``used`` is what is known of the month, by tenant: quotas hold from the first request on,
    before the loader has put down what it knows. The table takes its room at once, 1.5 MiB a
    worker: a cell without room on a full disk would kill the process that writes it (SIGBUS).
    """
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        cells = _LOADER_CELLS + workers * _WORKER_CELLS
        os.posix_fallocate(file.fileno(), 0, cells * _CELL_BYTES)
    path.chmod(0o600)
    table = UsageTable.open(path)
    table.open_month(month)
    for tenant_id, events in used.items():
        table.carry(tenant_id, events)


class UsageTable:
    """One process's mapping of the table."""

    __slots__ = ("_cells", "_rows", "workers")

    def __init__(self, view: mmap.mmap) -> None:
        self._cells = memoryview(view).cast("q")
        self._rows = range(_LOADER_CELLS, len(self._cells), _WORKER_CELLS)
        self.workers = len(self._rows)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The table that the supervisor made; ``FileNotFoundError`` when there is none."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), 0))

    @classmethod
    def alone(cls) -> Self:
        """A table that nobody else sees, without workers."""
        return cls(mmap.mmap(-1, _LOADER_CELLS * _CELL_BYTES))

    def used(self, tenant_id: int, month: int) -> int:
        """Returns a tenant's events of a month; rows not yet at that month hold none of it."""
        cells = self._cells
        used = cells[_HEAD + tenant_id] if cells[_MONTH] == month else 0
        for row in self._rows:
            if cells[row] == month:
                used += cells[row + _ACCEPTED + tenant_id]
        return used

    # A worker's.

    def accepted(self, worker: int) -> memoryview:
        """The worker's counts of its month, by tenant."""
        row = self._rows[worker]
        return self._cells[row + _ACCEPTED : row + _AT_START]

    def begin(self, worker: int, month: int, *, offset: int) -> memoryview:
        """``accepted`` of a worker that counts from here on.

        ``offset`` is the number of events in its journal at this start.
        What a predecessor counted in the month stays, and is noted, so that the loader can take
        back what of it did not reach the disk.
        """
        row = self._rows[worker]
        if self._cells[row + _MONTH] == month:
            self._copy(row + _AT_START, row + _ACCEPTED)
        else:
            self.begin_month(worker, month)
        self._cells[row + _START] = offset
        self._cells[row + _STARTS] += 1  # the last store: what belongs to the start is there
        return self.accepted(worker)

    def begin_month(self, worker: int, month: int) -> None:
        """Begins another month: the worker's counts are 0."""
        row = self._rows[worker]
        if self._cells[row + _MONTH]:
            self._cells[row + _MONTH] = 0
            self._clear(row + _ACCEPTED)
            self._clear(row + _AT_START)
        self._cells[row + _MONTH] = month

    # The loader's.

    @property
    def month(self) -> int:
        """The month of the loader's figures; 0 before there are any."""
        return self._cells[_MONTH]

    def open_month(self, month: int) -> None:
        """Begins another month: the loader's figures are 0."""
        if self._cells[_MONTH]:
            self._cells[_MONTH] = 0
            self._clear(_HEAD)
            for row in self._rows:
                self._clear(row + _BEFORE)
        self._cells[_MONTH] = month

    def open_start(self, worker: int) -> WorkerStart | None:
        """The worker's last start, or the one to come; None when it is in order."""
        row = self._rows[worker]
        number = self._cells[row + _STARTS]  # first: a later start has a number of its own
        if not number:
            return NOT_STARTED
        if number == self._cells[row + _SETTLED]:
            return None
        return WorkerStart(number, self._cells[row + _START])

    def settle(self, worker: int, start: WorkerStart) -> None:
        """Marks the start as put in order by the loader."""
        self._cells[self._rows[worker] + _SETTLED] = start.number

    def at_start(self, worker: int, tenant_id: int) -> int:
        """What of the month stood in the worker's counts when it started."""
        row = self._rows[worker]
        if self._cells[row + _MONTH] != self.month:
            return 0
        return self._cells[row + _AT_START + tenant_id]

    def counted_at_start(self, worker: int) -> list[int]:
        """Tenants for whom ``at_start`` is not 0, or ``before`` is not."""
        row = self._rows[worker]
        noted = self._cells[row + _AT_START : row + _BEFORE].tolist()
        before = self._cells[row + _BEFORE : row + _BEFORE + TENANTS_MAX].tolist()
        return [number for number in range(TENANTS_MAX) if noted[number] or before[number]]

    def before(self, worker: int, tenant_id: int) -> int:
        """Events of the month that the worker's journal holds beyond the worker's counts."""
        return self._cells[self._rows[worker] + _BEFORE + tenant_id]

    def set_before(self, worker: int, tenant_id: int, events: int) -> None:
        """Sets ``before``; it is negative when the worker counted more than it wrote."""
        self._cells[self._rows[worker] + _BEFORE + tenant_id] = events

    def carry(self, tenant_id: int, events: int) -> None:
        """Sets what, added to the workers' counts, is what the tenant has used."""
        self._cells[_HEAD + tenant_id] = events

    def _copy(self, to: int, source: int) -> None:
        self._cells[to : to + TENANTS_MAX] = self._cells[source : source + TENANTS_MAX]

    def _clear(self, start: int) -> None:
        self._cells[start : start + TENANTS_MAX] = memoryview(_ZEROES).cast("q")
