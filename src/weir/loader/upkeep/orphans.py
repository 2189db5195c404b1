"""Files that no catalog knows: what a commit or a merge left that a crash ended."""

import re
from collections.abc import Sequence

from weir.loader.commit.catalog import Catalog
from weir.loader.commit.writing import LakeStore
from weir.telemetry import Happening, emit

AGE_US = 3600 * 1_000_000
"""Younger files are left alone: somebody may be about to tell the catalog of them."""

DIRECTORIES = ("lake", "raw", "dedup")

_OF_COMMIT = re.compile(r"(\d{8,})-[0-9a-f]{16}\.")
_OF_MERGE = re.compile(r"merged-[0-9a-f]{16}\.|\..*\.(merging|tmp)\Z")


def remove_orphans(
    catalog: Catalog, store: LakeStore, *, commit_id: int, now_us: int
) -> Sequence[str]:
    """Removes them and gives their paths. ``commit_id`` is the last one that is in.

    A file of a later commit is not touched: an unfinished one claims its names again.
    """
    old = [
        path
        for directory in DIRECTORIES
        for path, changed_us in store.walk(directory)
        if changed_us + AGE_US < now_us and _may_go(path.rpartition("/")[2], commit_id)
    ]
    unknown = catalog.unknown_paths(old)
    for path in unknown:
        store.remove(path)
    if unknown:
        emit(Happening.ORPHANS_REMOVED, files=len(unknown))
    return unknown


def _may_go(name: str, commit_id: int) -> bool:
    of_commit = _OF_COMMIT.match(name)
    if of_commit:
        return int(of_commit[1]) <= commit_id
    return _OF_MERGE.match(name) is not None
