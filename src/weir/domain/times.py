"""Times: everything counts in microseconds since 1970-01-01 UTC, and turns them here.

Months, in which quotas are measured, are calendar months in UTC, counted since January 1970.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
DAY_US: Final = 86_400 * SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(time_us: int) -> datetime:
    """The moment in UTC; raises ``OverflowError`` outside of the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=time_us)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of a moment; one without a zone is UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def all_to_us(moments: Sequence[datetime | None], *, absent: int) -> list[int]:
    """``to_us`` of many moments, ``absent`` in the place of none; each event has some."""
    try:
        return [absent if each is None else (each - _EPOCH) // _MICROSECOND for each in moments]
    except TypeError:  # some have no zone
        return [absent if each is None else to_us(each) for each in moments]


def to_iso(time_us: int) -> str:
    """The moment as ISO 8601 in UTC, ``2026-11-20T12:00:00.000123Z``."""
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")


def month_of(time_us: int) -> int:
    """The month that a moment lies in."""
    moment = to_datetime(time_us)
    return (moment.year - 1970) * 12 + moment.month - 1


def month_start_us(month: int) -> int:
    """The first microsecond of a month."""
    return to_us(datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC))
