"""The gate over a project's events, with limits that a test does not care about."""

import functools
from collections.abc import Collection, Mapping

import duckdb

from weir.engine.syntax import Syntax
from weir.lake.schema import CANONICAL
from weir.query.request import EVENTS, Parameter
from weir.query.statement.gate import PassedQuery, pass_query
from weir.query.statement.nodes import nodes, string_of
from weir.query.statement.parsing import parse
from weir.query.statement.scopes import TableShape

COLUMNS = tuple(CANONICAL.names)


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """An engine that reads statements."""
    made = duckdb.connect(config={"threads": "1"})
    made.execute("SET max_expression_depth = 400")
    return made


def syntax(engine_names: Collection[str] = ()) -> Syntax:
    """The engine's reading of SQL, of an engine that has these names."""
    return Syntax(connection(), engine_names)


def pass_events(
    sql: str,
    *,
    pointers: Collection[str] = (),
    parameters: Mapping[str, Parameter] | None = None,
    rows_max: int = 10_000,
    sql_bytes_max: int = 65_536,
    engine_names: Collection[str] = (),
    now_us: int | None = None,
) -> PassedQuery:
    """Passes a statement over ``events``, whose files have columns for ``pointers``."""
    return pass_query(
        sql,
        syntax=syntax(engine_names),
        tables={EVENTS: TableShape(COLUMNS, frozenset(pointers))},
        parameters=parameters or {},
        rows_max=rows_max,
        sql_bytes_max=sql_bytes_max,
        now_us=now_us,
    )


def strings_of(sql: str) -> list[str]:
    """The text literals of a statement, in their order."""
    (statement,) = parse(sql, syntax())
    texts = [string_of(node) for node in nodes(statement.query)]
    return [text for text in texts if text is not None]
