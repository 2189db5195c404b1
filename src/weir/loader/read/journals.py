"""The loader's port to the node's journals, and its adapter over a directory of them.

Another adapter may read a distributed log: positions are integers that only grow, and what a read
returns are the values of ``journal/reader.py``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from weir.clock import Clock
from weir.journal.abandoned import recover_abandoned
from weir.journal.expiry import expire
from weir.journal.reader import JournalReader, ReadResult


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


class LocalJournals:
    """The journals under a node's directory, one directory each; damaged bytes are kept aside."""

    __slots__ = ("_clock", "_directory", "_quarantine")

    def __init__(self, directory: Path, *, quarantine: Path, clock: Clock) -> None:
        self._clock = clock
        self._directory = directory
        self._quarantine = quarantine

    def ids(self) -> Sequence[str]:
        """The names of the journal directories."""
        if not self._directory.is_dir():
            return []
        return [entry.name for entry in self._directory.iterdir() if entry.is_dir()]

    def recover(self, journal_id: str) -> bool:
        """Recovers a journal whose lock is free, as its writer would."""
        directory = self._directory / journal_id
        return recover_abandoned(directory, quarantine=self._quarantine, clock=self._clock)

    def open(self, journal_id: str) -> OpenJournal:
        """A reader of one journal; a directory that is empty yet is fine."""
        return JournalReader(self._directory / journal_id, quarantine=self._quarantine)

    def expire(self, journal_id: str, *, below_position: int) -> None:
        """Removes what lies below a committed position. Raises ``OSError``."""
        expire(self._directory / journal_id, below_position=below_position)
