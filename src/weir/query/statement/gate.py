"""The gate: what a tenant's query may say. Pure: text in, the statement to run out.

One SELECT over the tables that it is given, its CTEs and subqueries. Everything is refused that
is not on a list of node types, functions, types and tables, so that what the engine learns
tomorrow is refused too. The gate is one layer: the worker's sandbox and the engine's settings
hold without it.
Source: docs/decisions/0004-query-isolation.md; the language is docs/reference/sql.md.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec
from sqlglot import exp

from weir.engine.mistakes import did_you_mean
from weir.engine.sources import PropertyRead
from weir.errors import Forbidden, WeirError
from weir.query.ranges import Window
from weir.query.request import Parameter
from weir.query.statement.acceleration import accelerate
from weir.query.statement.functions import FUNCTIONS, SIZED_FUNCTIONS, TABLE_FUNCTIONS
from weir.query.statement.parsing import bind, invalid, parse, position_of, shown, write
from weir.query.statement.pruning import windows_of
from weir.query.statement.rewrite import JSON_COLUMNS, name_columns, rewrite_properties
from weir.query.statement.scopes import Shapes, visible_ctes

NODES_MAX: Final = 10_000
SIZE_LITERAL_MAX: Final = 1_000_000

_NODES: Final = frozenset(
    {
        *(exp.Select, exp.From, exp.Table, exp.TableAlias, exp.Subquery, exp.With, exp.CTE),
        *(exp.Union, exp.Except, exp.Intersect, exp.Values, exp.Unnest, exp.Join, exp.Lateral),
        *(exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order, exp.Ordered, exp.Limit),
        *(exp.LimitOptions, exp.Offset, exp.Distinct, exp.TableSample, exp.Describe),
        *(exp.GroupingSets, exp.Cube, exp.Rollup, exp.Window, exp.WindowSpec, exp.WithinGroup),
        *(exp.Filter, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Dot, exp.Var),
        *(exp.Literal, exp.RawString, exp.Boolean, exp.Null, exp.Interval, exp.Anonymous),
        *(exp.And, exp.Or, exp.Not, exp.Paren, exp.Tuple, exp.EQ, exp.NEQ, exp.GT, exp.GTE),
        *(exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.Between, exp.In),
        *(exp.Like, exp.ILike, exp.SimilarTo, exp.Glob, exp.RegexpLike, exp.Escape, exp.Exists),
        *(exp.Any, exp.All, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow),
        *(exp.Neg, exp.DPipe, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot),
        *(exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.Case, exp.If, exp.Cast, exp.TryCast),
        *(exp.DataType, exp.DataTypeParam, exp.ColumnDef, exp.AtTimeZone, exp.Extract),
        *(exp.CurrentDate, exp.CurrentTimestamp, exp.Trim, exp.Substring, exp.StrPosition),
        *(exp.JSONExtract, exp.JSONExtractScalar, exp.Bracket, exp.Slice, exp.Array, exp.Struct),
        *(exp.PropertyEQ, exp.ToMap, exp.Map, exp.Lambda, exp.Comprehension),
    }
)

_QUERIES: Final = (exp.Select, exp.SetOperation, exp.Subquery)
_TABLE_PARTS: Final = frozenset({"this", "alias", "joins", "sample", "ordinality"})
_CTE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*\Z")
_PLAIN_NAME: Final = re.compile(r"[^\W\d][\w$ -]*\Z")
_WORD: Final = re.compile(r"[A-Za-z_ ]+\Z")

_T = exp.DataType.Type
_TYPES: Final = frozenset(
    {
        *(_T.BOOLEAN, _T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128, _T.UTINYINT),
        *(_T.USMALLINT, _T.UINT, _T.UBIGINT, _T.UINT128, _T.FLOAT, _T.DOUBLE, _T.DECIMAL),
        *(_T.TEXT, _T.VARCHAR, _T.CHAR, _T.BLOB, _T.VARBINARY, _T.UUID, _T.JSON, _T.DATE),
        *(_T.TIME, _T.TIMETZ, _T.TIMESTAMP, _T.TIMESTAMPNTZ, _T.TIMESTAMPTZ, _T.TIMESTAMP_S),
        *(_T.TIMESTAMP_MS, _T.TIMESTAMP_NS, _T.INTERVAL, _T.BIT, _T.ARRAY, _T.LIST),
        *(_T.STRUCT, _T.MAP),
    }
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


def pass_query(
    sql: str,
    *,
    tables: Shapes,
    parameters: Mapping[str, Parameter],
    rows_max: int,
    sql_bytes_max: int,
    engine_names: Collection[str],
    now_us: int | None = None,
) -> PassedQuery:
    """Returns the statement for the engine, which yields at most ``rows_max`` + 1 rows.

    It may read ``tables``. ``parameters`` are the values of a trusted caller's ``$name``s; a
    placeholder without a value is refused. ``engine_names`` are the functions and tables that the
    engine has, in lower case; they decide only how a refused name is told. ``now_us`` is the time
    now, for what is compared with it. Raises ``InvalidInput`` (``invalid_query``, with
    ``position`` where it is known) for what cannot be understood, unknown names among it, and
    ``Forbidden`` (``forbidden_query``) for what policy refuses.
    """
    for text in (sql, *parameters.values()):
        _check_text(str(text), sql_bytes_max)
    try:
        tree = _only_statement(parse(sql), tables)
        bind(tree, parameters)
        _check_tree(tree, tables, engine_names)
        if isinstance(tree, exp.Describe):
            return PassedQuery(write(tree), {})
        name_columns(tree)
        tree = rewrite_properties(tree)
        windows = windows_of(tree, tables, now_us=now_us)
        properties = accelerate(tree, tables)
    except RecursionError:
        raise invalid("The query nests too deep.") from None
    _limit_rows(tree, rows_max + 1)
    uses = {name: TableUse(each, properties.get(name, ())) for name, each in windows.items()}
    return PassedQuery(write(tree), uses)


def _check_text(sql: str, sql_bytes_max: int) -> None:
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise invalid("The query is not valid Unicode.", position=error.start) from None
    if size > sql_bytes_max:
        raise invalid(f"The query is longer than {sql_bytes_max} bytes.")
    if "\0" in sql:
        raise invalid("The query holds a NUL character.", position=sql.index("\0"))


def _only_statement(trees: list[exp.Expr], tables: Iterable[str]) -> exp.Expr:
    if not trees:
        raise invalid("The query is empty.")
    if len(trees) > 1:
        raise _forbidden("Only one statement at a time is allowed.")
    tree = trees[0]
    if isinstance(tree, exp.Describe):
        if type(tree.this) is not exp.Table or set(_given(tree)) != {"this"}:
            raise _forbidden(f"Only DESCRIBE {' or '.join(tables)} is allowed.")
    elif isinstance(tree, exp.Condition | exp.Alias | exp.Aliases):
        raise invalid("This is not a SELECT statement.", position=0)
    elif not isinstance(tree, _QUERIES):
        raise _forbidden("Only SELECT is allowed.")
    return tree


def _check_tree(tree: exp.Expr, tables: Collection[str], engine_names: Collection[str]) -> None:
    """Holds every node against the lists."""
    for count, node in enumerate(tree.walk()):
        if count > NODES_MAX:
            raise invalid(f"The query has more than {NODES_MAX} parts.")
        if type(node) not in _NODES:
            raise _forbidden(f"{_kind(node)} is not allowed in a query.", node)
        match node:
            case exp.Table():
                _check_table(node, tables, engine_names)
            case exp.Anonymous():
                _check_call(node, engine_names)
            case exp.DataType():
                _check_type(node)
            case exp.With() | exp.TableAlias() | exp.Var() | exp.Dot() | exp.Lateral():
                _check_detail(node, tables)
            case _:
                pass


def _check_table(table: exp.Table, tables: Collection[str], engine_names: Collection[str]) -> None:
    extra = set(_given(table)) - _TABLE_PARTS
    if {"db", "catalog"} & extra:
        raise _forbidden("Tables are named without a schema.", table)
    if extra:
        raise _forbidden("This kind of table is not allowed in a query.", table)
    source = table.this
    if isinstance(source, exp.Anonymous):
        if source.name.lower() not in TABLE_FUNCTIONS:
            raise _refused_function(source, engine_names, TABLE_FUNCTIONS)
        return
    if type(source) is not exp.Identifier:
        raise _forbidden("This kind of table is not allowed in a query.", table)
    ctes = visible_ctes(table)
    if source.name.lower() not in ctes and source.name.lower() not in tables:
        raise _refused_table(source, tables, ctes, engine_names)


def _refused_table(
    table: exp.Identifier,
    tables: Iterable[str],
    ctes: Iterable[str],
    engine_names: Collection[str],
) -> WeirError:
    """Forbidden for what the engine would find, a file above all; else a mistake."""
    name = table.name
    readable = " or ".join(f"'{each}'" for each in tables)
    if name.lower() in engine_names or not _PLAIN_NAME.match(name):
        return _forbidden(f"The table '{name[:60]}' may not be read: use {readable}.", table)
    hint = did_you_mean(name, [*tables, *ctes]) or f"A query reads {readable}."
    return invalid(f"There is no table '{name[:60]}'.", position=position_of(table), hint=hint)


def _refused_function(
    call: exp.Anonymous, engine_names: Collection[str], allowed: Collection[str]
) -> WeirError:
    """Forbidden for what the engine has; a mistake for what nobody has."""
    name = call.name
    if name.lower() in engine_names:
        return _forbidden(f"The function '{name[:60]}' is not allowed here.", call)
    hint = did_you_mean(name, allowed)
    return invalid(f"There is no function '{name[:60]}'.", position=position_of(call), hint=hint)


def _check_call(call: exp.Anonymous, engine_names: Collection[str]) -> None:
    name = call.name.lower()
    if name not in FUNCTIONS:
        raise _refused_function(call, engine_names, FUNCTIONS)
    if name not in SIZED_FUNCTIONS:
        return
    for literal in call.find_all(exp.Literal):
        if not literal.is_string and float(literal.this) > SIZE_LITERAL_MAX:
            raise _forbidden(f"Numbers given to '{name}' may not exceed {SIZE_LITERAL_MAX}.", call)


def _check_type(kind: exp.DataType) -> None:
    if kind.this not in _TYPES or kind.args.get("kind") is not None:
        raise _forbidden(f"The type '{shown(kind)[:60]}' is not allowed in a query.", kind)


def _check_detail(node: exp.Expr, tables: Iterable[str]) -> None:
    match node:
        case exp.With(recursive=True):
            raise _forbidden("WITH RECURSIVE is not allowed in a query.", node)
        case exp.With():
            names = [cte.alias for cte in node.expressions]
            if bad := next((name for name in names if not _CTE_NAME.match(name)), None):
                raise _forbidden(f"A CTE cannot be named '{bad[:60]}'.", node)
        case exp.TableAlias() if node.name.lower() in JSON_COLUMNS:
            raise invalid(
                f"'{node.name}' is a column of {' or '.join(tables)} and cannot name a table.",
                position=position_of(node),
            )
        case exp.Var() if not _WORD.match(node.name):
            raise _forbidden(f"'{node.name[:60]}' is not allowed here.", node)
        case exp.Dot() if type(node.expression) is not exp.Identifier:
            raise _forbidden("Functions are called as f(x), without a dot.", node)
        case exp.Lateral() if type(node.this) is not exp.Subquery:
            raise _forbidden("LATERAL takes a subquery.", node)
        case _:
            pass


def _limit_rows(tree: exp.Expr, rows: int) -> None:
    limit = tree.args.get("limit")
    if limit is None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
        return
    count = limit.args.get("expression")
    plain = type(limit) is exp.Limit and isinstance(count, exp.Literal) and count.is_int
    if plain and not limit.args.get("limit_options") and int(count.this) > rows:
        limit.set("expression", exp.Literal.number(rows))


def _given(node: exp.Expr) -> list[str]:
    return [name for name, value in node.args.items() if value not in (None, False, [])]


def _kind(node: exp.Expr) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__)
    return words.upper()


def _forbidden(message: str, node: exp.Expr | None = None) -> Forbidden:
    position = None if node is None else position_of(node)
    return Forbidden(message, code="forbidden_query", position=position)
