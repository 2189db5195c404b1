"""Rows of many sorted lake files in one order, in bounded memory: a merge by columns.

Each file is a run, read a window at a time. Rows before the least of the windows' last rows can
go on, since no file has an earlier one to come; they are gathered and sorted in groups, so that
rows of equal key, which no window divides, stand by ``event_id``. Nothing is spilled: what is in
memory are the windows and a group, whatever the files hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.errors import Corrupt
from weir.lake.order import (
    Key,
    count_below,
    key_at,
    key_columns,
    order_columns,
    take_rows,
    tied_rows,
)
from weir.lake.schema import CANONICAL
from weir.lake.sidecar import Flags, Numbers

WINDOW_ROWS_MAX = 32_768
"""Rows of one file that are read at once, where they are small."""

WINDOW_SHARE = 8
"""The part of a merge's memory that its windows may take together: one in so many."""

ROW_BYTES = 256
"""What a row takes in memory beside the bytes that its file says."""

BUFFER_BYTES = 32 * 1024
"""Read ahead in each column of each file."""

_LARGE = ("properties", "context")
"""The texts that may be large; the others are bounded."""


def merged_groups(
    paths: Sequence[Path], *, memory_bytes: int, group_rows: int, group_bytes_max: int
) -> Iterator[pa.Table]:
    """Yields all rows of the files in order, with the canonical columns, in groups.

    A group has ``group_rows`` rows, or fewer where their JSON would take more than
    ``group_bytes_max``, but one at least; which rows are in which depends on the rows alone.
    Raises ``Corrupt`` when a file cannot be read or is not in order.
    """
    try:
        with ExitStack() as opened:
            share = memory_bytes // WINDOW_SHARE // len(paths)
            runs = [_Run(opened.enter_context(_open(path)), window_bytes=share) for path in paths]
            yield from _groups(_stretches(runs), group_rows, group_bytes_max)
    except MemoryError:  # Arrow's own is an ArrowException too; it says nothing of the files
        raise
    except (pa.ArrowException, OSError) as error:
        raise Corrupt(
            f"Lake files cannot be merged: {type(error).__name__}.",
            hint="One of them may be damaged: restore it from a backup.",
        ) from error


def sample_every(paths: Sequence[Path], step: int, column: str) -> pa.ChunkedArray:
    """Returns a column in every ``step``-th row of each file, sorted; raises as ``merged_groups``.

    Sorted, so that the order of the files does not matter.
    """
    found: list[str] = []
    try:
        for path in paths:
            with _open(path) as file:
                seen = 0
                for batch in file.iter_batches(WINDOW_ROWS_MAX, columns=[column]):
                    first = -seen % step
                    places = pa.array(np.arange(first, batch.num_rows, step, dtype=np.int64))
                    found += batch.column(0).take(places).to_pylist()
                    seen += batch.num_rows
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Corrupt(f"Lake files cannot be read: {type(error).__name__}.") from error
    return pa.chunked_array([pa.array(sorted(found), pa.string())])


class _Run:
    """One file: the rows that were read and have not gone on, in order."""

    __slots__ = ("_batches", "_keys", "_rows", "_start", "is_over")

    def __init__(self, file: pq.ParquetFile, *, window_bytes: int) -> None:
        count = max(1, file.metadata.num_rows)
        groups = range(file.metadata.num_row_groups)
        held = sum(file.metadata.row_group(each).total_byte_size for each in groups)
        window_rows = window_bytes // (held // count + ROW_BYTES)
        self._batches = file.iter_batches(
            max(1, min(window_rows, WINDOW_ROWS_MAX)), columns=CANONICAL.names, use_threads=False
        )
        self._rows = CANONICAL.empty_table()
        self._start = 0
        """The first of the rows that has not gone on."""
        self._keys = key_columns(self._rows)
        self.is_over = False
        """Whether nothing more is to be read."""

    @property
    def row_count(self) -> int:
        """Rows that were read and have not gone on."""
        return len(self._rows) - self._start

    def read_on(self) -> None:
        """Adds a window, or finds that there is none."""
        batch = next(self._batches, None)
        if batch is None:
            self.is_over = True
            return
        rows = pa.Table.from_batches([batch]).cast(CANONICAL)
        if self.row_count:
            rows = pa.concat_tables([self._rows.slice(self._start), rows])
        self._rows, self._start, self._keys = rows, 0, key_columns(rows)

    def last_key(self) -> Key:
        """The key of the last row that was read."""
        return key_at(self._keys, len(self._rows) - 1)

    def take_below(self, bound: Key | None) -> pa.Table:
        """Gives the rows before ``bound`` away, or all that were read."""
        end = len(self._rows)
        if bound is not None:
            end = count_below(self._keys, bound, first=self._start)
        taken = self._rows.slice(self._start, end - self._start)
        self._start = end
        if not self.row_count:
            self._rows, self._start = CANONICAL.empty_table(), 0
        return taken


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)


