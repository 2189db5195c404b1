"""What the loader asks of the world: the catalog, the lake's files, the journals.

``catalog/adapter.py`` is the adapter of the catalog. Every call that changes something carries the
loader's epoch, and raises ``Conflict`` (``fenced``) when another loader has taken over. The
database's own errors are let through; the loader repeats a commit that failed with one of those.

``read/journals.py`` reads the journals of a directory. Another adapter may read a distributed log:
positions are integers that only grow, and what a read returns are the values of
``journal/reader.py``.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from weir.domain.outcome import LedgerRow
from weir.errors import Conflict
from weir.journal.reader import ReadResult
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


class LakeStore(Protocol):
    """Where lake files are kept; ``lake/store.py`` is the local one."""

    def write(self, path: str, content: bytes | memoryview) -> None:
        """Durable when it returns."""
        ...

    def read(self, path: str) -> bytes:
        """The whole file."""
        ...

    def digest(self, path: str) -> str:
        """The SHA-256 of the whole file as it reads back, which is not held in memory."""
        ...

    def remove(self, path: str) -> None:
        """Durably; a file that is gone is fine."""
        ...

    def names(self, directory: str) -> Sequence[str]:
        """Paths of the files in a directory."""
        ...

    def walk(self, directory: str) -> Iterator[tuple[str, int]]:
        """Every file below a directory and when it was changed, in microseconds."""
        ...

    def locate(self, path: str) -> Path:
        """Where a file can be mapped."""
        ...


class OpenJournal(Protocol):
    """One journal, as the loader reads it."""

    def read(self, position: int, *, byte_limit: int, offset: int | None = None) -> ReadResult:
        """Frames from ``position`` up to the durable end, at least one if there is one.

        ``offset`` is the number of events before ``position``.
        """
        ...

    def durable_position(self) -> int:
        """The published durable end."""
        ...

    def is_current(self) -> bool:
        """False while it may hold more than is published: after a power cut, until recovered."""
        ...

    def writing_since_us(self) -> int:
        """0, or a time no later than ``received_at`` of every frame that is being written."""
        ...


class JournalSource(Protocol):
    """The node's journals."""

    def ids(self) -> Sequence[str]:
        """The ids of those that can be opened now."""
        ...

    def recover(self, journal_id: str) -> bool:
        """Makes a journal that nobody writes whole; False when there is none or it has a writer.

        Raises ``OSError`` or a ``WeirError`` when that fails.
        """
        ...

    def open(self, journal_id: str) -> OpenJournal:
        """Raises ``OSError`` or a ``WeirError`` when the journal cannot be opened."""
        ...

    def expire(self, journal_id: str, *, below_position: int) -> None:
        """Removes what lies below a committed position. Raises ``OSError``."""
        ...
