"""Moments and microseconds, and months of the calendar in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.times import all_to_us, month_of, month_start_us, to_datetime, to_iso, to_us


@pytest.mark.parametrize(("year", "month"), [(1970, 1), (2024, 2), (2024, 12), (2025, 1)])
def test_month_begins_at_its_first_microsecond(year: int, month: int) -> None:
    """And the one before ends there."""
    start_us = round(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000
    number = (year - 1970) * 12 + month - 1
    assert month_start_us(number) == start_us
    assert month_of(start_us) == number
    assert month_of(start_us - 1) == number - 1


@given(st.datetimes(timezones=st.timezones() | st.just(UTC), allow_imaginary=False))
def test_a_moment_survives_the_way_there_and_back(moment: datetime) -> None:
    """Whatever its zone, to the microsecond."""
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:  # before year 1 or after 9999 in UTC
        return
    assert to_datetime(to_us(moment)) == expected


def test_a_moment_without_a_zone_is_utc() -> None:
    """As are those beside it that have one."""
    plain, east = (
        datetime(2026, 1, 2, 3, tzinfo=UTC).replace(tzinfo=None),
        datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
    )
    assert to_us(plain) == to_us(east) == 1_767_322_800_000_000
    assert all_to_us([plain, None, east], absent=-1) == [to_us(plain), -1, to_us(plain)]
    assert all_to_us([east, None], absent=-1) == [to_us(plain), -1]


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_763_640_000_000_123, "2025-11-20T12:00:00.000123Z"),
    ],
)
def test_text_of_a_moment_is_iso_8601_in_utc(time_us: int, text: str) -> None:
    """With microseconds where there are some."""
    assert to_iso(time_us) == text
