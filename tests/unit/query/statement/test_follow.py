"""The statement of ``weir tail``: the gate takes it, and names in it are values."""

import duckdb
import pytest

from tests.unit.query.statement.gating import pass_events, strings_of
from weir.query.statement.follow import follow_statement


@pytest.mark.parametrize("name", ["buy", "it's", "' OR true --", "$from_us", "\\", "ünï \n"])
def test_names_are_literals(name: str) -> None:
    """What is built reads back as the names that were given, through the gate too."""
    sql = follow_statement(from_us=1_795_176_000_000_000, events=[name, "other"])
    for text in (sql, pass_events(sql).sql):
        assert strings_of(text) == [name, "other"]


def test_statement_asks_from_a_moment_on_in_order() -> None:
    """Of all names where none is given; the columns are those that are printed."""
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "CREATE TABLE events AS SELECT make_timestamptz(x) AS received_at, 9 - x AS seq,"
        " 'id' || x AS event_id, if(x % 2 = 0, 'even', 'odd') AS event, NULL AS user_id,"
        " 'a' AS anonymous_id, '{}' AS properties FROM range(8) t(x)"
    )
    rows = connection.sql(follow_statement(from_us=5)).fetchall()
    assert rows == [
        (x, 9 - x, f"id{x}", ("even", "odd")[x % 2], None, "a", "{}") for x in (5, 6, 7)
    ]
    odd = connection.sql(follow_statement(from_us=2, events=["odd", "none"])).fetchall()
    assert [row[0] for row in odd] == [3, 5, 7]
