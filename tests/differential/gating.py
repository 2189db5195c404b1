"""The gate over whatever tables a bare engine has."""

import importlib
import inspect
from collections.abc import Collection
from typing import Any, Final, NamedTuple

import duckdb

from weir.query.statement.gate import pass_query
from weir.query.statement.scopes import TableShape

SQL_BYTES_MAX: Final = 65_536


class Passed(NamedTuple):
    """What the engine may run; the names of its columns where they are not the engine's."""

    sql: str
    names: tuple[str | None, ...] | None


class Gate:
    """The gate beside a connection, whose tables may change between two statements."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, engine_names: Collection[str]
    ) -> None:
        self._connection = connection
        self._reading = _reading(engine_names)

    def passed(self, sql: str, *, rows_max: int) -> Passed:
        """Returns what the gate would have the engine run; raises what ``pass_query`` raises."""
        arguments: dict[str, Any] = {
            "tables": _shapes(self._connection),
            "parameters": {},
            "rows_max": rows_max,
            "sql_bytes_max": SQL_BYTES_MAX,
            **self._reading,
        }
        passed = pass_query(sql, **arguments)
        return Passed(passed.sql, getattr(passed, "names", None))


def _reading(engine_names: Collection[str]) -> dict[str, Any]:
    """How the gate is told what the engine knows: an engine of its own that reads, or names."""
    if "syntax" not in inspect.signature(pass_query).parameters:
        return {"engine_names": engine_names}
    syntax = importlib.import_module("weir.engine.syntax").Syntax
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET max_expression_depth = 400")
    return {"syntax": syntax(connection, engine_names)}


def _shapes(connection: duckdb.DuckDBPyConnection) -> dict[str, TableShape]:
    found = connection.execute(
        "SELECT lower(table_name), list(column_name ORDER BY column_index) FROM duckdb_columns()"
        " WHERE NOT internal GROUP BY ALL"
    ).fetchall()
    return {name: TableShape(tuple(columns)) for name, columns in found}
