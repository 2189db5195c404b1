"""The only place that reads the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the program may ask about time."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC. May jump; only for what is recorded."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow. For timers and deadlines."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()
