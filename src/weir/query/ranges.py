"""Ranges of time: what a file may hold, and what a query can need of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from weir.domain.times import DAY_US, to_us


class Range(NamedTuple):
    """A range of time in microseconds since 1970 in UTC, both ends included."""

    least_us: int
    greatest_us: int

    def meets(self, other: "Range") -> bool:
        """Returns whether some moment is in both ranges."""
        both = self.within(other)
        return both.least_us <= both.greatest_us

    def within(self, other: "Range") -> "Range":
        """Returns the moments that are in both ranges; with none, a range that meets nothing."""
        return Range(max(self.least_us, other.least_us), min(self.greatest_us, other.greatest_us))


EVER: Final = Range(-(2**63), 2**63 - 1)


class Window(NamedTuple):
    """Bounds of a row's times: those of a file's rows, or those that a query may ask for."""

    ts: Range = EVER
    received_at: Range = EVER

    def meets(self, other: "Window") -> bool:
        """Returns whether a row could be in both windows."""
        return self.ts.meets(other.ts) and self.received_at.meets(other.received_at)


def is_needed(held: Window, asked: Iterable[Window]) -> bool:
    """Returns whether a file whose rows lie in ``held`` can matter to one of the windows."""
    return any(held.meets(each) for each in asked)


def day_range(day: str) -> Range:
    """Returns the moments of a UTC day, ``YYYY-MM-DD``."""
    start = to_us(datetime.fromisoformat(day))
    return Range(start, start + DAY_US - 1)
