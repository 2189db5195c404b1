"""The gate over whatever tables a bare engine has."""

from collections.abc import Collection
from typing import Final, NamedTuple

import duckdb

from weir.engine.syntax import Syntax
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
        reader = duckdb.connect(config={"threads": "1"})
        reader.execute("SET max_expression_depth = 400")
        self._syntax = Syntax(reader, engine_names)

    def passed(self, sql: str, *, rows_max: int) -> Passed:
        """Returns what the gate would have the engine run; raises what ``pass_query`` raises."""
        passed = pass_query(
            sql,
            syntax=self._syntax,
            tables=_shapes(self._connection),
            parameters={},
            rows_max=rows_max,
            sql_bytes_max=SQL_BYTES_MAX,
        )
        return Passed(passed.sql, passed.names)


def _shapes(connection: duckdb.DuckDBPyConnection) -> dict[str, TableShape]:
    found = connection.execute(
        "SELECT lower(table_name), list(column_name ORDER BY column_index) FROM duckdb_columns()"
        " WHERE NOT internal GROUP BY ALL"
    ).fetchall()
    return {name: TableShape(tuple(columns)) for name, columns in found}
