"""The gate: what a tenant's query may say. Pure: text in, the statement to run out.

One SELECT over the tables that it is given, its CTEs and subqueries. Everything is refused that
is not on a list of parts, functions, signs, types and tables, so that what the engine learns
tomorrow is refused too. The gate is one layer: the worker's sandbox and the engine's settings
hold without it.
Source: docs/decisions/0004-query-isolation.md; the language is docs/reference/sql.md.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from weir.engine.sources import PropertyRead
from weir.engine.syntax import Syntax
from weir.query.ranges import Window
from weir.query.request import Parameter
from weir.query.statement.acceleration import accelerate
from weir.query.statement.names import name_columns, result_names
from weir.query.statement.nodes import Node, UnknownPart, integer, is_expression, number_of
from weir.query.statement.parsing import (
    NotSelect,
    Statement,
    bind,
    invalid,
    parse,
    settle_arrows,
    too_deep,
    write,
)
from weir.query.statement.policy import check, forbidden, instead_of, unknown
from weir.query.statement.pruning import windows_of
from weir.query.statement.rewrite import rewrite_properties
from weir.query.statement.scopes import Scopes, Shapes

_QUERY_TYPES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE"})
_OF_DESCRIBE: Final = frozenset(
    {"type", "cte_map", "select_list", "from_table", "aggregate_handling"}
)


class TableUse(msgspec.Struct, frozen=True):
    """What a statement reads of one table."""

    windows: tuple[Window, ...] = ()
    """The times that each mention of the table can need; none where no row is read."""
    properties: tuple[PropertyRead, ...] = ()


class PassedQuery(msgspec.Struct, frozen=True):
    """The statement that the engine may run, and what it reads of each table that it names."""

    sql: str
    uses: dict[str, TableUse]
    names: tuple[str | None, ...] | None = None
    """What the result's columns are called; None where the engine's names are right."""
    notes: tuple[str, ...] = ()
    """What a reader of the answer has to know of how the statement was read."""


def pass_query(
    sql: str,
    *,
    syntax: Syntax,
    tables: Shapes,
    parameters: Mapping[str, Parameter],
    rows_max: int,
    sql_bytes_max: int,
    now_us: int | None = None,
) -> PassedQuery:
    """Returns the statement for the engine, which yields at most ``rows_max`` + 1 rows.

    It may read ``tables``. ``parameters`` are the values of a trusted caller's ``$name``s; a
    placeholder without a value is refused. ``now_us`` is the time now, for what is compared with
    it. Raises ``InvalidInput`` (``invalid_query``, with
    ``position`` where it is known) for what cannot be understood, unknown names among it, and
    ``Forbidden`` (``forbidden_query``) for what policy refuses.
    """
    for text in (sql, *parameters.values()):
        _check_text(str(text), sql_bytes_max)
    try:
        statement = _only(sql, syntax)
        bind(statement.query, parameters)
        return _passed(statement, syntax, tables, rows_max, now_us)
    except RecursionError:
        raise too_deep() from None
    except UnknownPart as part:
        raise unknown(part) from None


def _passed(
    statement: Statement, syntax: Syntax, tables: Shapes, rows_max: int, now_us: int | None
) -> PassedQuery:
    query = statement.query
    settle_arrows(query)
    scopes = Scopes(query, tables)
    check(query, scopes, tables, syntax.names)
    names = result_names(query, statement.sql)
    windows = {} if _is_description(query) else windows_of(scopes, now_us=now_us)
    name_columns(scopes, statement.sql)
    rewritten = rewrite_properties(query, syntax)
    properties = accelerate(scopes, tables, rewritten.extractions)
    _limit_rows(query, rows_max + 1)
    uses = {name: TableUse(each, properties.get(name, ())) for name, each in windows.items()}
    return PassedQuery(write(query, syntax), uses, names, tuple(rewritten.notes))


def _check_text(sql: str, sql_bytes_max: int) -> None:
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise invalid("The query is not valid Unicode.", position=error.start) from None
    if size > sql_bytes_max:
        raise invalid(f"The query is longer than {sql_bytes_max} bytes.")
    if "\0" in sql:
        raise invalid("The query holds a NUL character.", position=sql.index("\0"))


def _only(sql: str, syntax: Syntax) -> Statement:
    try:
        statements = parse(sql, syntax)
    except NotSelect as error:
        raise forbidden("Only SELECT is allowed.", hint=instead_of(error.word)) from None
    if not statements:
        raise invalid("The query is empty.")
    if len(statements) > 1:
        raise forbidden("Only one statement at a time is allowed.")
    if statements[0].query["type"] not in _QUERY_TYPES:
        raise UnknownPart(statements[0].query, None)
    return statements[0]


def _is_description(query: Node) -> bool:
    """Whether it is DESCRIBE and nothing else, which reads no rows."""
    if query["type"] != "SELECT_NODE" or not set(query) <= _OF_DESCRIBE:
        return False
    table, items = query["from_table"], query["select_list"]
    described: bool = table["type"] == "SHOW_REF" and table.get("show_type") == "DESCRIBE"
    return described and len(items) == 1 and is_expression(items[0], "STAR")


def _limit_rows(query: Node, rows: int) -> None:
    modifiers: list[Node] = query.setdefault("modifiers", [])
    limits: Iterable[Node] = [each for each in modifiers if each["type"] == "LIMIT_MODIFIER"]
    for limit in limits:
        count = limit.get("limit")
        if count is None:
            limit["limit"] = integer(rows)
        elif is_expression(count, "CONSTANT") and limit.get("limit_type") is None:
            digits = number_of(count) or ""
            if digits.isdigit() and int(digits) > rows:
                limit["limit"] = integer(rows)
        return
    modifiers.append({"type": "LIMIT_MODIFIER", "limit": integer(rows)})
