"""Duplicates: first wins, within the window, whatever the index is made of."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.lake.sidecar import Ids, sort_ids
from weir.loader.tail.dedup import IdRuns, find_duplicates

Entry = tuple[int, int, int]


def make_ids(entries: list[Entry]) -> Ids:
    """Columns of (id, received, body) entries; ids differ in both halves by turns."""
    return Ids(
        np.array([entry[0] // 2 for entry in entries], np.uint64),
        np.array([entry[0] % 2 for entry in entries], np.uint64),
        np.array([entry[1] for entry in entries], np.int64),
        np.array([entry[2] for entry in entries], np.uint64),
    )


def obvious(committed: list[Entry], batch: list[Entry], window: int) -> list[str]:
    """The same by a plain loop."""
    stored, verdicts = list(committed), []
    for entry in batch:
        near = [e for e in stored if e[0] == entry[0] and abs(e[1] - entry[1]) < window]
        if not near:
            # The batch is judged against what is committed first.
            stored.append(entry)
            verdicts.append("stored")
        elif any(e[2] == entry[2] for e in near):
            verdicts.append("duplicate")
        else:
            verdicts.append("conflict")
    return verdicts


def judged(committed: list[Entry], batch: list[Entry], window: int) -> list[str]:
    """The verdicts as words, with the committed entries split over two indexes."""
    indexes = [sort_ids(make_ids(committed[0::2])), sort_ids(make_ids(committed[1::2]))]
    verdict = find_duplicates(make_ids(batch), indexes, window_us=window)
    return [
        "conflict" if conflict else "duplicate" if duplicate else "stored"
        for duplicate, conflict in zip(
            verdict.duplicate.tolist(), verdict.conflict.tolist(), strict=True
        )
    ]


_entries = st.lists(st.tuples(st.integers(0, 3), st.just(5), st.integers(1, 2)), max_size=12)


@given(_entries, _entries)
def test_verdicts_equal_the_obvious_loop(committed: list[Entry], batch: list[Entry]) -> None:
    """Within one window, for any repetition, the verdicts are those of a plain loop."""
    stored = list({entry[0]: entry for entry in reversed(committed)}.values())
    assert judged(stored, batch, 10) == obvious(stored, batch, 10)


@pytest.mark.parametrize(
    ("later", "word"), [(999, "duplicate"), (1000, "stored"), (1001, "stored")]
)
@pytest.mark.parametrize("committed", [True, False])
def test_window_ends_at_its_microsecond(later: int, word: str, committed: bool) -> None:
    """An id is free again exactly one window after the stored event, not a microsecond before."""
    first, second = (1, 0, 7), (1, later, 7)
    verdicts = (
        judged([first], [second], 1000) if committed else judged([], [first, second], 1000)[1:]
    )
    assert verdicts == [word]


def test_duplicate_does_not_extend_the_window() -> None:
    """Only stored events count: a retry in the window does not hold the id longer."""
    assert judged([], [(1, 0, 7), (1, 900, 7), (1, 1000, 7)], 1000) == [
        "stored",
        "duplicate",
        "stored",
    ]


def test_late_event_is_judged_in_both_directions() -> None:
    """An event of a slow journal that was received before the stored one is a duplicate."""
    assert judged([(1, 500, 7)], [(1, 0, 8)], 1000) == ["conflict"]


@given(st.lists(st.lists(st.integers(0, 50), max_size=9), max_size=30))
def test_runs_hold_everything_in_few_runs(batches: list[list[int]]) -> None:
    """Nothing added is lost, every run is sorted, and their number grows with the logarithm."""
    runs = IdRuns()
    for batch in batches:
        runs.add(make_ids([(number, 0, 0) for number in batch]))
    sizes = [len(run) for run in runs.indexes()]
    assert sum(sizes) == sum(map(len, batches))
    assert all(one >= 2 * two for one, two in pairwise(sizes))
    assert all((np.diff(run.hi.astype(np.int64)) >= 0).all() for run in runs.indexes())
