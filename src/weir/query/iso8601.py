"""Columns of times as ISO 8601 texts, whole columns at a time and whatever Python can hold.

Years before the first are counted as ISO 8601 does (``-0043`` is 44 BC), those beyond 9999 have
as many digits as they need. Fractions are written only when needed. Infinite times are
``infinity`` and ``-infinity``, as the engine says them.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

MICROSECONDS: Final = 1_000_000

EVER: Final = 2**63 - 1
"""The number of a timestamp that stands for infinity; its negative for the other one."""
DAY_EVER: Final = 2**31 - 1
"""The number of a date that stands for infinity."""

_TICKS_IN_SECOND: Final = {"s": 1, "ms": 1000, "us": MICROSECONDS, "ns": 1_000_000_000}

_Unit = Literal["D", "s", "ms", "us", "ns"]
Texts = list[str | None]


class Interval(NamedTuple):
    """A span as the engine keeps it: its parts do not turn into each other."""

    months: int
    days: int
    microseconds: int


def dates(column: pa.Array) -> Texts:
    """Returns days, ``2026-11-20``."""
    return _moments(column, unit="D", ending="")


def timestamps(column: pa.Array) -> Texts:
    """Returns moments in UTC, with a ``Z`` where the type has a zone."""
    return _moments(column, unit=column.type.unit, ending="Z" if column.type.tz else "")


def times(column: pa.Array) -> Texts:
    """Returns times of a day, up to ``24:00:00``."""
    in_second = _TICKS_IN_SECOND[column.type.unit]
    digits = len(str(in_second)) - 1
    out: Texts = []
    for ticks in column.cast(pa.int64()).to_pylist():
        if ticks is None:
            out.append(None)
            continue
        seconds, fraction = divmod(ticks, in_second)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        out.append(_trimmed(f"{hour:02}:{minute:02}:{second:02}.{fraction:0{digits}}"))
    return out


def intervals(column: pa.Array) -> Texts:
    """Returns durations (``P1Y2M3DT4.5S``) of what the engine wrote; each part has its sign."""
    return [None if each is None else _duration(each) for each in parsed_intervals(column)]


def parsed_intervals(column: pa.Array) -> Sequence[Interval | None]:
    """Returns the parts of intervals that the engine wrote: ``1 year 2 days -04:05:06.7``."""
    return [None if text is None else _parsed(text) for text in column.to_pylist()]


def _moments(column: pa.Array, *, unit: _Unit, ending: str) -> Texts:
    is_day = unit == "D"
    ticks = column.cast(pa.int32() if is_day else pa.int64()).fill_null(0)
    numbers = ticks.to_numpy(zero_copy_only=False)
    never = np.abs(numbers) == (DAY_EVER if is_day else EVER)
    finite: npt.NDArray[np.datetime64] = np.where(never, 0, numbers).astype(f"M8[{unit}]")
    out: Texts = [
        _with_whole_year(_trimmed(text)) + ending
        for text in np.datetime_as_string(finite, unit=unit).tolist()
    ]
    for place in np.flatnonzero(never).tolist():
        out[place] = "infinity" if numbers[place] > 0 else "-infinity"
    if column.null_count:
        for place in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
            out[place] = None
    return out


def _trimmed(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if dot and fraction else whole


def _with_whole_year(text: str) -> str:
    """A year before the first with four digits at least; the sign is none of them."""
    if not text.startswith("-"):
        return text
    year, _, rest = text[1:].partition("-")
    return f"-{year:0>4}-{rest}"


_INTERVAL: Final = re.compile(
    r"(?:(?P<years>-?\d+) years? ?)?(?:(?P<months>-?\d+) months? ?)?(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<part>\d+))?)?"
)


def _parsed(text: str) -> Interval:
    found = _INTERVAL.fullmatch(text)
    assert found, "an interval as the engine writes it"
    part = {name: int(digits or 0) for name, digits in found.groupdict().items() if name != "sign"}
    fraction = int((found["part"] or "").ljust(6, "0"))
    seconds = (part["hours"] * 60 + part["minutes"]) * 60 + part["seconds"]
    microseconds = seconds * MICROSECONDS + fraction
    months = part["years"] * 12 + part["months"]
    return Interval(months, part["days"], -microseconds if found["sign"] else microseconds)


def _duration(interval: Interval) -> str:
    sign = "-" if interval.months < 0 else ""
    years, months = divmod(abs(interval.months), 12)
    parts = "".join(
        f"{number}{letter}"
        for number, letter in (
            (f"{sign}{years}" if years else "", "Y"),
            (f"{sign}{months}" if months else "", "M"),
            (str(interval.days) if interval.days else "", "D"),
        )
        if number
    )
    if interval.microseconds:
        seconds, fraction = divmod(abs(interval.microseconds), MICROSECONDS)
        before = "-" if interval.microseconds < 0 else ""
        parts += f"T{before}{_trimmed(f'{seconds}.{fraction:06}')}S"
    return "P" + (parts or "T0S")
