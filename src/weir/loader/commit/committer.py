"""Carrying out lake commits: one at a time, beside reading, until it is in.

    intent ─▶ render, write, read back ─▶ catalog transaction ─▶ switch of the view ─▶ clean-up

A crash before the transaction leaves an intent, which the next start repeats under the same
names; after it, only the clean-up is missing, which the next start does too. An attempt that fails
(a full disk) is logged and the whole is tried again, later and later; the rows stay visible and
the journals keep them.
"""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from weir.clock import Clock
from weir.lake.records import Commit, Intent, JournalMark
from weir.loader.commit.report import CommitReport
from weir.loader.commit.writing import CommitWriter
from weir.loader.memory import give_back
from weir.loader.ports import Catalog, is_fenced
from weir.loader.tail.tail import Generation
from weir.loader.tail.view import View
from weir.telemetry import Happening, emit

RETRY_FIRST_S = 0.5
RETRY_MOST_S = 30.0
REASON_CHARS_MAX = 200


class _Pending(NamedTuple):
    """A commit that is not in yet, and by how much the next failure delays it."""

    generation: Generation
    intent: Intent
    pause_s: float
    has_failed: bool = False


class Committer:
    """The lake commit that is to be carried out. One thread begins it, another one steps."""

    __slots__ = (
        "_catalog",
        "_changed",
        "_clean_up",
        "_clock",
        "_ended",
        "_epoch",
        "_gives_up",
        "_pending",
        "_report",
        "_view",
        "_writer",
        "ledger_lock",
    )

    def __init__(
        self,
        *,
        catalog: Catalog,
        view: View,
        writer: CommitWriter,
        report: CommitReport,
        clean_up: Callable[[Sequence[str]], None],
        clock: Clock,
        epoch: int,
    ) -> None:
        """``clean_up`` removes the paths that a commit has retired, and what lies below its cut."""
        self._catalog = catalog
        self._view = view
        self._writer = writer
        self._report = report
        self._clean_up = clean_up
        self._clock = clock
        self._epoch = epoch
        self._changed = threading.Condition()
        self._pending: _Pending | None = None
        self._ended: BaseException | None = None
        self._gives_up = False
        self.ledger_lock = threading.Lock()
        """Held from the transaction to the switch: the ledger is read before or after both."""

    @property
    def busy(self) -> bool:
        """Whether a commit is not in yet. Raises what ended the last one for good."""
        if self._ended is not None:
            raise self._ended
        return self._pending is not None

    def begin(self, generation: Generation, intent: Intent) -> None:
        """Takes a commit of the generation that the view has closed; steps carry it out."""
        assert not self.busy
        self._pending = _Pending(generation, intent, RETRY_FIRST_S)

    def step(self, now_s: float) -> float | None:
        """Tries the commit once, if there is one; after a failure it is tried again later.

        Raises nothing: what ends the commit for good is raised by ``busy``.
        """
        pending = self._pending
        if pending is None:
            return None
        if pending.has_failed and self._gives_up:
            self._settle()
            return None
        try:
            is_over = self._try(pending)
        except BaseException as error:  # fenced, or something that must end the loader
            self._settle(ended=error)
            return None
        if is_over or self._gives_up:
            self._settle()
            return None
        pause_s = pending.pause_s
        self._pending = pending._replace(pause_s=min(2 * pause_s, RETRY_MOST_S), has_failed=True)
        return self._clock.monotonic_s() + pause_s

    def wait(self, timeout_s: float) -> bool:
        """Waits until no commit is left to be carried out; whether that is so."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending is None, timeout_s)
        return not self.busy

    def close(self) -> None:
        """Gives up trying again: an attempt goes on to its end, and a later commit gets one."""
        self._gives_up = True

    def _settle(self, *, ended: BaseException | None = None) -> None:
        with self._changed:
            self._ended = ended
            self._pending = None
            self._changed.notify_all()

    def _try(self, pending: _Pending) -> bool:
        """Tries once; whether the commit is in."""
        try:
            commit = self._commit(pending.generation, pending.intent)
        except Exception as error:  # whatever it is, the events are safe: report, try again
            if is_fenced(error):
                emit(Happening.LOADER_FENCED, epoch=self._epoch)
                raise
            emit(
                Happening.LAKE_COMMIT_FAILED,
                commit=pending.intent.commit_id,
                reason=f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX],
                retry_in_s=pending.pause_s,
            )
            return False
        self._clean_up(commit.retired)
        give_back()
        return True

    def _commit(self, generation: Generation, intent: Intent) -> Commit:
        start_s = self._clock.monotonic_s()
        self._catalog.record_intent(self._epoch, intent)
        commit = self._writer.write(
            intent, generation.contents(), committed_at_us=self._clock.now_us()
        )
        marks = {
            name: JournalMark(span.to_position, span.to_offset)
            for name, span in commit.spans.items()
        }
        with self.ledger_lock:
            self._catalog.commit(self._epoch, commit)
            self._view.end_commit(commit, marks)
        self._report.tell(commit, elapsed_s=self._clock.monotonic_s() - start_s)
        return commit
