"""Bounds of time in many spellings, most of which the node reads to leave files out."""

from random import Random
from typing import Final

_DAYS: Final = (
    *("2026-01-01", "2026-01-15", "2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"),
    *("2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01", "2026-05-31", "2026-06-30"),
    *("2020-02-29", "2001-03-01", "2026-07-04"),
)
_CLOCKS: Final = (
    *("00:00:00", "12:00:00", "06:00:00", "18:30:00"),
    *("23:59:59.999999", "00:00:00.000001"),
)
_ZONES: Final = ("", "Z", "+02:00", "-05:30", "+00")
_UNITS: Final = (
    *("MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"),
)
_NOW: Final = ("now()", "current_date", "current_timestamp")
_FAR: Final = ("1 DAY", "7 DAY", "'2 days'", "1 MONTH", "10 YEAR", "'25 years'", "3 WEEK")
"""Nothing lies so near to a bound that a moment between two engines could matter."""
_TRUNCATED: Final = ("hour", "day", "week", "month", "quarter", "year")
_INTERVALS: Final = (
    *("'1 day 02:03:04'", "'6 days ago'", "'2 months'", "'1 month 1 day'", "'90 minutes'"),
    *("'1 year'", "'36 hours'", "'2 mons'", "'-3 days'", "'1h30m'", "'1 day 2 hours'", "'3 weeks'"),
)
_OPERATORS: Final = ("<", "<=", ">", ">=", "=")


def bound(chance: Random, prefix: str = "") -> str:
    """Returns a condition on ``ts`` or ``received_at``."""
    column = prefix + ("ts" if chance.random() < 0.85 else "received_at")
    operator = chance.choice(_OPERATORS[:4] if chance.random() < 0.9 else _OPERATORS)
    drawn = chance.random()
    if drawn < 0.55:
        return f"{column} {operator} {_constant(chance)}"
    if drawn < 0.65:
        return f"{_constant(chance)} {operator} {column}"
    if drawn < 0.8:
        first, last = sorted(chance.sample(_DAYS, 2))
        return f"{column} BETWEEN {_fixed(chance, first)} AND {_fixed(chance, last)}"
    if drawn < 0.85:
        return f"{column}::DATE {operator} DATE '{chance.choice(_DAYS)}'"
    if drawn < 0.9:
        return f"date_trunc('month', {column}) {operator} {_day(chance)}"
    if drawn < 0.95:
        return f"NOT ({column} {operator} {_constant(chance)})"
    return f"({column} {operator} {_constant(chance)} OR {column} > {_constant(chance)})"


def _constant(chance: Random) -> str:
    drawn = chance.random()
    if drawn < 0.55:
        return _fixed(chance, chance.choice(_DAYS))
    if drawn < 0.75:
        return f"{_day(chance)} {chance.choice('+-')} {_interval(chance)}"
    if drawn < 0.83:
        return f"date_trunc('{chance.choice(_TRUNCATED)}', {_day(chance)})"
    if drawn < 0.93:
        return f"{chance.choice(_NOW)} - INTERVAL {chance.choice(_FAR)}"
    return f"date_trunc('year', now()) - {_interval(chance)}"


def _fixed(chance: Random, day: str) -> str:
    clock, zone = chance.choice(_CLOCKS), chance.choice(_ZONES)
    separator = chance.choice((" ", "T"))
    return chance.choice(
        (
            f"'{day}'",
            f"'{day}{separator}{clock}{zone}'",
            f"DATE '{day}'",
            f"TIMESTAMP '{day} {clock}'",
            f"TIMESTAMPTZ '{day} {clock}{zone}'",
            f"'{day} {clock}{zone}'::TIMESTAMPTZ",
            f"CAST('{day}' AS DATE)",
            f"'{day} {clock}'::TIMESTAMP",
            f"make_timestamp({int(day[:4])}, {int(day[5:7])}, {int(day[8:])}, 3, 0, 0.5)",
        )
    )


def _day(chance: Random) -> str:
    day = chance.choice(_DAYS)
    written = (f"DATE '{day}'", f"TIMESTAMP '{day} 12:00:00'", f"TIMESTAMPTZ '{day} 00:00:00+02'")
    return chance.choice((*written, f"'{day}'::DATE"))


def _interval(chance: Random) -> str:
    drawn, count = chance.random(), chance.randrange(0, 5)
    if drawn < 0.5:
        return f"INTERVAL {count} {chance.choice(_UNITS)}"
    if drawn < 0.7:
        return f"INTERVAL '{count}' {chance.choice(_UNITS)}"
    if drawn < 0.9:
        return f"INTERVAL {chance.choice(_INTERVALS)}"
    return chance.choice((f"to_days({count})", f"to_months({count})", "to_hours(30)"))
