"""Months of the calendar in UTC."""

from datetime import UTC, datetime

import pytest

from weir.domain.month import month_of, month_start_us


@pytest.mark.parametrize(("year", "month"), [(1970, 1), (2024, 2), (2024, 12), (2025, 1)])
def test_month_begins_at_its_first_microsecond(year: int, month: int) -> None:
    """And the one before ends there."""
    start_us = round(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000
    number = (year - 1970) * 12 + month - 1
    assert month_start_us(number) == start_us
    assert month_of(start_us) == number
    assert month_of(start_us - 1) == number - 1
