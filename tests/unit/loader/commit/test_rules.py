"""When to cut, how far deduplication must remember, and which sidecars to merge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.lake.records import SidecarFile, Span
from weir.loader.commit.rules import (
    MERGE_COUNT,
    MERGED_IDS_MAX,
    UNREAD_US_MAX,
    decide_cut,
    is_cut_due,
    plan_sidecars,
)
from weir.loader.tail.limits import CutLimits, is_full

LIMITS = CutLimits(age_s=60, tail_bytes_max=1000)


def make_file(number: int, id_count: int, received_us: int = 10**9) -> SidecarFile:
    """A sidecar."""
    return SidecarFile(f"dedup/{number:08d}", id_count, id_count * 32, 0, received_us, "")


@pytest.mark.parametrize(
    ("age_s", "tail_bytes", "demanded", "is_due"),
    [
        (None, 0, True, False),
        (59.9, 999, False, False),
        (60.0, 0, False, True),
        (0.0, 1000, False, True),
        (0.0, 1, True, True),
    ],
)
def test_cut_is_due(age_s: float | None, tail_bytes: int, demanded: bool, is_due: bool) -> None:
    """Nothing is never cut; age, size and demand each suffice."""
    full = is_full(LIMITS, tail_bytes=tail_bytes)
    assert is_cut_due(LIMITS, age_s=age_s, full=full, demanded=demanded) is is_due


@pytest.mark.parametrize(
    ("watermark_us", "horizon_us"),
    [
        (99 * 10**11, 99 * 10**11),
        (11 * 10**12, 10**13),
        (0, 10**13 - UNREAD_US_MAX),
    ],
)
def test_horizon_is_what_has_been_read(watermark_us: int, horizon_us: int) -> None:
    """Ids stay known as long as a journal that lags may bring their duplicates, within reason."""
    spans = {"00": Span(0, 9, 0, 9)}
    cut = decide_cut(
        3,
        spans,
        endpoints={},
        watermark_us=watermark_us,
        now_us=10**13,
        dedup_window_us=5,
    )
    assert cut.horizon_us == horizon_us
    assert cut.spans == spans


def test_expired_sidecars_go() -> None:
    """A file goes exactly when nothing to come can lie within the window of its newest id."""
    files = [make_file(number, 1, received_us) for number, received_us in enumerate((89, 90, 91))]
    plan = plan_sidecars(files, horizon_us=100, window_us=10)
    assert [file.received_max_us for file in plan.expired] == [89, 90]


@given(st.lists(st.integers(1, 5000), max_size=300))
def test_sidecars_stay_few_and_cheap(sizes: list[int]) -> None:
    """Merging as planned after each commit keeps the number logarithmic; no id is lost."""
    files: list[SidecarFile] = []
    written = 0
    for number, size in enumerate(sizes):
        plan = plan_sidecars(files, horizon_us=0, window_us=1)
        assert plan.expired == ()
        for place, group in enumerate(plan.merges):
            merged = sum(file.id_count for file in group)
            assert merged <= MERGED_IDS_MAX
            written += merged
            files = [file for file in files if file not in group]
            files.append(make_file(1000 * (number + 1) + place, merged))
        files.append(make_file(number, size))
    assert sum(file.id_count for file in files) == sum(sizes)
    assert len(files) <= 6 * MERGE_COUNT
    assert written <= 6 * sum(sizes)


def test_large_sidecars_are_left_alone() -> None:
    """A merge never needs more memory than its bound."""
    files = [make_file(number, MERGED_IDS_MAX // 3) for number in range(20)]
    for group in plan_sidecars(files, horizon_us=0, window_us=1).merges:
        assert sum(file.id_count for file in group) <= MERGED_IDS_MAX
    files = [make_file(number, MERGED_IDS_MAX) for number in range(20)]
    assert plan_sidecars(files, horizon_us=0, window_us=1).merges == ()
