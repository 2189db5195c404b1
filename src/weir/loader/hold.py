"""A hold on removals: while a backup copies, no file of the lake or the journals goes away."""

import contextlib
import threading
from collections.abc import Generator

from weir.clock import Clock

LEASE_S_MAX = 600.0
"""The longest lease: what a backup that died holds back is removed after that."""


class RemovalHold:
    """Until when nothing may be removed. A lease ends by itself and is extended by a new one."""

    __slots__ = ("_clock", "_lock", "_until_s")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until_s = 0.0

    def extend(self, lease_s: float) -> None:
        """Nothing is being removed when it returns, nor for so long after."""
        with self._lock:
            until_s = self._clock.monotonic_s() + min(lease_s, LEASE_S_MAX)
            self._until_s = max(self._until_s, until_s)

    @contextlib.contextmanager
    def removing(self) -> Generator[bool]:
        """Whether files may be removed now; who asks for a hold waits until the block ends."""
        with self._lock:
            yield self._clock.monotonic_s() >= self._until_s
