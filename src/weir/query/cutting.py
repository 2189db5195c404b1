"""Where a result ends: its rows up to the limit, and whether there were more.

One batch is read ahead, so that whoever writes a part knows whether it is the last one. A result
of a single part is known whole before its first byte leaves.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa


class Part(NamedTuple):
    """Rows that are written together. ``truncated`` stands on the last part alone."""

    batch: pa.RecordBatch
    is_last: bool
    truncated: bool


def cut(batches: Iterator[pa.RecordBatch], *, row_limit: int) -> Iterator[Part]:
    """Yields the first ``row_limit`` rows in parts, the last of which says whether more followed.

    ``row_limit`` is at least 1. A result without rows has no parts. ``batches`` are read only as
    far as that needs.
    """
    room = row_limit
    waiting: pa.RecordBatch | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        if waiting is not None:
            yield Part(waiting, is_last=room == 0, truncated=room == 0)
            if room == 0:
                return
        if batch.num_rows > room:
            yield Part(batch.slice(0, room), is_last=True, truncated=True)
            return
        room -= batch.num_rows
        waiting = batch
    if waiting is not None:
        yield Part(waiting, is_last=True, truncated=False)