def _stretches(runs: Sequence[_Run]) -> Iterator[pa.Table]:
    """Sorted rows that stand before all to come. Raises ``Corrupt`` when a file is not in order."""
    last: Key | None = None
    while True:
        for run in runs:
            while not (run.row_count or run.is_over):
                run.read_on()
        runs = [run for run in runs if run.row_count]
        if not runs:
            return
        bounds = [(run.last_key(), place) for place, run in enumerate(runs) if not run.is_over]
        bound, narrowest = min(bounds, default=(None, 0))
        taken = [run.take_below(bound) for run in runs]
        stretch = _sorted([rows for rows in taken if len(rows)])
        if bound is not None:
            runs[narrowest].read_on()
        if len(stretch):
            last = _checked(stretch, last)
            yield stretch


def _groups(
    stretches: Iterator[pa.Table], group_rows: int, group_bytes_max: int
) -> Iterator[pa.Table]:
    waiting = CANONICAL.empty_table()
    byte_count = 0
    for stretch in stretches:
        byte_count += _byte_count(stretch)
        waiting = pa.concat_tables([waiting, stretch])
        del stretch
        while len(waiting) > group_rows or byte_count > group_bytes_max:
            group, waiting = _divided(waiting, group_rows, group_bytes_max)
            byte_count = _byte_count(waiting)
            yield group
            del group  # what is given away is not held here while the next one is made
    while len(waiting):
        group, waiting = _divided(waiting, group_rows, group_bytes_max)
        yield group


def _divided(rows: pa.Table, group_rows: int, group_bytes_max: int) -> tuple[pa.Table, pa.Table]:
    """The first group, and the rest. The group is in one piece, as are its pages in a file then."""
    count = _first_group(rows, group_rows, group_bytes_max)
    return rows.slice(0, count).combine_chunks(), rows.slice(count)


def _byte_count(rows: pa.Table) -> int:
    """What the JSON of rows takes, as ``_first_group`` counts it."""
    found = [pc.sum(pc.binary_length(rows[name])).as_py() or 0 for name in _LARGE]
    return sum(found)


def _first_group(rows: pa.Table, group_rows: int, group_bytes_max: int) -> int:
    """How many of the rows are the first group."""
    lengths = [pc.binary_length(rows[name].slice(0, group_rows)).fill_null(0) for name in _LARGE]
    ends = np.cumsum(np.sum([each.to_numpy().astype(np.int64) for each in lengths], axis=0))
    return max(1, int(np.searchsorted(ends, group_bytes_max, side="right")))


def _sorted(parts: list[pa.Table]) -> pa.Table:
    rows = pa.concat_tables(parts) if parts else CANONICAL.empty_table()
    columns = order_columns(rows)
    order = np.lexsort(columns[::-1])
    tied = tied_rows(columns, order)
    if tied.any():
        _sort_ties(rows["event_id"], order, tied)
    return take_rows(rows, order)


def _sort_ties(event_ids: pa.ChunkedArray, order: Numbers, tied: Flags) -> None:
    """Puts rows of one key in the order of their ids."""
    edges = np.flatnonzero(np.diff(tied.astype(np.int8), append=0))
    for first, last in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        places = order[first : last + 1]
        ids = event_ids.take(pa.array(places)).to_pylist()
        order[first : last + 1] = places[sorted(range(len(ids)), key=ids.__getitem__)]


def _checked(rows: pa.Table, before: Key | None) -> Key:
    """The key of the last row; raises ``Corrupt`` when the first belongs before ``before``."""
    keys = key_columns(rows)
    if before is not None and key_at(keys, 0) < before:
        raise Corrupt("The rows of a lake file are not in its order.")
    return key_at(keys, len(rows) - 1)
