"""The journal's writer: frames go in, and waiters are told once the frames are on disk.

One thread writes, one batch at a time. While it writes and syncs, further frames gather with the
caller; when the waiters of the batch have been told, the next one takes all that gathered. No
timer waits for company. A frame gets its place and its time when its batch is written, so frames
lie in the order in which they were appended and ``received_at`` only grows.

A write or sync that fails is never repeated on that file: the kernel may have dropped the pages
and would report success. Everything unacknowledged is refused, the writer is dead, and its owner
ends; recovery then decides from the disk (docs/decisions/0003-journal-group-commit.md).
"""

import contextlib
import errno
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from weir.clock import Clock
from weir.domain.frame import Draft, Waiter
from weir.errors import LimitExceeded
from weir.journal.appender import Appender
from weir.journal.disk import LOCAL_DISK, Disk, refusal
from weir.journal.file import file_starts
from weir.journal.frame import BODY_BYTES_MAX, META_BYTES_MAX
from weir.journal.opening import open_journal
from weir.journal.state import JournalState
from weir.storage.local import FileLock, make_directory
from weir.telemetry import SYNC_SECONDS, Happening, emit

BATCH_BYTES_MAX = 8 << 20
"""Size at which a batch is written although more frames wait; one frame may be larger."""

Notify = Callable[[Callable[[], None]], object]
"""Runs a function soon, on the thread that the waiters live on."""


_Batch = list[tuple[Draft, Waiter]]


def _at_once(function: Callable[[], None]) -> None:
    function()


