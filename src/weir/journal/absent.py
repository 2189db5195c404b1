"""In the place of a journal that the disk does not let its worker open: full, or read-only.

A worker without a journal still answers: events with 503, queries and health as ever. Without it
clients would wait in the listening socket's queue for somebody to answer.
"""

from pathlib import Path

from weir.clock import Clock
from weir.domain.frame import Draft, Waiter
from weir.errors import Unavailable
from weir.journal.disk import refusal
from weir.journal.writer import JournalWriter, Notify
from weir.telemetry import Happening, emit

TRY_AGAIN_S = 6.0
"""How long a worker lives without its journal: longer than what the supervisor takes for a crash,
so that the next try follows at once."""


def open_or_refuse(
    directory: Path,
    *,
    quarantine: Path,
    clock: Clock,
    file_bytes: int,
    notify: Notify,
    defer: Notify,
) -> "JournalWriter | AbsentJournal":
    """``JournalWriter.open``, or what stands in for it while the disk refuses.

    Raises ``Conflict`` and ``Corrupt`` as that does.
    """
    try:
        return JournalWriter.open(
            directory,
            quarantine=quarantine,
            clock=clock,
            file_bytes=file_bytes,
            notify=notify,
            defer=defer,
        )
    except Unavailable as error:
        emit(Happening.JOURNAL_ABSENT, journal=directory.name, code=error.code)
        return AbsentJournal(error, clock=clock)


class AbsentJournal:
    """Refuses every frame. Seems dead when another try is due: its worker ends, the next one tries.

    ``error`` is what opening the journal raised.
    """

    __slots__ = ("_cause", "_clock", "_until_s")

    def __init__(self, error: Unavailable, *, clock: Clock) -> None:
        self._cause = error.__cause__ if isinstance(error.__cause__, Exception) else None
        self._clock = clock
        self._until_s = clock.monotonic_s() + TRY_AGAIN_S

    @property
    def start_offset(self) -> None:
        """Nobody knows how many events are in it."""

    @property
    def dead(self) -> bool:
        """True once it is time to try again."""
        return self._clock.monotonic_s() >= self._until_s

    def append(self, draft: Draft, waiter: Waiter) -> None:
        """Raises ``Unavailable`` (``disk_full``, ``journal_failed``)."""
        raise refusal(self._cause)

    def backlog_bytes(self) -> int:
        """Unknown, and nothing is added to it."""
        return 0

    def close(self) -> None:
        """There is nothing to give back."""
