"""The gate over a project's events, with limits that a test does not care about."""

from collections.abc import Collection, Mapping

from weir.lake.schema import CANONICAL
from weir.query.request import EVENTS, Parameter
from weir.query.statement.gate import PassedQuery, pass_query
from weir.query.statement.scopes import TableShape

COLUMNS = tuple(CANONICAL.names)


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
        tables={EVENTS: TableShape(COLUMNS, frozenset(pointers))},
        parameters=parameters or {},
        rows_max=rows_max,
        sql_bytes_max=sql_bytes_max,
        engine_names=engine_names,
        now_us=now_us,
    )
