"""Files that no catalog knows: what a commit or a merge left that a crash ended."""

import re
from collections.abc import Collection

from weir.clock import Clock
from weir.loader.ports import Catalog, LakeStore
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.telemetry import Happening, emit

AGE_US = 3600 * 1_000_000
"""Younger files are left alone: somebody may be about to tell the catalog of them."""

SIDECARS = "dedup"
DIRECTORIES = ("lake", "raw", SIDECARS)

_OF_COMMIT = re.compile(r"(\d{8,})-[0-9a-f]{16}\.")
_OF_MERGE = re.compile(r"merged-[0-9a-f]{16}\.|\..*\.(merging|tmp)\Z")


class OrphanSweep:
    """One search for orphans in the life of a loader."""

    __slots__ = ("_catalog", "_clock", "_hold", "_is_done", "_store", "_view")

    def __init__(
        self, *, catalog: Catalog, store: LakeStore, view: View, hold: RemovalHold, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._view = view
        self._hold = hold
        self._clock = clock
        self._is_done = False

    def step(self, now_s: float) -> None:
        """Removes the orphans, once, and not while a backup holds removals."""
        if self._is_done:
            return
        with self._hold.removing() as may_remove:
            if may_remove:
                self._is_done = True
                self._sweep()

    def close(self) -> None:
        """The search ends by itself."""

    def _sweep(self) -> None:
        """Leaves files of a later commit alone: an unfinished one claims its names again."""
        commit_id, now_us = self._view.commit_id, self._clock.now_us()
        old = [
            path
            for directory in DIRECTORIES
            for path, changed_us in self._store.walk(directory)
            if changed_us + AGE_US < now_us and _may_go(path.rpartition("/")[2], commit_id)
        ]
        unknown = self._catalog.unknown_paths(old)
        for path in unknown:
            self._store.remove(path)
        if unknown:
            emit(Happening.ORPHANS_REMOVED, files=len(unknown))


def remove_stray_sidecars(store: LakeStore, *, known: Collection[str]) -> None:
    """Removes the sidecars that the catalog does not name, however young; for a loader's start.

    One that cannot be removed is left: a commit that is begun anew writes the same file.
    """
    for path in sorted(set(store.names(SIDECARS)) - set(known)):
        try:
            store.remove(path)
        except Exception as error:  # the disk's: the lake itself is as it should be
            emit(Happening.LAKE_CLEANUP_FAILED, reason=type(error).__name__)


def _may_go(name: str, commit_id: int) -> bool:
    of_commit = _OF_COMMIT.match(name)
    if of_commit:
        return int(of_commit[1]) <= commit_id
    return _OF_MERGE.match(name) is not None
