"""What the loader asks of the catalog; ``catalog/adapter.py`` is the adapter.

Every call that changes something carries the loader's epoch, and raises ``Conflict`` (``fenced``)
when another loader has taken over. The database's own errors are let through; the loader repeats a
commit that failed with one of those.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from weir.domain.outcome import LedgerRow
from weir.errors import Conflict
from weir.lake.records import CatalogState, Commit, DeadLetter, Intent, Replacement, UsageRow

FENCED = "fenced"
"""Code of the ``Conflict`` that a loader gets once another one has taken over."""


def is_fenced(error: BaseException) -> bool:
    """Whether an error says that another loader has taken over."""
    return isinstance(error, Conflict) and error.code == FENCED


class Catalog(Protocol):
    """The durable list of what is in the lake, and the ledger."""

    def take_over(self) -> int:
        """Raises the epoch, so that every earlier loader is fenced, and returns it."""
        ...

    def load(self) -> CatalogState:
        """Everything a loader must know at its start, from one transaction."""
        ...

    def record_intent(self, epoch: int, intent: Intent) -> None:
        """Makes the cut durable before anything is rendered; the same one twice is fine."""
        ...

    def commit(self, epoch: int, commit: Commit) -> None:
        """Takes one lake commit, all or nothing, and its intent is finished."""
        ...

    def replace_files(self, epoch: int, replacement: Replacement) -> None:
        """Swaps merged files in, all or nothing; ``Conflict`` when an input has gone."""
        ...

    def unknown_paths(self, paths: Sequence[str]) -> list[str]:
        """Returns the paths that no table of files names."""
        ...

    def raw_between(self, project_id: int, *, from_us: int, to_us: int) -> Sequence[str]:
        """Paths of a project's raw files that may hold frames received in a closed range."""
        ...

    def dead_letters(self, project_id: int, *, limit: int) -> Sequence[DeadLetter]:
        """A project's newest dead letters, newest first."""
        ...

    def find_dead_letters(
        self, project_id: int, wanted: Sequence[tuple[str, int]]
    ) -> Sequence[DeadLetter]:
        """Returns a project's dead letters that lie at these journals and positions."""
        ...

    def expired_raw(self, *, before_us: int, limit: int) -> Sequence[str]:
        """Paths of raw files whose newest frame was received before a time, oldest first."""
        ...

    def forget_removals(self, epoch: int, paths: Collection[str]) -> None:
        """These retired files are gone."""
        ...

    def ledger(
        self, *, key_ids: Collection[int] | None, from_minute: int, to_minute: int
    ) -> Sequence[LedgerRow]:
        """Rows of keys (None: all) in ``[from_minute, to_minute)``, by minute and key."""
        ...

    def usage(self, month: int) -> Sequence[UsageRow]:
        """What tenants have used of a month, by journal."""
        ...

    def close(self) -> None:
        """Gives the connections back."""
        ...
