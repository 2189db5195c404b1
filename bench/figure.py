"""One line of the table, and how several runs become one number."""

from statistics import median
from typing import NamedTuple


class Figure(NamedTuple):
    """What was measured, the value found, the goal it is held against, and how it was found."""

    what: str
    value: str
    goal: str
    how: str


def spread(values: list[float], *, digits: int = 2) -> str:
    """The median, and the least and the greatest."""
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