class JournalWriter:
    """The one writer of a journal directory, from ``open`` to ``close``.

    ``append`` and ``close`` belong to one thread, the one on which ``notify`` runs functions.
    """

    __slots__ = (
        "_appender",
        "_batch_lock",
        "_batches",
        "_cause",
        "_clock",
        "_closed",
        "_defer",
        "_directory",
        "_in_flight",
        "_lock",
        "_notify",
        "_pending",
        "_pending_bytes",
        "_state",
        "_thread",
        "_writing",
        "start_offset",
    )

    def __init__(
        self,
        directory: Path,
        lock: FileLock,
        state: JournalState,
        appender: Appender,
        *,
        clock: Clock,
        notify: Notify,
        defer: Notify,
    ) -> None:
        self._directory = directory
        self._lock = lock
        self._state = state
        self._appender = appender
        self.start_offset = appender.end.offset
        """Events in the journal when it was opened."""
        self._clock = clock
        self._notify = notify
        self._defer = defer
        self._pending: _Batch = []
        """Appended, and not yet with the thread."""
        self._pending_bytes = 0
        self._in_flight = False
        """A batch is being written or its waiters have not been told yet."""
        self._batch_lock = threading.Lock()
        """Held while what is pending becomes a batch."""
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        """For the thread; None is the end."""
        self._writing: _Batch = []
        """The thread's batch until it is durable."""
        self._cause: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(
            target=self._run, name=f"journal-{directory.name}", daemon=True
        )

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        quarantine: Path,
        clock: Clock,
        file_bytes: int,
        notify: Notify,
        defer: Notify = _at_once,
        disk: Disk = LOCAL_DISK,
    ) -> Self:
        """Takes the journal's lock, recovers what a predecessor left, and starts a fresh file.

        ``defer`` runs a function at the end of the caller's present turn (an event loop's
        ``call_soon``): the frames of one turn then reach the thread together, which wakes it
        once instead of for each.
        The directory's name is the journal's id. ``Conflict`` (``locked``) while another process
        holds the journal: try again while it may be dying. ``Unavailable`` (``disk_full``,
        ``journal_failed``) when the disk refuses; ``Corrupt`` as in ``recovery.recover``.
        """
        try:
            make_directory(directory)
            lock, state, recovered = open_journal(
                directory, quarantine=quarantine, clock=clock, file_bytes=file_bytes, disk=disk
            )
        except OSError as error:
            raise refusal(error) from error
        appender = Appender(directory, recovered, disk=disk, clock=clock, file_bytes=file_bytes)
        writer = cls(directory, lock, state, appender, clock=clock, notify=notify, defer=defer)
        writer._thread.start()
        return writer

    @property
    def dead(self) -> bool:
        """True once a write or sync has failed: nothing more will be taken."""
        return self._cause is not None

    def append(self, draft: Draft, waiter: Waiter) -> None:
        """Takes a frame; ``waiter`` is told later, when it is durable or when it failed.

        Returns at once and does not look at the disk. Memory is not bounded here: the caller
        admits only what it can hold. ``LimitExceeded`` for a frame beyond the format's bounds;
        ``Unavailable`` when the writer is dead or closed.
        """
        if len(draft.body) > BODY_BYTES_MAX or len(draft.meta) > META_BYTES_MAX:
            raise LimitExceeded("The body is too large for the journal.", code="payload_too_large")
        if self._cause is not None or self._closed:
            raise refusal(self._cause)
        self._pending.append((draft, waiter))
        self._pending_bytes += len(draft.body)
        if len(self._pending) == 1 and not self._in_flight:
            self._defer(self._hand_over)

    def backlog_bytes(self) -> int:
        """Bytes of frames in all files that the journal still has, the active one included."""
        starts = file_starts(entry.name for entry in self._directory.iterdir())
        return self._appender.end.position - starts[0]

    def close(self) -> None:
        """Writes and syncs what was appended, then gives files and lock back; waits for that.

        Waiters are still told through ``notify``. Closing twice, or when dead, is fine.
        """
        if self._closed:
            return
        with self._batch_lock:
            self._closed = True
            while self._pending and not self.dead:
                self._batches.put(self._take_batch())
            self._batches.put(None)
        self._thread.join()
        self._state.close()
        self._lock.release()

    def _hand_over(self) -> None:
        """Gives the thread what has gathered, unless it is still busy with the last batch."""
        with self._batch_lock:
            if self._in_flight or not self._pending or self._closed:
                return
            self._in_flight = True
            self._batches.put(self._take_batch())
        if self.dead:  # it died meanwhile and does not look here again
            self._refuse_all()

    def _take_batch(self) -> _Batch:
        """All that is pending, or as much as one write takes."""
        entries = self._pending
        if self._pending_bytes <= BATCH_BYTES_MAX:
            self._pending, self._pending_bytes = [], 0
            return entries
        count = size = 0
        while count < len(entries) and (size < BATCH_BYTES_MAX or not count):
            size += len(entries[count][0].body)
            count += 1
        self._pending, self._pending_bytes = entries[count:], self._pending_bytes - size
        return entries[:count]

    def _answer(self, batch: _Batch, times: list[int]) -> None:
        """The batch is durable: its waiters hear of it, and the next one goes on its way."""
        for (_, waiter), received_at_us in zip(batch, times, strict=True):
            try:
                waiter.durable(received_at_us)
            except Exception as error:  # one waiter's bug must not keep the others waiting
                emit(Happening.REQUEST_FAILED, reason=type(error).__name__)
        self._in_flight = False
        self._hand_over()

    def _run(self) -> None:
        try:
            while self._write_next():
                pass
            self._appender.close()
        except Exception as error:  # whatever it is, nobody may wait for an answer for ever
            self._die(error)

    def _write_next(self) -> bool:
        """Writes one batch, of which nothing is kept while the next is waited for."""
        batch = self._batches.get()
        if batch is None:
            return False
        self._writing = batch
        self._write_batch(batch)
        return True

    def _write_batch(self, batch: _Batch) -> None:
        clock = self._clock
        appender = self._appender
        started_s = clock.monotonic_s()
        self._state.writing_since_us = clock.now_us()
        now_us = clock.now_us()  # read after the store, so that a watermark can rely on it
        times = appender.append([draft for draft, _ in batch], now_us)
        self._state.publish(appender.end, appender.received_floor_us)
        self._state.writing_since_us = 0
        SYNC_SECONDS.observe(clock.monotonic_s() - started_s)
        self._writing = []
        self._notify(partial(self._answer, batch, times))
        appender.change_file_if_full()

    def _die(self, error: Exception) -> None:
        self._cause = error
        number = error.errno if isinstance(error, OSError) else None
        emit(
            Happening.JOURNAL_SYNC_FAILED,
            journal=self._directory.name,
            reason=errno.errorcode.get(number or 0, type(error).__name__),
            code=refusal(error).code,
            frames=len(self._writing),
        )
        with contextlib.suppress(OSError):
            self._appender.abandon()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._notify(self._refuse_all)

    def _refuse_all(self) -> None:
        """Refuses the batch that failed and everything behind it."""
        entries, self._writing = self._writing, []
        with contextlib.suppress(Empty):
            while True:
                entries += self._batches.get_nowait() or []
        entries += self._pending
        self._pending, self._pending_bytes = [], 0
        for _, waiter in entries:
            try:
                waiter.failed(refusal(self._cause))
            except Exception as error:  # one waiter's bug must not keep the others waiting
                emit(Happening.REQUEST_FAILED, reason=type(error).__name__)
