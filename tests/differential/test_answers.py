"""Two answers are one when their rows are: in any order unless one was asked for."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.differential.answers import Row, difference

BIG = 2**53


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([(1,), (2,)], [(2,), (1,)]),
        ([(0.1 + 0.2,)], [(0.3,)]),
        ([(3,)], [(3.0,)]),
        ([(Decimal("2.50"),)], [(2.5,)]),
        ([(float("nan"), None)], [(float("nan"), None)]),
        ([([1.0, None],)], [([1.0, None],)]),
        (
            [(datetime(2026, 1, 1, tzinfo=UTC),)],
            [(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),)],
        ),
    ],
)
def test_equal_answers_do_not_differ(found: list[Row], wanted: list[Row]) -> None:
    """Numbers of any type by their value, doubles nearly, times by the moment."""
    assert difference(found, wanted, ordered=False) == ""


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([(1,)], []),
        ([(BIG,)], [(BIG + 1,)]),
        ([("1",)], [(1,)]),
        ([(None,)], [(0,)]),
        ([(True,)], [(1,)]),
        ([("",)], [(None,)]),
        ([(1.0,)], [(1.001,)]),
        ([([1],)], [([1, 2],)]),
    ],
)
def test_other_answers_differ(found: list[Row], wanted: list[Row]) -> None:
    """Large integers exactly, and no type stands for another but numbers for numbers."""
    assert difference(found, wanted, ordered=False)


def test_order_counts_where_it_was_asked_for() -> None:
    """And only there."""
    assert difference([(1,), (2,)], [(2,), (1,)], ordered=True)
