"""Rendering is a function of the cut: outcomes balance, and rounds of reading do not matter."""

from itertools import pairwise
from typing import Any
from unittest import mock

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.loader.rig import JSON_DIALECT, START_US
from weir.domain.frame import Frame, Place
from weir.lake.parquet import encode_rows
from weir.lake.raw import encode_raw
from weir.lake.records import Intent, Span
from weir.lake.schema import SORT_KEY
from weir.lake.sidecar import encode_sidecar
from weir.loader.commit.render import CutRows, count_outcomes, count_usage, raw_files
from weir.loader.read import rows
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.portions import DividedRound
from weir.loader.read.rounds import LostEvents, Round
from weir.loader.read.rows import Block
from weir.loader.tail.tail import Contents

DECODER = FrameDecoder({1: JSON_DIALECT}, lambda _: {7: "e"})
INTENT = Intent(1, START_US, 10**12, 0, {}, {})


def make_frame(journal: int, position: int, spec: tuple[Any, ...]) -> Frame:
    """A frame of small events, or a poisoned one."""
    project, ids, refused, late = spec
    events = [
        {"event": f"e{number % 2}", "event_id": f"i{number}", "user_id": f"u{number % 3}"}
        if number
        else {"event": "made"}
        for number in ids or []
    ]
    return Frame(
        journal_id=f"{journal:02d}",
        position=position,
        next_position=position + 1,
        offset=0,
        received_at_us=START_US + late * 43_200_000_000 + position,
        place=Place(1, project, 7, project + journal),
        dialect=1,
        dialect_version=1,
        event_count=2 if ids is None else len(events),
        refused_count=refused,
        flags=0,
        meta=b"",
        body=b"poison" if ids is None else msgspec.json.encode(events),
    )


_specs = st.tuples(
    st.integers(1, 2),
    st.none() | st.lists(st.integers(0, 5), max_size=4),
    st.integers(0, 2),
    st.integers(0, 3),
)
_journals = st.lists(st.lists(_specs, max_size=5), min_size=1, max_size=3)


def contents_of(rounds: list[list[Frame]], losses: tuple[LostEvents, ...] = ()) -> Contents:
    """What a generation holds after these rounds of reading."""
    blocks = [block for frames in rounds for block in blocks_of(frames)]
    journals = {frame.journal_id for frames in rounds for frame in frames}
    return Contents(tuple(blocks), (), losses, {name: Span(0, 9, 0, 9) for name in journals})


def blocks_of(frames: list[Frame]) -> list[Block]:
    """The rows of one round."""
    spans = {frame.journal_id: Span(0, 9, 0, 9) for frame in frames}
    portions = DividedRound(Round(frames, [], [], spans, 0, caught_up=True), DECODER)
    blocks = []
    while not portions.done:
        blocks.append(portions.take().block)
    return blocks


def split(frames: list[Frame], cuts: list[int]) -> list[list[Frame]]:
    """The frames in rounds."""
    edges = [0, *sorted(cut % (len(frames) + 1) for cut in cuts), len(frames)]
    return [frames[start:stop] for start, stop in pairwise(edges)]


@settings(max_examples=60)
@given(_journals, st.lists(st.integers(0, 20), max_size=3), st.booleans(), st.integers(0, 3))
def test_every_accepted_event_has_one_outcome(
    journals: list[list[tuple[Any, ...]]], cuts: list[int], backwards: bool, lost: int
) -> None:
    """The ledger balances, agrees with the files, and no rendered byte depends on the reading."""
    frames = [
        make_frame(journal, position, spec)
        for journal, specs in enumerate(journals)
        for position, spec in enumerate(specs)
    ]
    losses = (LostEvents("00", 3, lost, lost % 2 == 0),)
    read = contents_of(split(frames, cuts), losses)
    by_journal = sorted(frames, key=lambda frame: frame.journal_id, reverse=backwards)
    with mock.patch.object(rows, "BLOCK_BYTES_MAX", 3 * rows.ROW_BYTES):
        read_again = contents_of([by_journal], losses)

    rendered = [_rendered(contents) for contents in (read, read_again)]
    assert rendered[0] == rendered[1]

    cut_rows = CutRows(read, [], window_us=10**12)
    ledger = count_outcomes(INTENT, read, cut_rows)
    assert all(row.balance == 0 and row.in_flight == 0 for row in ledger)
    assert all(row.received == row.accepted + row.rejected for row in ledger)
    accepted = sum(frame.event_count for frame in frames) + lost
    assert sum(row.accepted for row in ledger) == accepted
    assert sum(row.rejected for row in ledger) == sum(frame.refused_count for frame in frames)
    stored = sum(each.rows.num_rows for each in cut_rows.files())
    assert stored == sum(row.stored for row in ledger)
    usage = count_usage(read, cut_rows)
    assert sum(row.accepted for row in usage) == accepted - lost
    assert sum(row.duplicate for row in usage) == sum(row.duplicate for row in ledger)


def _rendered(contents: Contents) -> list[Any]:
    cut_rows = CutRows(contents, [], window_us=10**12)
    files = [
        (each.project_id, each.day, bytes(encode_rows(each.rows))) for each in cut_rows.files()
    ]
    raw = [(each.project_id, encode_raw(each.frames)) for each in raw_files(contents)]
    dead = [each.dead for each in raw_files(contents)]
    ids = encode_sidecar(cut_rows.stored_ids())
    counts = [count_outcomes(INTENT, contents, cut_rows), count_usage(contents, cut_rows)]
    return [files, raw, dead, ids, counts]


def test_files_are_sorted_with_nulls_last() -> None:
    """Rows of a file stand in the order of SORT_KEY."""
    rng = np.random.default_rng(7)
    frames = [
        make_frame(int(journal), position, (1, [int(n) for n in rng.integers(0, 6, 4)], 0, 0))
        for position, journal in enumerate(rng.integers(0, 2, 20))
    ]
    (each,) = CutRows(contents_of([frames]), [], window_us=1).files()
    keys = each.rows.select(SORT_KEY).to_pylist()
    ordered = [tuple((row[name] is None, row[name]) for name in SORT_KEY[:2]) for row in keys]
    assert [key[0][1] for key in ordered] == sorted(key[0][1] for key in ordered)
    for name in {row["event"] for row in keys}:
        users = [row["user_key"] for row in keys if row["event"] == name]
        known = [user for user in users if user is not None]
        assert users == sorted(known) + [None] * (len(users) - len(known))
