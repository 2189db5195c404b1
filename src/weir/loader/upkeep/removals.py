"""Removals: the one place that takes away what the lake does not need any more.

Retired files (sidecars that were merged, raw payloads that have expired, lake files that a merge
has replaced) stand on the catalog's list from the transaction that retired them until they are
gone, each with the time from which nobody reads it. Journal files go when a cut lies above them.
What fails is logged and done by a later step; during a backup nothing is removed.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from weir.clock import Clock
from weir.lake.records import Removal
from weir.loader.ports import Catalog, JournalSource, LakeStore, is_fenced
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.telemetry import Happening, emit

_AT_ONCE_US = 0


class Removals:
    """The files that wait for their removal. Any thread may add and remove."""

    __slots__ = (
        "_catalog",
        "_clock",
        "_epoch",
        "_expired_up_to",
        "_hold",
        "_journals",
        "_lock",
        "_store",
        "_view",
        "_waiting",
    )

    def __init__(
        self,
        *,
        catalog: Catalog,
        store: LakeStore,
        journals: JournalSource,
        view: View,
        hold: RemovalHold,
        clock: Clock,
        epoch: int,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._journals = journals
        self._view = view
        self._hold = hold
        self._clock = clock
        self._epoch = epoch
        self._lock = threading.Lock()
        self._waiting: list[Removal] = []
        self._expired_up_to = -1
        """The commit below whose cut the journals have no files any more."""

    def add(self, removals: Iterable[Removal]) -> None:
        """Takes files on that the catalog has on its list; each is removed when it is due."""
        with self._lock:
            self._waiting += removals

    def clean_up(self, retired: Sequence[str] = ()) -> None:
        """Removes what a commit retired, and the journal files below its cut.

        Files that wait for a time are left to ``step``: a commit does not wait for them.
        """
        self.add(Removal(path) for path in retired)
        self._remove(due_us=_AT_ONCE_US)

    def step(self, now_s: float) -> None:
        """Removes everything that is due by now."""
        self._remove(due_us=self._clock.now_us())

    def close(self) -> None:
        """A step is short: it ends by itself."""

    def _remove(self, *, due_us: int) -> None:
        with self._hold.removing() as may_remove:
            if not may_remove:
                return
            due = self._take(due_us)
            removed = {each.path for each in due if _is_done(self._store.remove, each.path)}
            if not _is_done(self._catalog.forget_removals, self._epoch, removed):
                removed = set()
            self.add(each for each in due if each.path not in removed)
            self._expire_journals()

    def _take(self, due_us: int) -> list[Removal]:
        with self._lock:
            due = [each for each in self._waiting if each.due_us <= due_us]
            self._waiting = [each for each in self._waiting if each.due_us > due_us]
        return due

    def _expire_journals(self) -> None:
        commit_id = self._view.commit_id
        if commit_id == self._expired_up_to:
            return
        done = [
            _is_done(self._journals.expire, journal_id, below_position=mark.position)
            for journal_id, mark in self._view.committed.items()
        ]
        if all(done):
            self._expired_up_to = commit_id


def _is_done(remove: Callable[..., None], *arguments: object, **named: object) -> bool:
    try:
        remove(*arguments, **named)
    except Exception as error:  # a disk's, a database's: the lake itself is as it should be
        if is_fenced(error):
            raise
        emit(Happening.LAKE_CLEANUP_FAILED, reason=type(error).__name__)
        return False
    return True
