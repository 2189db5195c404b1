"""Log lines on their way to standard error: nobody who logs waits for whoever reads.

Lines wait in a bounded queue; a thread writes them. When the pipe is not read, or its disk is
full, the queue fills up and further lines are dropped and counted, while the node goes on.
"""

import atexit
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

LINES_MAX = 10_000
"""Lines that wait at most."""

LAST_LINES_S = 1.0
"""How long a process that ends waits for its last lines to be written."""


class LineWriter:
    """A text file that never blocks; only whole lines are written to it."""

    __slots__ = (
        "__weakref__",
        "_changed",
        "_descriptor",
        "_is_writing",
        "_lines",
        "_note_dropped",
        "_thread",
    )

    def __init__(self, descriptor: int, *, note_dropped: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._note_dropped = note_dropped
        self._lines: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._begin()
        atexit.register(self.flush_for, LAST_LINES_S)
        os.register_at_fork(after_in_child=self._begin)

    def write(self, text: str) -> None:
        """Takes a line, or drops it."""
        with self._changed:
            if len(self._lines) >= LINES_MAX:
                self._note_dropped()
                return
            self._lines.append(text.encode(errors="backslashreplace"))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Nobody waits here."""

    def flush_for(self, timeout_s: float) -> None:
        """Waits until everything is written, but no longer."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._is_writing), timeout_s)

    def _begin(self) -> None:
        """Empty, and without a thread: a forked child inherits neither."""
        self._lines = deque()
        self._changed = threading.Condition()
        self._is_writing = False
        self._thread = None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                waiting = b"".join(self._lines)
                self._lines.clear()
                self._is_writing = True
            self._write(waiting)

    def _write(self, waiting: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody is there to read; there is nobody to tell
            while waiting:
                waiting = waiting[os.write(self._descriptor, waiting) :]
