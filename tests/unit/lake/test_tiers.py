"""The plan of merges: bounded, disjoint, and each row is written again only a few times."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from weir.domain.snapshot import LakeFile
from weir.lake.tiers import INPUTS_MAX, MergeLimits, is_small, plan_merges

TODAY = "2026-11-20"
LIMITS = MergeLimits(fan_in=4, file_bytes_max=1000)


def file(path: str, rows: int, *, project: int = 1, day: str = TODAY) -> LakeFile:
    """A file of one byte a hundred rows."""
    return LakeFile(path, project, rows, rows // 100 + 1, day, 0, 0, "")


def files_of(*rows: int, day: str = TODAY) -> list[LakeFile]:
    """Files of one project and day."""
    return [file(f"f{place}", count, day=day) for place, count in enumerate(rows)]


def paths(merges: list[tuple[LakeFile, ...]]) -> list[list[str]]:
    """What is merged."""
    return [[each.path for each in merge] for merge in merges]


def test_a_tier_is_merged_when_it_has_enough_files() -> None:
    """Three small files wait for a fourth; files of another size are not touched."""
    assert plan_merges(files_of(1, 2, 3), LIMITS, today=TODAY, skipped=()) == []
    planned = plan_merges(files_of(1, 2, 3, 4, 50_000), LIMITS, today=TODAY, skipped=())
    assert paths(planned) == [["f0", "f1", "f2", "f3"]]


def test_a_day_that_is_over_is_merged_to_the_end() -> None:
    """Two files of any size become one, unless it would be too large."""
    assert paths(
        plan_merges(files_of(1, 40_000, day="2026-11-19"), LIMITS, today=TODAY, skipped=())
    ) == [["f0", "f1"]]
    large = files_of(99_000, 99_000, day="2026-11-19")
    assert plan_merges(large, LIMITS, today=TODAY, skipped=()) == []


def test_files_of_which_few_fit_into_one_wait_for_the_end_of_their_day() -> None:
    """Writing them again would save little; a day that is over is merged all the same."""
    assert plan_merges(files_of(*[48_000] * 8), LIMITS, today=TODAY, skipped=()) == [
        tuple(files_of(*[48_000] * 8)[:2])
    ]
    limits = LIMITS._replace(fan_in=6)
    assert plan_merges(files_of(*[48_000] * 8), limits, today=TODAY, skipped=()) == []
    over = files_of(*[48_000] * 8, day="2026-11-19")
    assert paths(plan_merges(over, limits, today=TODAY, skipped=())) == [["f0", "f1"]]


def test_merges_that_save_most_for_what_they_write_come_first() -> None:
    """Many small files before few large ones, whichever tier and project they are of."""
    large = files_of(*[9_000] * 4)
    small = [file(f"b{n}", 100, project=2) for n in range(4)]
    both = [file(f"c{n}", rows, project=3) for n, rows in enumerate([5_000] * 4 + [50] * 9)]
    planned = plan_merges([*large, *both, *small], LIMITS, today=TODAY, skipped=())
    assert [[path[0] for path in merge] for merge in paths(planned)] == [
        ["c"] * 9,
        ["b"] * 4,
        ["f"] * 4,
    ]


def test_a_merge_is_small_by_what_it_reads() -> None:
    """An eighth of what one may read."""
    assert is_small(files_of(6_000, 6_000), LIMITS)
    assert not is_small(files_of(6_000, 6_500), LIMITS)


def test_days_and_projects_are_never_mixed() -> None:
    """Each has files of its own, and the one with the most comes first."""
    many = [file(f"a{n}", 1) for n in range(4)] + [file(f"b{n}", 1, project=2) for n in range(6)]
    many += [file(f"c{n}", 1, day="2026-11-21") for n in range(3)]
    planned = plan_merges(many, LIMITS, today=TODAY, skipped=())
    assert [[path[0] for path in merge] for merge in paths(planned)] == [["b"] * 6, ["a"] * 4]


def test_files_that_could_not_be_merged_are_left_alone() -> None:
    """One damaged file does not hold the others back."""
    planned = plan_merges(files_of(1, 1, 1, 1, 1), LIMITS, today=TODAY, skipped={"f2"})
    assert paths(planned) == [["f0", "f1", "f3", "f4"]]


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(1, 3), st.booleans()), max_size=90))
def test_plans_are_disjoint_and_bounded(made: list[tuple[int, int, bool]]) -> None:
    """No file twice, none too large, nothing beyond what one merge may read."""
    files = [
        file(f"f{n}", rows, project=project, day=TODAY if now else "2026-11-01")
        for n, (rows, project, now) in enumerate(made)
    ]
    planned = plan_merges(files, LIMITS, today=TODAY, skipped=())
    chosen = [each.path for merge in planned for each in merge]
    assert len(chosen) == len(set(chosen))
    for merge in planned:
        assert 2 <= len(merge) <= INPUTS_MAX
        assert len({(each.project_id, each.day) for each in merge}) == 1
        assert sum(each.byte_count for each in merge) <= LIMITS.file_bytes_max
    read = sum(each.byte_count for merge in planned for each in merge)
    assert read <= LIMITS.file_bytes_max


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=150))
def test_compaction_ends_with_few_files_and_little_writing(commits: list[int]) -> None:
    """Every commit adds a file; each row is written again about once per tier."""
    limits = MergeLimits(fan_in=4, file_bytes_max=10**9)
    names = itertools.count()
    files: list[LakeFile] = []
    written = 0
    for rows in commits:
        files.append(file(f"f{next(names)}", rows))
        while planned := plan_merges(files, limits, today=TODAY, skipped=()):
            for merge in planned:
                total = sum(each.row_count for each in merge)
                gone = {each.path for each in merge}
                files = [each for each in files if each.path not in gone]
                files.append(file(f"f{next(names)}", total))
                written += max(total, 1000)
    assert sum(each.row_count for each in files) == sum(commits)
    assert len(files) <= 3 * 6
    assert written <= 6 * (sum(commits) + 1000 * len(commits))
