"""Frames by columns say what the frames say."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.frame import Frame, Place
from weir.loader.read.frame_columns import FrameColumns, columns_of, concat_columns, group

u32 = st.integers(0, 2**32 - 1)
frames = st.builds(
    Frame,
    journal_id=st.sampled_from(["01", "00", "1a"]),
    position=st.integers(0, 2**60),
    next_position=st.just(0),
    offset=st.just(0),
    received_at_us=st.integers(0, 2**61),
    place=st.builds(Place, tenant_id=u32, project_id=u32, endpoint_id=u32, key_id=u32),
    dialect=st.just(1),
    dialect_version=st.just(1),
    event_count=u32,
    refused_count=u32,
    flags=st.just(0),
    meta=st.just(b""),
    body=st.just(b""),
)


def _said(columns: FrameColumns) -> list[tuple[object, ...]]:
    names = [columns.journals[number] for number in columns.journal.tolist()]
    numbers = (
        *(columns.tenant_id, columns.project_id, columns.key_id, columns.position),
        *(columns.received_us, columns.event_count, columns.refused_count),
    )
    return list(zip(names, *(column.tolist() for column in numbers), strict=True))


@given(st.lists(st.lists(frames, max_size=5), max_size=4))
def test_columns_hold_what_frames_say(parts: list[list[Frame]]) -> None:
    """In their order, also when several are joined; journals stand in order."""
    joined = concat_columns([columns_of(part) for part in parts])
    assert list(joined.journals) == sorted({each.journal_id for part in parts for each in part})
    assert _said(joined) == [
        (
            each.journal_id,
            *(each.place.tenant_id, each.place.project_id, each.place.key_id, each.position),
            *(each.received_at_us, each.event_count, each.refused_count),
        )
        for part in parts
        for each in part
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(-(2**40), 2**40))))
def test_groups_sum_exactly(entries: list[tuple[int, int, int]]) -> None:
    """Keys come once and in order, sums are those of their entries."""
    first, second, values = (
        np.array([entry[number] for entry in entries], dtype=np.int64) for number in range(3)
    )
    groups = group(first, second)
    expected: Counter[tuple[int, int]] = Counter()
    for one, other, value in entries:
        expected[one, other] += value
    assert groups.keys == sorted(expected)
    assert groups.sums(values) == [expected[key] for key in sorted(expected)]
    assert [groups.keys[number] for number in groups.of.tolist()] == [
        (one, other) for one, other, _ in entries
    ]
