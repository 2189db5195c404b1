"""The rules of cuts: when there is one, what its intent says, which sidecars it merges.

Pure: time and sizes come in, a decision goes out.
"""

from collections.abc import Mapping, Sequence

import msgspec

from weir.lake.records import DeadLetter, Intent, SidecarFile, Span
from weir.loader.tail.limits import CutLimits

UNREAD_US_MAX = 7 * 86_400 * 1_000_000
"""How long a journal may be unreadable, or its reader behind, with deduplication still exact."""

MERGE_COUNT = 8
"""Sidecars of one tier that are merged into one of a higher tier."""

MERGED_IDS_MAX = 2_000_000
"""Size at which sidecars are left alone: bounds the memory of a merge to some 70 MB."""

_TIER_IDS = 1024


def is_cut_due(limits: CutLimits, *, age_s: float | None, full: bool, demanded: bool) -> bool:
    """Whether to cut now; ``age_s`` is None while nothing was read since the last cut."""
    return age_s is not None and (demanded or full or age_s >= limits.age_s)


def decide_cut(
    commit_id: int,
    spans: Mapping[str, Span],
    *,
    endpoints: Mapping[int, str],
    watermark_us: int,
    now_us: int,
    dedup_window_us: int,
    replays: Sequence[DeadLetter] = (),
) -> Intent:
    """The intent of a cut over these spans.

    Everything received before ``watermark_us`` has been read, so nothing older is still to come;
    what has not been read for ``UNREAD_US_MAX`` is not waited for.
    """
    return Intent(
        commit_id=commit_id,
        decided_at_us=now_us,
        dedup_window_us=dedup_window_us,
        horizon_us=max(min(now_us, watermark_us), now_us - UNREAD_US_MAX),
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
