"""Carrying out lake commits: one at a time, in a thread, until it is in.

    intent ─▶ render, write, read back ─▶ catalog transaction ─▶ switch of the view ─▶ clean-up

A crash before the transaction leaves an intent, which the next start repeats under the same
names; after it, only the clean-up is missing, which the next commit does too. A step that fails
(a full disk) is logged and the whole is tried again, later and later; the rows stay visible and
the journals keep them.
"""

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from weir.clock import Clock
from weir.domain.times import DAY_US
from weir.errors import Conflict
from weir.lake.acceleration import Accelerator
from weir.lake.records import Commit, Intent, JournalMark
from weir.loader.commit.catalog import FENCED, Catalog
from weir.loader.commit.writing import LakeStore, Widening, write_commit
from weir.loader.read.journals import JournalSource
from weir.loader.tail.ledger import explained
from weir.loader.tail.tail import Generation
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.node.board import Board, Slot
from weir.settings import Settings
from weir.telemetry import COMMIT_SECONDS, LEDGER_BALANCE, OUTCOMES, Happening, emit

RETRY_FIRST_S = 0.5
RETRY_MOST_S = 30.0
REASON_CHARS_MAX = 200

RAW_REMOVALS_MAX = 1000
"""Expired raw files that one commit retires."""

_FATES = ("stored", "duplicate", "dead_lettered", "quarantined", "lost")


class Ports(NamedTuple):
    """What a commit needs of the outside."""

    catalog: Catalog
    store: LakeStore
    journals: JournalSource
    board: Board
    clock: Clock
    settings: Settings
    hold: RemovalHold


class Committer:
    """The thread of the running commit, and the sums by which the ledger is checked."""

    __slots__ = (
        "_balance",
        "_ended",
        "_epoch",
        "_explained",
        "_held_back",
        "_ports",
        "_stopping",
        "_thread",
        "_view",
        "_widening",
        "ledger_lock",
    )

    def __init__(self, ports: Ports, view: View, *, epoch: int, explained_before: int) -> None:
        self._ports = ports
        self._view = view
        accelerator = Accelerator(columns_max=ports.settings.accelerated_columns_max)
        self._widening = Widening(accelerator, view.choice)
        self._epoch = epoch
        self._explained = explained_before
        self._balance = 0
        self._held_back: tuple[str, ...] = ()
        """Retired files that a backup may still want, or that could not be removed."""
        self._thread: threading.Thread | None = None
        self._ended: BaseException | None = None
        self._stopping = threading.Event()
        self.ledger_lock = threading.Lock()
        """Held from the transaction to the switch: the ledger is read before or after both."""
        self._check_balance()

    @property
    def busy(self) -> bool:
        """Whether a commit is running. Raises what ended the last one for good."""
        if self._ended is not None:
            raise self._ended
        return self._thread is not None and self._thread.is_alive()

    def start(self, generation: Generation, intent: Intent) -> None:
        """Begins a commit of the generation that the view has closed."""
        assert not self.busy
        self._thread = threading.Thread(
            target=self._run, args=(generation, intent), name="lake-commit", daemon=True
        )
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Waits for the running commit; whether none is running any more."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.busy

    def stop(self) -> None:
        """Gives up retrying; a commit that is being written still goes on."""
        self._stopping.set()

    def clean_up(self, retired: tuple[str, ...], strays: Iterable[str] = ()) -> None:
        """Removes retired files and what lies below the cut; what fails is done next time.

        During a backup nothing is removed; the next clean-up after it does that too. ``strays``
        are of no commit. They are not tried again: a commit that is begun anew writes the same.
        """
        self._held_back += retired
        with self._ports.hold.removing() as may_remove:
            if not may_remove:
                return
            for path in strays:
                self._tidied(self._remove, path)
            removed = {path for path in self._held_back if self._tidied(self._remove, path)}
            if self._tidied(self._ports.catalog.forget_removals, self._epoch, removed):
                self._held_back = tuple(path for path in self._held_back if path not in removed)
            for journal_id, mark in self._view.committed.items():
                self._tidied(self._expire, journal_id, mark)

    def _run(self, generation: Generation, intent: Intent) -> None:
        pause_s = RETRY_FIRST_S
        try:
            while not self._attempted(generation, intent, pause_s):
                if self._stopping.wait(pause_s):
                    return
                pause_s = min(2 * pause_s, RETRY_MOST_S)
        except BaseException as error:  # fenced, or something that must end the loader
            self._ended = error

    def _attempted(self, generation: Generation, intent: Intent, pause_s: float) -> bool:
        """Tries once; whether there is nothing left to try."""
        try:
            self._commit(generation, intent)
        except Exception as error:  # whatever it is, the events are safe: report, try again
            if isinstance(error, Conflict) and error.code == FENCED:
                emit(Happening.LOADER_FENCED, epoch=self._epoch)
                raise
            emit(
                Happening.LAKE_COMMIT_FAILED,
                commit=intent.commit_id,
                reason=f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX],
                retry_in_s=pause_s,
            )
            return False
        return True

    def _commit(self, generation: Generation, intent: Intent) -> None:
        catalog, clock = self._ports.catalog, self._ports.clock
        start_s = clock.monotonic_s()
        catalog.record_intent(self._epoch, intent)
        kept_us = self._ports.settings.raw_retention_days * DAY_US
        commit = write_commit(
            intent,
            generation.contents(),
            self._view.sidecars,
            self._ports.store,
            widening=self._widening,
            committed_at_us=clock.now_us(),
            expired_raw=catalog.expired_raw(
                before_us=intent.decided_at_us - kept_us, limit=RAW_REMOVALS_MAX
            ),
        )
        marks = {
            name: JournalMark(span.to_position, span.to_offset)
            for name, span in commit.spans.items()
        }
        with self.ledger_lock:
            catalog.commit(self._epoch, commit)
            self._view.end_commit(commit, marks)
        self._report(commit, clock.monotonic_s() - start_s)
        self.clean_up(commit.retired)

    def _report(self, commit: Commit, elapsed_s: float) -> None:
        self._ports.board.set(Slot.COMMIT_ID, commit.intent.commit_id)
        COMMIT_SECONDS.observe(elapsed_s)
        for fate in _FATES:
            # A replay takes dead letters back, and a counter only grows.
            OUTCOMES.labels(fate).inc(max(0, sum(getattr(row, fate) for row in commit.ledger)))
        emit(
            Happening.LAKE_COMMITTED,
            commit=commit.intent.commit_id,
            rows=commit.row_count,
            files=len(commit.files),
            bytes=sum(file.byte_count for file in commit.files),
            elapsed_ms=round(elapsed_s * 1000),
        )
        self._explained += explained(commit.ledger)
        self._check_balance()

    def _check_balance(self) -> None:
        """The journals' own counts against the outcomes: two ways to the same number."""
        accepted = sum(mark.offset for mark in self._view.committed.values())
        balance = accepted - self._explained
        LEDGER_BALANCE.set(balance)
        if balance != self._balance:
            emit(Happening.LEDGER_UNBALANCED, balance=balance)
        self._balance = balance

    def _remove(self, path: str) -> None:
        self._ports.store.remove(path)

    def _expire(self, journal_id: str, mark: JournalMark) -> None:
        self._ports.journals.expire(journal_id, below_position=mark.position)

    def _tidied(self, step: Callable[..., None], *arguments: object) -> bool:
        try:
            step(*arguments)
        except Exception as error:  # a disk's, a database's: the commit itself is in
            emit(Happening.LAKE_CLEANUP_FAILED, reason=type(error).__name__)
            return False
        return True
