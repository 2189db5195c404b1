"""Merging sidecars: sorted columns of many files become those of one, a slice at a time.

The hashes are spread evenly, so a range of ``hi`` holds about as many entries of each part as any
other. What is in memory is the new file's content and one slice; the parts are mapped.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from weir.lake.sidecar import Ids, blank_sidecar, decode_sidecar, merge_ids

SLICE_IDS = 131_072
"""Entries of one slice, about."""


def merged_sidecar(parts: Sequence[Ids], *, received_after_us: int) -> memoryview:
    """The bytes of a file with the parts' entries that were received after a time, sorted."""
    counts = [int(np.count_nonzero(part.received_us > received_after_us)) for part in parts]
    content = blank_sidecar(sum(counts))
    into = decode_sidecar(content)
    start = 0
    for piece in _slices(parts):
        ids = merge_ids(piece)
        ids = ids.take(ids.received_us > received_after_us)
        stop = start + len(ids)
        for column, values in zip(into.columns, ids.columns, strict=True):
            column[start:stop] = values
        start = stop
    return content


def _slices(parts: Sequence[Ids]) -> Iterator[list[Ids]]:
    """The parts' entries, a range of ``hi`` after the other."""
    count = max(1, sum(map(len, parts)) // SLICE_IDS)
    bounds = np.array([(place << 64) // count for place in range(1, count)], dtype=np.uint64)
    edges = [[0, *np.searchsorted(part.hi, bounds).tolist(), len(part)] for part in parts]
    for place in range(count):
        yield [
            part.between(edge[place], edge[place + 1])
            for part, edge in zip(parts, edges, strict=True)
        ]
