"""Which lake files are merged: size-tiered, so that each row is written again only log(n) times.

Pure. Files of one project and day are sorted into tiers by their rows; when a tier has ``fan_in``
files they become one, which belongs to a higher tier. A day that is over gets no new files, so
what is left of it is merged until its files are large. What a merge may read is bounded, and the
merges that save most files for what they write again come first.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from weir.domain.snapshot import LakeFile

TIER_ROWS = 1000
"""Files with fewer rows are all of the lowest tier; opening a file costs as much as such a one."""

INPUTS_MAX = 16
"""Files that one merge takes, or ``fan_in`` where that is more: it has a part of each in memory."""

MERGES_MAX = 200
"""Merges that are planned at once."""

SMALL_SHARE = 8
"""A merge that reads this part of ``file_bytes_max`` or less is small."""


class MergeLimits(NamedTuple):
    """``file_bytes_max`` bounds what a merge reads; files of half that size are left alone."""

    fan_in: int
    file_bytes_max: int


def plan_merges(
    files: Iterable[LakeFile], limits: MergeLimits, *, today: str, skipped: Collection[str]
) -> list[tuple[LakeFile, ...]]:
    """Merges of disjoint sets of files, those that save most first; what they read is bounded.

    ``today`` is the oldest UTC day, ``YYYY-MM-DD``, that may still get files; ``skipped`` are
    paths of files that could not be merged, or are being merged.
    """
    groups: dict[tuple[int, str], list[LakeFile]] = {}
    for file in files:
        if 2 * file.byte_count <= limits.file_bytes_max and file.path not in skipped:
            groups.setdefault((file.project_id, file.day), []).append(file)
    merges = [
        merge
        for (_, day), group in sorted(groups.items())
        if len(merge := _merge_of(group, limits, is_over=day < today)) > 1
    ]
    merges.sort(key=_saving, reverse=True)
    planned: list[tuple[LakeFile, ...]] = []
    room = limits.file_bytes_max
    for merge in merges[:MERGES_MAX]:
        room -= _byte_count(merge)
        if planned and room < 0:
            break
        planned.append(merge)
    return planned


def is_small(merge: Sequence[LakeFile], limits: MergeLimits) -> bool:
    """Whether a merge is so small that it may go beside a large one."""
    return _byte_count(merge) * SMALL_SHARE <= limits.file_bytes_max


def _merge_of(
    group: Sequence[LakeFile], limits: MergeLimits, *, is_over: bool
) -> tuple[LakeFile, ...]:
    """The files of one project and day to merge next, smallest first; may be fewer than two."""
    if is_over:
        return _within(group, limits)
    tiers: dict[int, list[LakeFile]] = {}
    for file in group:
        tiers.setdefault(_tier(file.row_count, limits.fan_in), []).append(file)
    merges = [
        _within(tier, limits) for _, tier in sorted(tiers.items()) if len(tier) >= limits.fan_in
    ]
    # Where few fit into one they are large enough for a day that is not over.
    worth = [merge for merge in merges if 2 * len(merge) >= limits.fan_in]
    return max(worth, key=_saving, default=())


def _saving(merge: Sequence[LakeFile]) -> float:
    """Files that there are fewer of afterwards, for each row that is written again."""
    return (len(merge) - 1) / sum(file.row_count + TIER_ROWS for file in merge)


def _byte_count(merge: Sequence[LakeFile]) -> int:
    return sum(file.byte_count for file in merge)


def _tier(row_count: int, fan_in: int) -> int:
    tier, least = 0, TIER_ROWS
    while row_count >= least:
        tier, least = tier + 1, least * fan_in
    return tier


def _within(files: Sequence[LakeFile], limits: MergeLimits) -> tuple[LakeFile, ...]:
    chosen: list[LakeFile] = []
    bytes_max, count = limits.file_bytes_max, max(INPUTS_MAX, limits.fan_in)
    for file in sorted(files, key=lambda each: (each.row_count, each.path))[:count]:
        bytes_max -= file.byte_count
        if bytes_max < 0:
            break
        chosen.append(file)
    return tuple(chosen)
