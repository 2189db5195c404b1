"""Types of results, and the casts that make texts of what Arrow would change."""

from collections.abc import Iterator

import duckdb
import pytest

from weir.engine.column_types import LEAVES_AS_TEXT, column_type, written_as_text


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A bare engine."""
    with duckdb.connect(config={"threads": "1"}) as made:
        yield made


@pytest.mark.parametrize(
    ("expression", "name", "fields"),
    [
        ("1", "integer", []),
        ("now()", "timestamp with time zone", []),
        ("'{}'::JSON", "json", []),
        ("['{}'::JSON]", "list", [("child", "json")]),
        ("array_value(1, 2)", "array", [("child", "integer")]),
        ("{'a b': 1, 'C\"': [2]}", "struct", [("a b", "integer"), ('C"', "list")]),
        ("{}", "struct", []),
        ("(1, 'a')", "tuple", [("", "integer"), ("", "varchar")]),
        ("MAP {'a': now()}", "map", [("key", "varchar"), ("value", "timestamp with time zone")]),
        ("1.5", "decimal", []),
    ],
)
def test_type_is_told_with_what_it_nests(
    connection: duckdb.DuckDBPyConnection,
    expression: str,
    name: str,
    fields: list[tuple[str, str]],
) -> None:
    """By name, JSON as such; the fields in their order."""
    [told] = connection.sql(f"SELECT {expression}").types
    found = column_type(told)
    assert found.name == name
    assert [(field, each.name) for field, each in found.fields] == fields
    assert found.spelled == str(told)


@pytest.mark.parametrize(
    ("expression", "cast"),
    [
        ("INTERVAL 1 DAY", "VARCHAR"),
        ("[INTERVAL 1 DAY]", "VARCHAR[]"),
        ("array_value(array_value(INTERVAL 1 DAY, NULL))", "VARCHAR[2][1]"),
        ("MAP {INTERVAL 1 DAY: now()}", "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)"),
        ("(1, '101'::BIT)", "TUPLE(INTEGER, VARCHAR)"),
        (
            "{'a\" b': 1.5, 'e': {}, 's': [{'t': 'a'::ENUM('a')}]}",
            'STRUCT("a"" b" DECIMAL(2,1), "e" STRUCT, "s" STRUCT("t" VARCHAR)[])',
        ),
    ],
)
def test_only_what_arrow_cannot_hold_becomes_text(
    connection: duckdb.DuckDBPyConnection, expression: str, cast: str
) -> None:
    """Wherever it is nested; what is beside it keeps its type, and the engine takes the cast."""
    relation = connection.sql(f"SELECT 1 AS n, {expression} AS v, 2 AS n")
    written = written_as_text(relation.columns, [column_type(each) for each in relation.types])
    assert written == f'#1 AS "n", CAST(#2 AS {cast}) AS "v", #3 AS "n"'
    made = relation.project(written)
    assert made.columns == relation.columns
    assert written_as_text(made.columns, [column_type(each) for each in made.types]) is None


def test_nothing_is_written_where_nothing_needs_it(connection: duckdb.DuckDBPyConnection) -> None:
    """Most results leave the engine as they are."""
    relation = connection.sql("SELECT 1, 'a', now(), [1.5], {'a': '{}'::JSON}, MAP {1: uuid()}")
    assert written_as_text(relation.columns, [column_type(e) for e in relation.types]) is None


def test_order_and_rows_stay(connection: duckdb.DuckDBPyConnection) -> None:
    """The casts stand around the statement and change neither its order nor its limit."""
    relation = connection.sql(
        "SELECT to_seconds(range) AS v FROM range(100000) ORDER BY hash(range) LIMIT 50000"
    )
    written = written_as_text(relation.columns, [column_type(each) for each in relation.types])
    texts = [row[0] for row in relation.project(str(written)).fetchall()]
    plain = connection.sql(
        "SELECT to_seconds(range)::TEXT FROM range(100000) ORDER BY hash(range) LIMIT 50000"
    )
    assert texts == [row[0] for row in plain.fetchall()]


def test_names_of_texts_are_the_engine_s(connection: duckdb.DuckDBPyConnection) -> None:
    """A name that the engine has not would make nothing a text."""
    known = connection.sql("SELECT lower(logical_type) FROM duckdb_types()").fetchall()
    assert {name for (name,) in known} >= LEAVES_AS_TEXT
