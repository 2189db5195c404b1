"""A new loader reads again what the last one held in memory; this is who waits for that.

Snapshots carry a watermark, so one that is taken earlier says what it lacks: it is waited for a
short moment only, in which a small tail is whole again. What has no watermark waits to the end.
"""

from typing import Protocol

from weir.clock import Clock
from weir.errors import Unavailable

SNAPSHOT_PATIENCE_S = 1.0
"""How long after the loader's start a snapshot may wait for the whole tail."""

WHOLE_PATIENCE_S = 9.0
"""How long a request waits that needs the whole tail: its asker waits no longer than 10 s."""


class Flag(Protocol):
    """What threads wait for: ``threading.Event``."""

    def set(self) -> None:
        """Lets everybody go on who waits, now or later."""
        ...

    def wait(self, timeout: float, /) -> bool:
        """Waits until it is set, so many seconds at most; whether it is."""
        ...


class Rereading:
    """Whether all that was durable at the loader's start has been read. Any thread may wait."""

    __slots__ = ("_clock", "_is_over", "_started_s")

    def __init__(self, is_over: Flag, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._is_over = is_over

    def end(self) -> None:
        """Everything has been read."""
        self._is_over.set()

    def await_shortly(self) -> None:
        """Returns at the end, or when snapshots have waited for it long enough."""
        left_s = self._started_s + SNAPSHOT_PATIENCE_S - self._clock.monotonic_s()
        if left_s > 0:
            self._is_over.wait(left_s)

    def await_end(self) -> None:
        """Returns at the end; raises ``Unavailable`` when it does not come in time."""
        if not self._is_over.wait(WHOLE_PATIENCE_S):
            raise Unavailable(
                "The loader still reads what it held in memory before it was started again.",
                hint="Queries are answered meanwhile, up to the watermark that they tell.",
                retry_after_s=1,
            )
