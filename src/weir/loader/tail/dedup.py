"""Deduplication: which rows repeat an event id of their project within the window.

Pure. A row is a duplicate when a stored row with its id lies less than the window away by
``received_at``: a committed one, or an earlier one of the same batch that is not itself a
duplicate. In a commit the batch stands in the order (journal id, position, index), so that the
outcome is the same however the reading went; the tail asks in the order of reading, which only
decides which of two equals is shown until the commit. See docs/formats/dedup.md.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from weir.lake.sidecar import Flags, Ids, Matches, merge_ids, order_of, sort_ids, tied

MERGE_RATIO = 2
"""The tail's index merges a run into the one before unless that is this much larger."""


class Verdict:
    """What became of a batch of ids, one flag per entry."""

    __slots__ = ("conflict", "duplicate")

    def __init__(self, duplicate: Flags, conflict: Flags) -> None:
        self.duplicate = duplicate
        self.conflict = conflict


def find_duplicates(ids: Ids, indexes: Iterable[Ids], *, window_us: int) -> Verdict:
    """Judges ``ids`` in their order against sorted indexes of stored ids and each other."""
    order = order_of(ids)
    ordered = ids.take(order)
    matches = Matches(len(ids))
    for index in indexes:
        matches.search(index, ordered, window_us=window_us)
    verdict = Verdict(np.empty(len(ids), dtype=np.bool_), np.empty(len(ids), dtype=np.bool_))
    verdict.duplicate[order] = matches.found
    verdict.conflict[order] = matches.conflicts
    _judge_among_themselves(ids, order[tied(ids, order)], verdict, window_us)
    return verdict


def _judge_among_themselves(
    ids: Ids, entries: npt.NDArray[np.intp], verdict: Verdict, window_us: int
) -> None:
    """Judges those of ``entries`` that no index holds; all others are alone with their id."""
    fresh = np.sort(entries[~verdict.duplicate[entries]])
    order = fresh[np.lexsort((ids.lo[fresh], ids.hi[fresh]))]
    if len(order) < 2:
        return
    same = (ids.hi[order[1:]] == ids.hi[order[:-1]]) & (ids.lo[order[1:]] == ids.lo[order[:-1]])
    edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
    for first, last in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        _judge_group(order[first : last + 1], ids, verdict, window_us)


def _judge_group(group: npt.NDArray[np.intp], ids: Ids, verdict: Verdict, window_us: int) -> None:
    """One id's entries, two or more: the first is stored, the others are judged in turn."""
    stored: list[int] = []
    for entry in group.tolist():
        near = [
            other
            for other in stored
            if abs(int(ids.received_us[entry]) - int(ids.received_us[other])) < window_us
        ]
        if not near:
            stored.append(entry)
            continue
        verdict.duplicate[entry] = True
        verdict.conflict[entry] = all(ids.body[entry] != ids.body[other] for other in near)


class IdRuns:
    """A growing index: sorted runs, of which each is much larger than the next."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[Ids] = []

    def add(self, ids: Ids) -> None:
        """Adds entries in any order; each is merged again only about log(n) times."""
        if not len(ids):
            return
        ids = sort_ids(ids)
        while self._runs and len(self._runs[-1]) < MERGE_RATIO * len(ids):
            ids = merge_ids([self._runs.pop(), ids])
        self._runs.append(ids)

    def indexes(self) -> tuple[Ids, ...]:
        """The sorted runs."""
        return tuple(self._runs)
