"""Background work: one small protocol, and the thread that carries it out.

Whatever the loader does beside reading and answering is a ``BackgroundWork``: the lake commit
(``commit/committer.py``), and in ``upkeep/`` removals, the sweep of orphans, the scrub and
compaction. A work knows nothing of threads: tests call its steps themselves.
"""

import threading
from collections.abc import Sequence
from typing import Protocol

from weir.clock import Clock
from weir.errors import Conflict
from weir.loader.ports import is_fenced


class BackgroundWork(Protocol):
    """Work that is done a step at a time."""

    def step(self, now_s: float) -> float | None:
        """Does a bounded part; returns the monotonic time from which the next step is wanted.

        A time that is over asks for it at once, None for one when the thread is woken. A step
        that comes earlier does no harm.
        """
        ...

    def close(self) -> None:
        """Cuts a running step short where that is safe. Called once, from any thread."""
        ...


class BackgroundThread:
    """Carries out works in one thread, from ``start`` until ``close``.

    Those that are due get a step each in turn, so that one with much to do holds the others up
    for one of its steps and no longer. A loader that another one has replaced needs no background
    work: the ``Conflict`` that says so ends the thread.
    """

    __slots__ = (
        "_changed",
        "_clock",
        "_due_s",
        "_first_after_s",
        "_is_closed",
        "_is_woken",
        "_thread",
        "works",
    )

    def __init__(
        self,
        name: str,
        works: Sequence[BackgroundWork],
        clock: Clock,
        *,
        first_after_s: float = 0.0,
    ) -> None:
        """``first_after_s``: how long after the thread's start the works get their first step."""
        self.works = tuple(works)
        self._clock = clock
        self._first_after_s = first_after_s
        self._due_s: list[float | None] = []
        """When the next step of each work is wanted. Only the thread touches it."""
        self._changed = threading.Condition()
        self._is_woken = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins to carry the works out."""
        self._due_s = [self._clock.monotonic_s() + self._first_after_s] * len(self.works)
        self._thread.start()

    def wake(self) -> None:
        """Has every work get a step soon."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the thread after the step that is running; does not wait for that."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for work in self.works:
            work.close()

    def join(self) -> None:
        """Returns when the thread has ended, or was never started."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._wait_until_due():
                for number, work in enumerate(self.works):
                    self._step_if_due(number, work)
        except Conflict as error:
            if not is_fenced(error):
                raise

    def _wait_until_due(self) -> bool:
        """Waits until a work is due; False when it was closed."""
        with self._changed:
            while not self._is_closed:
                if self._is_woken:
                    self._is_woken = False
                    self._due_s = [0.0] * len(self.works)
                due_s = min((each for each in self._due_s if each is not None), default=None)
                left_s = None if due_s is None else due_s - self._clock.monotonic_s()
                if left_s is not None and left_s <= 0:
                    return True
                self._changed.wait(left_s)
            return False

    def _step_if_due(self, number: int, work: BackgroundWork) -> None:
        due_s, now_s = self._due_s[number], self._clock.monotonic_s()
        if due_s is not None and due_s <= now_s and not self._is_closed:
            self._due_s[number] = work.step(now_s)
