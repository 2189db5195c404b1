"""Sidecars find what is in them, within the window, and nothing else."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.errors import Corrupt
from weir.lake.sidecar import (
    Ids,
    MappedSidecar,
    Matches,
    concat_ids,
    decode_sidecar,
    empty_ids,
    encode_sidecar,
    map_sidecar,
    merge_ids,
    sort_ids,
)
from weir.lake.sidecar_merge import merged_sidecar

Entry = tuple[int, int, int, int]
_COLUMNS = ("hi", "lo", "received_us", "body")


def make_ids(entries: list[Entry]) -> Ids:
    """Columns of (hi, lo, received, body) entries."""
    hi, lo, received, body = zip(*entries, strict=True) if entries else ((), (), (), ())
    return Ids(
        np.array(hi, np.uint64),
        np.array(lo, np.uint64),
        np.array(received, np.int64),
        np.array(body, np.uint64),
    )


def search(index: list[Entry], wanted: list[Entry], window_us: int) -> Matches:
    """What a sorted index of these entries tells about those."""
    ids = make_ids(wanted)
    matches = Matches(len(ids))
    matches.search(sort_ids(make_ids(index)), ids, window_us=window_us)
    return matches


_small = st.integers(0, 3)
_entries = st.lists(st.tuples(_small, _small, st.integers(0, 20), st.integers(1, 4)), max_size=12)


@given(_entries, _entries, st.integers(1, 12))
def test_search_equals_the_obvious_loop(
    index: list[Entry], wanted: list[Entry], window: int
) -> None:
    """For any entries, also with equal hashes in one half, the answer is that of a plain loop."""
    matches = search(index, wanted, window)
    for place, (hi, lo, received, body) in enumerate(wanted):
        near = [e for e in index if e[:2] == (hi, lo) and abs(e[2] - received) < window]
        assert matches.found[place] == bool(near)
        assert matches.conflicts[place] == (bool(near) and all(e[3] != body for e in near))


@given(_entries, _entries)
def test_merged_indexes_equal_sorted_entries(one: list[Entry], two: list[Entry]) -> None:
    """Merging sorted parts gives what sorting all entries gives, with ties by what they hold."""
    parts = [sort_ids(make_ids(entries)) for entries in (one, two)]
    rows = zip(*(getattr(merge_ids(parts), name).tolist() for name in _COLUMNS), strict=True)
    assert [row[:3] for row in rows] == sorted(entry[:3] for entry in one + two)


@given(st.lists(_entries, max_size=4), st.integers(-1, 20), st.integers(1, 20))
def test_merged_file_holds_what_came_after_a_time(
    made: list[list[Entry]], after: int, slice_ids: int
) -> None:
    """A slice at a time it has the bytes that merging all at once and leaving out gives."""
    parts = [
        sort_ids(make_ids([(hi << 62 | hi, lo, received, body) for hi, lo, received, body in each]))
        for each in made
    ]
    with mock.patch("weir.lake.sidecar_merge.SLICE_IDS", slice_ids):
        content = merged_sidecar(parts, received_after_us=after)
    ids = merge_ids(parts)
    assert bytes(content) == encode_sidecar(ids.take(ids.received_us > after))


def test_what_was_let_go_of_is_found_again(tmp_path: Path) -> None:
    """Only memory goes back; lookups that are running read on."""
    ids = sort_ids(make_ids([(number, 0, number, 1) for number in range(10_000)]))
    (tmp_path / "x").write_bytes(encode_sidecar(ids))
    mapped = MappedSidecar(tmp_path / "x")
    assert mapped.ids.hi.tolist() == ids.hi.tolist()
    mapped.let_go()
    assert mapped.ids.hi.tolist() == ids.hi.tolist()


def test_older_files_find_ids_and_no_conflicts() -> None:
    """Version 1 has another hash of bodies: its ids are found, its bodies are not compared."""
    content = encode_sidecar(make_ids([(1, 1, 0, 7)]))
    index = decode_sidecar(content.replace(b"WEIRIDS2", b"WEIRIDS1"))
    matches = Matches(1)
    matches.search(index, make_ids([(1, 1, 5, 8)]), window_us=100)
    assert matches.found[0]
    assert not matches.conflicts[0]
    assert merge_ids([index, make_ids([(2, 1, 0, 3)])]).body.tolist() == [0, 3]


@pytest.mark.parametrize(("received", "found"), [(99, True), (100, False), (101, False)])
def test_window_is_half_open(received: int, found: bool) -> None:
    """An event exactly one window later is new."""
    assert bool(search([(1, 1, 0, 0)], [(1, 1, received, 0)], 100).found[0]) is found


def test_file_gives_back_the_columns(tmp_path: Path) -> None:
    """Writing and mapping keeps every number, the largest too."""
    ids = sort_ids(make_ids([(2**64 - 1, 5, -1, 7), (1, 2**64 - 1, 2**62, 2**64 - 1)]))
    (tmp_path / "x").write_bytes(encode_sidecar(ids))
    back = map_sidecar(tmp_path / "x")
    for name in _COLUMNS:
        assert np.array_equal(getattr(back, name), getattr(ids, name))


def test_merge_order_does_not_matter() -> None:
    """Merged sidecars are a function of their entries' set."""
    one, two = make_ids([(3, 0, 0, 0), (1, 0, 5, 0)]), make_ids([(2, 0, 0, 0)])
    merged = [encode_sidecar(sort_ids(concat_ids(parts))) for parts in ([one, two], [two, one])]
    assert merged[0] == merged[1]
    assert len(concat_ids([])) == len(empty_ids()) == 0


@pytest.mark.parametrize("cut", [0, 10, 32, 63])
def test_damaged_file_is_refused(cut: int) -> None:
    """A file of another length or kind is corrupt, not empty."""
    with pytest.raises(Corrupt):
        decode_sidecar(encode_sidecar(make_ids([(1, 1, 1, 1)]))[:cut])
    with pytest.raises(Corrupt):
        decode_sidecar(bytes(64))
