"""When to cut, and what a cut says. Pure: time and sizes come in, a decision goes out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from weir.lake.records import DeadLetter, Intent, SidecarFile, Span

GENERATION_BYTES_MAX = 1024 * 1024 * 1024
"""Above any setting: text columns of one generation must stay within 31-bit offsets."""

LATE_US = 600_000_000
"""How long before a cut a frame may have been received that a slow sync brings only after it."""

MERGE_COUNT = 8
"""Sidecars of one tier that are merged into one of a higher tier."""

MERGED_IDS_MAX = 4_000_000
"""Size at which sidecars are left alone: bounds the memory of a merge to some 400 MB."""

_TIER_IDS = 1024


class CutReason(StrEnum):
    """Why a cut is made."""

    AGE = "age"
    SIZE = "size"
    DEMAND = "demand"
    RESUME = "resume"


class CutLimits(msgspec.Struct, frozen=True):
    """The settings that decide."""

    age_s: float
    tail_bytes_max: int


def plan_cut(
    limits: CutLimits, *, age_s: float | None, full: bool, demanded: bool
) -> CutReason | None:
    """Whether to cut now, and why; ``age_s`` is None while nothing was read since the last cut."""
    if age_s is None:
        return None
    if demanded:
        return CutReason.DEMAND
    if full:
        return CutReason.SIZE
    return CutReason.AGE if age_s >= limits.age_s else None


def is_full(limits: CutLimits, *, tail_bytes: int) -> bool:
    """Whether a generation may not grow any more."""
    return tail_bytes >= min(limits.tail_bytes_max, GENERATION_BYTES_MAX)


def decide_cut(
    commit_id: int,
    spans: Mapping[str, Span],
    *,
    endpoints: Mapping[int, str],
    received_us: Mapping[str, int],
    now_us: int,
    dedup_window_us: int,
    replays: Sequence[DeadLetter] = (),
) -> Intent:
    """The intent of a cut over these spans.

    ``received_us`` is per journal the newest time in the cut, or that of its first frame when the
    cut was made before it. Journals only move forward, and one that has neither had nothing
    unread, so nothing older than the least of these
    times and now (less ``LATE_US``) is still to come.
    """
    return Intent(
        commit_id=commit_id,
        decided_at_us=now_us,
        dedup_window_us=dedup_window_us,
        horizon_us=min([now_us, *received_us.values()]) - LATE_US,
        spans=dict(spans),
        endpoints=dict(endpoints),
        replays=tuple(replays),
    )


class SidecarPlan(msgspec.Struct, frozen=True):
    """What to do with the committed sidecars: groups to merge, and those nobody needs."""

    merges: tuple[tuple[SidecarFile, ...], ...]
    expired: tuple[SidecarFile, ...]


def plan_sidecars(files: Sequence[SidecarFile], *, horizon_us: int, window_us: int) -> SidecarPlan:
    """Tiered merging: a tier holds files of like size, and eight of them become one.

    So n commits leave about 8 log8(n) files, and an id is rewritten about log8(n) times. A file is
    expired once its newest id is a window older than anything still to come.
    """
    expired = tuple(f for f in files if f.received_max_us + window_us <= horizon_us)
    tiers: dict[int, list[SidecarFile]] = {}
    for file in files:
        if file not in expired and file.id_count * 2 <= MERGED_IDS_MAX:
            tiers.setdefault(_tier(file.id_count), []).append(file)
    merges = []
    for _, tier in sorted(tiers.items()):
        group = _within_bound(sorted(tier, key=lambda file: file.path))
        if len(group) >= MERGE_COUNT or (len(tier) >= MERGE_COUNT and len(group) > 1):
            merges.append(tuple(group))
    return SidecarPlan(tuple(merges), expired)


def _tier(id_count: int) -> int:
    tier = 0
    while id_count > _TIER_IDS:
        id_count //= MERGE_COUNT
        tier += 1
    return tier


def _within_bound(files: Sequence[SidecarFile]) -> list[SidecarFile]:
    group, total = [], 0
    for file in files:
        if total + file.id_count > MERGED_IDS_MAX:
            break
        group.append(file)
        total += file.id_count
    return group
