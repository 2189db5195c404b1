"""A hold on removals: while a backup copies, no file of the lake or the journals goes away."""

import contextlib
import threading
from collections.abc import Generator

from weir.clock import Clock

LEASE_S_MAX = 600.0
"""The longest lease: what a backup that died holds back is removed after that."""


class RemovalHold:
    """The time until which nothing may be removed.

    A lease ends by itself and is extended by a new one. Those that remove do not wait for each
    other; who asks for a hold waits for them.
    """

    __slots__ = ("_changed", "_clock", "_removing", "_until_s")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._removing = 0
        self._until_s = 0.0

    def extend(self, lease_s: float) -> None:
        """Nothing is being removed when it returns, nor for so long after the call."""
        with self._changed:
            until_s = self._clock.monotonic_s() + min(lease_s, LEASE_S_MAX)
            self._until_s = max(self._until_s, until_s)
            self._changed.wait_for(lambda: not self._removing)

    @contextlib.contextmanager
    def removing(self) -> Generator[bool]:
        """Whether files may be removed in the block."""
        with self._changed:
            may_remove = self._clock.monotonic_s() >= self._until_s
            self._removing += may_remove
        try:
            yield may_remove
        finally:
            with self._changed:
                self._removing -= may_remove
                self._changed.notify_all()
