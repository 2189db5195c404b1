"""How properties are read and columns are named, by running the statements."""

import functools
import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.query.statement.gating import pass_events

PROPERTIES = {
    "plan": "pro",
    "price": 12.5,
    "n": 3,
    "text_number": "7",
    "word": "abc",
    "flag": True,
    "none": None,
    "a": {"b": {"c": "deep"}, "list": [10, "x"]},
    "a.b": "dotted",
    "$pathname": "/home",
    "/slash": "s",
    "~tilde": "t",
    'quo"te': "q",
    "apo'strophe": "p",
    "": "empty",
    "0": "zero",
    "*": "star",
}


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """One engine for all tests of this module."""
    return duckdb.connect(config={"threads": "1"})


def run(sql: str, properties: object = PROPERTIES) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows over one event with these properties."""
    columns = "event TEXT, seq INT, properties TEXT, context TEXT"
    connection().execute(f"CREATE OR REPLACE TABLE events ({columns})")
    row = ["click", 1, json.dumps(properties), '{"os": "linux"}']
    connection().execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
    passed = pass_events(sql)
    result = connection().sql(passed.sql)
    return result.columns, result.fetchall()


def value(expression: str) -> Any:
    """The expression's value over the one event."""
    (row,) = run(f"SELECT {expression} FROM events AS e")[1]
    return row[0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("properties.plan", "pro"),
        ("properties['plan']", "pro"),
        ("properties->>'plan'", "pro"),
        ("PROPERTIES.plan", "pro"),
        ("e.properties.plan", "pro"),
        ("e.properties['plan']", "pro"),
        ("e.properties->>'plan'", "pro"),
        ("(properties)->>'plan'", "pro"),
        ("properties.price", "12.5"),
        ("properties.flag", "true"),
        ("properties.none", None),
        ("properties.missing", None),
        ("properties.a.b.c", "deep"),
        ("e.properties.a.b.c", "deep"),
        ("properties.a['b'].c", "deep"),
        ("properties->'a'->'b'->>'c'", "deep"),
        ("(properties->'a')->>'b'", '{"c":"deep"}'),
        ("properties.a", '{"b":{"c":"deep"},"list":[10,"x"]}'),
        ("properties->'a'->'list'->>1", "x"),
        ("properties['a.b']", "dotted"),
        ("properties->>'$pathname'", "/home"),
        ('properties."$pathname"', "/home"),
        ("properties->>'/slash'", "s"),
        ("properties->>'~tilde'", "t"),
        ("properties['quo\"te']", "q"),
        ("properties['apo''strophe']", "p"),
        ("properties['']", "empty"),
        ("properties['0']", "zero"),
        ("properties->>'*'", "star"),
        ("context.os", "linux"),
        ("json_extract_string(properties, '$.a.b.c')", "deep"),
        ("properties->>'plan' = 'pro'", True),
        ("properties.price > 12", True),
        ("12 < properties.price", True),
        ("properties.price > -1", True),
        ("properties.text_number > 10", False),
        ("properties.text_number > '10'", True),
        ("properties.word > 10", None),
        ("properties.n = 3", True),
        ("properties.n = '3'", True),
        ("properties.n IN (1, 3)", True),
        ("properties.n IN ('3')", True),
        ("properties.price BETWEEN 12 AND 13", True),
        ("properties.n IS DISTINCT FROM 3", False),
        ("properties.flag = true", True),
        ("properties.price * 2", 25.0),
        ("-properties.price", -12.5),
        ("properties.price / properties.n > 4", True),
        ("round(properties.price, 0)", 13.0),
        ("coalesce(properties.missing, 0)", 0.0),
        ("coalesce(properties.missing, 'x')", "x"),
        ("CASE WHEN properties.n = 3 THEN properties.price ELSE 0 END", 12.5),
        ("CASE properties.plan WHEN 'pro' THEN 1 END", 1),
        ("sum(properties.price)", 12.5),
        ("sum(coalesce(properties.price, 0))", 12.5),
        ("sum(CASE WHEN properties.plan = 'pro' THEN properties.price END)", 12.5),
        ("sum(properties.word)", None),
        ("avg(DISTINCT properties.price) FILTER (WHERE properties.flag = true)", 12.5),
        ("max(properties.text_number)", 7.0),
        ("min(properties->>'price')", 12.5),
        ("median(properties.price)", 12.5),
        ("quantile_cont(properties.price, 0.9)", 12.5),
        ("percentile_cont(0.9) WITHIN GROUP (ORDER BY properties.price DESC)", 12.5),
        ("sum(properties.price) OVER (PARTITION BY properties.plan)", 12.5),
        ("string_agg(properties.plan, ',')", "pro"),
        ("count(properties.missing)", 0),
        ("properties.n::int + 1", 4),
        ("CAST(properties.n AS BIGINT)", 3),
        ("properties.plan LIKE 'p%'", True),
        ("list_transform([1], properties -> properties + 1)", [2]),
    ],
)
def test_property_reads_as(expression: str, expected: object) -> None:
    """Text by default; a number where one is wanted; null for what is not one."""
    assert value(expression) == expected


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        min_size=1,
        max_size=4,
    )
)
def test_any_key_is_found_by_its_exact_name(properties: dict[str, str]) -> None:
    """Dots, quotes, slashes, dollars and the empty key are names like any other."""
    for key, expected in properties.items():
        quoted = key.replace("'", "''")
        for expression in (f"properties['{quoted}']", f"properties->>'{quoted}'"):
            rows = run(f"SELECT {expression} FROM events", properties)[1]
            assert rows == [(expected,)]


@pytest.mark.parametrize(
    ("projection", "name"),
    [
        ("count()", "count"),
        ("count(*)", "count"),
        ("COUNT(DISTINCT event)", "count"),
        ("sum(seq) FILTER (WHERE true)", "sum"),
        ("row_number() OVER ()", "row_number"),
        ("date_trunc('day', TIMESTAMP '2026-01-01')", "date_trunc"),
        ("lower(event)::TEXT", "lower"),
        ("properties.plan", "plan"),
        ("properties.a.b", "b"),
        ("properties['$pathname']", "$pathname"),
        ("properties['']", "properties"),
        ("(properties->>'plan')", "plan"),
        ("properties.n::int", "n"),
        ("event", "event"),
        ("events.event", "event"),
        ("event AS e", "e"),
        ("1", "1"),
        ("seq + 1", "seq + 1"),
        ("properties.price * 2", "properties.price * 2"),
        ("extract(year FROM DATE '2026-01-01')", "extract"),
        ("CASE WHEN true THEN 1 END", "case"),
        ("DATE '2026-01-01'", "DATE '2026-01-01'"),
    ],
)
def test_unaliased_column_is_named_as_its_reader_expects(projection: str, name: str) -> None:
    """By the function, by the last key, else by what was written."""
    assert run(f"SELECT {projection} FROM events GROUP BY ALL")[0] == [name]


def test_names_can_be_used_by_the_query_around() -> None:
    """A subquery's natural names are names."""
    sql = "SELECT plan, count FROM (SELECT properties.plan, count() FROM events GROUP BY plan)"
    assert run(sql) == (["plan", "count"], [("pro", 1)])


def test_cte_may_shadow_events() -> None:
    """A CTE named events narrows the table for the rest of the query."""
    sql = "WITH events AS (SELECT * FROM events WHERE seq > 1) SELECT count() FROM events"
    assert run(sql)[1] == [(0,)]
