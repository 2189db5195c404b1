"""The journals of a node's directory, as the loader's port wants them."""

from collections.abc import Sequence
from pathlib import Path

from weir.clock import Clock
from weir.journal.abandoned import recover_abandoned
from weir.journal.expiry import expire
from weir.journal.reader import JournalReader
from weir.loader.ports import OpenJournal


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
