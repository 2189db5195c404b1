"""The oracle reads JSON as docs/reference/sql.md says that the node does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.differential.oracle import Oracle, Path, column_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BIG = 2**53
VALUES = (
    *("1", "1.5", '"12"', '"NaN"', '"1_000"', "true", "null", str(BIG), str(BIG + 1), "1e2"),
    *("[1, 2]", '{"k": "v"}'),
)
PROPERTY = Path("properties", ("a/b'",))


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """An event for each of the values, and one without any."""
    texts = [
        f'{{"event_id": "{place:02}", "properties": {{"a/b\'": {value}, "a/b\'": 7}}}}'
        for place, value in enumerate(VALUES)
    ]
    texts.append('{"event_id": "99", "event": "e", "ts": "2026-01-01", "properties": {}}')
    arrivals = {f"{place:02}": NOW for place in range(100)}
    made = Oracle(texts, arrivals, paths=[PROPERTY], literals=["2", str(BIG)])
    yield made
    made.close()


def values_of(oracle: Oracle, aspect: str) -> list[object]:
    """A column, by the order of the values."""
    return [
        value
        for (value,) in oracle.rows(
            f"SELECT {column_of(PROPERTY, aspect)} FROM events ORDER BY event_id"
        )
    ]


def test_text_is_what_the_value_says(oracle: Oracle) -> None:
    """The first of two equal keys counts; null and what is missing are null."""
    assert values_of(oracle, "text") == [
        *("1", "1.5", "12", "NaN", "1_000", "true", None, str(BIG), str(BIG + 1), "100.0"),
        *("[1,2]", '{"k":"v"}', None),
    ]


def test_numbers_are_numbers_and_texts_that_spell_one(oracle: Oracle) -> None:
    """Words such as NaN are none."""
    numbers = [1.0, 1.5, 12.0, None, None, None, None, BIG, BIG, 100.0, None, None, None]
    assert values_of(oracle, "double") == numbers


def test_ranks_order_numbers_exactly(oracle: Oracle) -> None:
    """Also those that no double tells apart."""
    ranks = values_of(oracle, "rank")
    assert ranks[7] == oracle.rank(str(BIG))
    assert ranks[8] == oracle.rank(str(BIG)) + 1
    order = values_of(oracle, "order")
    numbers, texts = [order[place] for place in (0, 1, 2, 9, 7, 8)], [order[3], order[5]]
    assert [*numbers, *texts] == sorted([*numbers, *texts], key=lambda place: int(str(place)))


def test_a_json_null_is_json(oracle: Oracle) -> None:
    """What is missing is not."""
    whole = values_of(oracle, "json")
    assert whole[6] == "null"
    assert whole[-1] is None


def test_an_event_without_a_time_has_that_of_its_arrival(oracle: Oracle) -> None:
    """And a claimed time stays."""
    [(first,), *_, (last,)] = oracle.rows("SELECT ts FROM events ORDER BY event_id")
    assert first - NOW == timedelta()
    assert last == datetime(2026, 1, 1, tzinfo=UTC)
