"""Calendar months in UTC, counted since January 1970: what monthly quotas are measured in."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def month_of(time_us: int) -> int:
    """The month of a time in microseconds since 1970."""
    time = _EPOCH + time_us * _MICROSECOND
    return (time.year - 1970) * 12 + time.month - 1


def month_start_us(month: int) -> int:
    """The first microsecond of a month."""
    return (datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
