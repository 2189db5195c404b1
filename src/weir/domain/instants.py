"""Times as clients write them: ISO 8601 in each form that a client library emits, epoch numbers.

Pure, and nothing is guessed: a text has one meaning or none. Sources: ISO 8601-1:2019, RFC 3339,
RFC 9557 (``[Zone]`` behind an offset), ECMAScript's expanded years (``±YYYYYY``).

- A date ``2026-01-02``, ``20260102``, ``+002026-01-02`` or ``2026-W01-5``; alone it is midnight.
- Behind ``T`` or a space ``03``, ``03:04``, ``03:04:05`` or ``030405``, with any number of digits
  behind a point or comma; they are rounded to microseconds, half up.
- ``24:00`` is the next midnight. A leap second, ``23:59:60`` UTC at the end of a month, is the
  first second of the next one, as in POSIX.
- A zone ``Z``, ``+01``, ``+01:00``, ``+0100`` or ``+01:00:30``; none is UTC. Names in brackets
  behind it say nothing more and are dropped.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EPOCH_DIGITS_MIN = 9
"""Digits of a text that is an epoch number; fewer may be a date."""

_TIME_CHARS_MAX = 200
_LAST = datetime.max.replace(tzinfo=UTC)

_ISO = re.compile(
    r"(?P<year>[+-]\d{6}|\d{4})(?P<dash>-?)"
    r"(?:(?P<month>\d\d)(?P=dash)(?P<day>\d\d)|W(?P<week>\d\d)(?P=dash)(?P<weekday>\d))"
    r"(?:[Tt ](?P<hour>\d\d)"
    r"(?:(?P<colon>:?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d)(?:[.,](?P<digits>\d+))?)?)?"
    r"(?: ?(?:[Zz]|(?P<offset>[+-]\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?))(?:\[[^][]+\])*)?)?",
    re.ASCII,
)
_OFFSET_PARTS = re.compile(r"\d\d(?:\.\d+)?")
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_EPOCH_TEXT = re.compile(rf"-?\d{{{EPOCH_DIGITS_MIN},}}(?:\.\d+)?", re.ASCII)
_UNITS_PER_S = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
_NANOSECONDS_PER_S = 10**9


def parse_time(text: str) -> datetime | None:
    """A time in any of the ISO 8601 forms above, with its zone.

    None for any other text, and for years other than 1 to 9999. Spaces around it do not matter.
    """
    found = _ISO.fullmatch(text.strip()) if len(text) <= _TIME_CHARS_MAX else None
    if found is None or not 1 <= int(found["year"]) <= 9999:
        return None
    try:
        return _assemble(found)
    except ValueError:
        return None
    except OverflowError:  # the end of the year 9999, rounded up: some write it for "never"
        return _LAST


def parse_epoch(number: str) -> datetime | None:
    """The time of a JSON number since 1970-01-01 UTC, rounded to microseconds, half up.

    Its size tells the unit: below 10**11 seconds (to the year 5138), below 10**14 milliseconds,
    below 10**17 microseconds, else nanoseconds. None outside of the years 1 to 9999.
    """
    if not _NUMBER.fullmatch(number):
        return None
    value = Decimal(number)
    size = abs(value)
    per_s = next((per for limit, per in _UNITS_PER_S if size < limit), _NANOSECONDS_PER_S)
    microseconds = (value * 10**6 / per_s).to_integral_value(ROUND_HALF_UP)
    try:
        return EPOCH + timedelta(microseconds=int(microseconds))
    except OverflowError:
        return None


def parse_time_or_epoch(text: str) -> datetime | None:
    """``parse_time``, or ``parse_epoch`` of a text with at least ``EPOCH_DIGITS_MIN`` digits."""
    text = text.strip()
    return parse_epoch(text) if _EPOCH_TEXT.fullmatch(text) else parse_time(text)


def is_beyond_years(text: str) -> bool:
    """Whether a text that ``parse_time`` does not take has the form of a time in another year."""
    found = _ISO.fullmatch(text.strip()) if len(text) <= _TIME_CHARS_MAX else None
    return found is not None and not 1 <= int(found["year"]) <= 9999


def _assemble(found: re.Match[str]) -> datetime:
    day = _day(found)
    zone = _zone(found["offset"])
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    fraction = _round_fraction(found["digits"] or "")
    if hour == 24:
        if minute or second or fraction:
            raise ValueError("24:00 is the only time of its hour")
        return datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
    is_leap = second == 60
    start = datetime(day.year, day.month, day.day, hour, minute, second - is_leap, tzinfo=zone)
    if is_leap:
        _check_leap(start)
    return start + timedelta(seconds=int(is_leap), microseconds=fraction)


def _day(found: re.Match[str]) -> date:
    year = int(found["year"])
    if found["week"]:
        return date.fromisocalendar(year, int(found["week"]), int(found["weekday"]))
    return date(year, int(found["month"]), int(found["day"]))


def _zone(offset: str | None) -> timezone:
    if offset is None:
        return UTC
    hours, minutes, seconds = [*_OFFSET_PARTS.findall(offset), "0", "0"][:3]
    if int(minutes) > 59 or float(seconds) >= 60:
        raise ValueError("no offset has so many minutes or seconds")
    size = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return timezone(-size if offset.startswith("-") else size)


def _round_fraction(digits: str) -> int:
    """Microseconds, half up: the digits behind the seventh cannot matter."""
    return (int((digits + "0000000")[:7]) + 5) // 10


def _check_leap(start: datetime) -> None:
    """A leap second follows the last second of a month in UTC."""
    following = start + timedelta(seconds=1) - (start.utcoffset() or timedelta())
    if (following.day, following.hour, following.minute, following.second) != (1, 0, 0, 0):
        raise ValueError("no leap second is there")
