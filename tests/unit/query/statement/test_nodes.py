"""The tables of the tree's parts are the engine's: nothing is missing, nothing is invented."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from tests.unit.query.statement.gating import connection, syntax
from tests.unit.query.statement.test_gate import ALLOWED
from weir.query.statement.nodes import KNOWN, LEAF, NODE, Fields, kind_of

MORE = """
SELECT a.x, sum(x) FILTER (WHERE y), count(DISTINCT x ORDER BY z DESC NULLS LAST)
SELECT 1 FROM events AS a (x, y) TABLESAMPLE 10% WHERE x COLLATE nocase = 'a' HAVING true
SELECT a.x FROM a ORDER BY x NULLS FIRST LIMIT 10% OFFSET 2
SELECT lead(x, 1, 0 ORDER BY y) OVER (PARTITION BY z ROWS BETWEEN 1 PRECEDING AND x FOLLOWING)
SELECT lag(DISTINCT x IGNORE NULLS) FILTER (WHERE y) OVER (ORDER BY y ROWS 1 PRECEDING EXCLUDE TIES)
SELECT TRY_CAST(x AS DECIMAL(3, 1)), x = ANY (SELECT 1), f(a := 1), x[1:2] AS b, (x).y
SELECT * EXCLUDE (a, t.b) REPLACE (1 AS c) RENAME (d AS e), t.* FROM t ORDER BY ALL
WITH a (x) AS MATERIALIZED (SELECT 1) (SELECT 1) UNION ALL (SELECT 2)
SELECT * FROM range(3) WITH ORDINALITY AS r (a, b), (SELECT 1) AS s (c), t JOIN u USING (x)
SELECT * FROM (VALUES (1)) AS v (d)
SELECT DISTINCT ON (a) lambda x: x, #1, DATE '2026-01-01', CASE WHEN a THEN 1 END
SELECT a FROM t GROUP BY GROUPING SETS ((a), ()) QUALIFY true USING SAMPLE 5 ROWS
SELECT 1 BETWEEN 0 AND 2 FROM (SELECT 2) TABLESAMPLE 5%, range(2) AS r TABLESAMPLE 5%
WITH a (x) AS (SELECT 1) SELECT lead(x, step := 1) OVER () FROM a
DESCRIBE (SELECT 1)
""".strip().split("\n")
UNSEEN = {
    ("EMPTY", "sample"),
    ("EXPRESSION_LIST", "sample"),
    ("JOIN", "sample"),
    ("SHOW_REF", "sample"),
}
"""Fields that every table has, also one that no statement gives them to."""

VERSION = "2.0.0"


def trees() -> Iterator[dict[str, Any]]:
    """Statements of every form as the engine reads them."""
    for sql in (*ALLOWED, *MORE):
        told = json.loads(syntax().read(sql))
        assert not told["error"], (sql, told)
        for statement in told["statements"]:
            yield statement["node"]


def fields_of(node: Any, fields: Fields, path: str) -> Iterator[tuple[str, str]]:
    """Every field in a record, and in what stands in it, by the name of the part it is of."""
    for field, value in node.items():
        yield path, field
        held = fields.get(field)
        for each in _flat(value):
            if held is NODE and isinstance(each, dict):
                yield from fields_of(each, KNOWN.get(kind_of(each), {}), kind_of(each))
            elif isinstance(held, dict) and isinstance(each, dict):
                yield from fields_of(each, held, f"{path}.{field}")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def known() -> Iterator[tuple[str, str]]:
    """Every field of the tables, as ``fields_of`` names it."""

    def listed(path: str, fields: Fields) -> Iterator[tuple[str, str]]:
        for field, held in fields.items():
            yield path, field
            if held is not LEAF and held is not NODE:
                yield from listed(f"{path}.{field}", held)

    for name, fields in KNOWN.items():
        yield from listed(name, fields)


def test_every_part_that_the_engine_writes_is_known_and_the_other_way_round() -> None:
    """A part of a new engine fails here; one that is in no tree has no business in the tables."""
    seen = {
        each for tree in trees() for each in fields_of(tree, KNOWN[kind_of(tree)], kind_of(tree))
    }
    listed = set(known())
    assert seen - listed == set()
    general = {"alias", "query_location", "query_location_length"}
    unproven = {each for each in listed - seen - UNSEEN if each[1] not in general}
    assert unproven == set()


def test_the_tables_are_those_of_the_pinned_engine() -> None:
    """Another version writes other trees: go through them before this number is changed."""
    assert duckdb.__version__ == VERSION
    assert connection().execute("SELECT version()").fetchall() == [(f"v{VERSION}",)]
