"""The lists that every part of a statement is held against, and how a refusal is told."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from weir.engine.mistakes import did_you_mean
from weir.errors import Forbidden, WeirError
from weir.query.statement.functions import (
    FUNCTIONS,
    OPERATORS,
    SIZED_FUNCTIONS,
    TABLE_FUNCTIONS,
    WRITTEN_OTHERWISE,
)
from weir.query.statement.nodes import (
    OPERATORS as OPERATOR_TYPES,
)
from weir.query.statement.nodes import (
    Node,
    UnknownPart,
    arguments_of,
    function_name,
    is_expression,
    kind_of,
    nodes,
    number_of,
    operator_of,
    orders_of,
)
from weir.query.statement.parsing import invalid, position_of, too_deep
from weir.query.statement.paths import JSON_COLUMNS
from weir.query.statement.scopes import Mention, Scopes

NODES_MAX: Final = 10_000
SIZE_LITERAL_MAX: Final = 1_000_000
STEPS_MAX: Final = 64
"""Names between dots; the engine's time grows with their square."""

TYPES: Final = frozenset(
    [
        "boolean",
        "bool",
        "logical",
        "tinyint",
        "smallint",
        "int",
        "integer",
        "bigint",
        "hugeint",
        "utinyint",
        "usmallint",
        "uint",
        "uinteger",
        "ubigint",
        "uhugeint",
        "int1",
        "int2",
        "int4",
        "int8",
        "int16",
        "int32",
        "int64",
        "int128",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "uint128",
        "short",
        "long",
        "signed",
        "float",
        "float4",
        "float8",
        "real",
        "double",
        "decimal",
        "numeric",
        "dec",
        "text",
        "varchar",
        "char",
        "bpchar",
        "string",
        "nvarchar",
        "blob",
        "bytea",
        "binary",
        "varbinary",
        "uuid",
        "guid",
        "json",
        "date",
        "time",
        "timetz",
        "timestamp",
        "datetime",
        "timestamptz",
        "timestamp_s",
        "timestamp_ms",
        "timestamp_us",
        "timestamp_ns",
        "interval",
        "bit",
        "bitstring",
        "list",
        "array",
        "struct",
        "row",
        "map",
    ]
) | {"time with time zone", "timestamp with time zone"}

_CTE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*\Z")
_PLAIN_NAME: Final = re.compile(r"[^\W\d][\w$ -]*\Z")
_WORD: Final = re.compile(r"[A-Za-z0-9_.]+\Z")
_OF_THE_SESSION: Final = {
    "user": "user_id",
    "current_user": "user_id",
    "session_user": "user_id",
    "current_role": None,
    "current_schema": None,
    "current_catalog": None,
    "current_database": None,
}
"""Names without brackets that the engine answers itself where no column has them."""

_WORDS: Final = {
    "RECURSIVE_CTE_NODE": "WITH RECURSIVE",
    "INSERT_QUERY_NODE": "INSERT",
    "UPDATE_QUERY_NODE": "UPDATE",
    "DELETE_QUERY_NODE": "DELETE",
    "MERGE_QUERY_NODE": "MERGE",
    "COPY_QUERY_NODE": "COPY",
    "class PARAMETER": "A placeholder",
    "class DEFAULT": "DEFAULT",
}
_FIELD_WORDS: Final = {
    "key_targets": "USING KEY",
    "export_state": "EXPORT_STATE",
    "ranking_expression": "A join by nearness",
    "at_clause": "AT",
}
_INSTEAD: Final = {
    "PIVOT": "Write one aggregate for each column: count(*) FILTER (WHERE event = 'x').",
    "RECURSIVE_CTE_NODE": "range(…) and window functions cover most uses.",
    "COLUMNS": "Name the columns.",
}


def forbidden(message: str, node: Node | None = None, *, hint: str | None = None) -> Forbidden:
    """Returns the refusal of a query by policy, with the node's place if it is known."""
    position = None if node is None else position_of(node)
    return Forbidden(message, code="forbidden_query", position=position, hint=hint)


def instead_of(word: str) -> str | None:
    """Returns what to write instead of a statement that begins with a word."""
    return _INSTEAD.get(word.removeprefix("UN"))


def unknown(part: UnknownPart) -> WeirError:
    """Returns the refusal of a part of the language that is on no list."""
    kind = kind_of(part.node)
    if part.field is not None and kind == "BASE_TABLE":
        if part.field in ("schema_name", "catalog_name"):
            return forbidden("Tables are named without a schema.", part.node)
        return forbidden("This kind of table is not allowed in a query.", part.node)
    if part.field is not None and kind == "class FUNCTION" and part.field in ("schema", "catalog"):
        return forbidden("Functions are called as f(x), without a dot.", part.node)
    if kind == "SHOW_REF":
        return forbidden("Only DESCRIBE and SUMMARIZE of a table or a query are allowed.")
    if kind == "class STAR":
        return forbidden("COLUMNS is not allowed in a query.", part.node, hint=_INSTEAD["COLUMNS"])
    words = _WORDS.get(kind, kind.removeprefix("class ").removesuffix("_NODE").replace("_", " "))
    if part.field in _FIELD_WORDS:
        words = _FIELD_WORDS[part.field]
    elif part.field is not None:
        words = f"{part.field.replace('_', ' ').upper()} of {words}"
    return forbidden(f"{words} is not allowed in a query.", part.node, hint=_INSTEAD.get(kind))


def check(
    query: Node, scopes: Scopes, tables: Collection[str], engine_names: Collection[str]
) -> None:
    """Holds every node against the lists.

    Raises ``Forbidden``, ``InvalidInput`` or ``UnknownPart``.
    """
    called = _Check(scopes, tables, engine_names)
    for mention in scopes.mentions:
        called.table(mention)
    for count, node in enumerate(nodes(query)):
        if count > NODES_MAX:
            raise invalid(f"The query has more than {NODES_MAX} parts.")
        called.node(node)
    called.session_names(query)


class _Check:
    def __init__(
        self, scopes: Scopes, tables: Collection[str], engine_names: Collection[str]
    ) -> None:
        self._scopes = scopes
        self._tables = tables
        self._engine_names = engine_names
        self._sorted_by: set[int] = set()
        self._items: set[int] = set()

    def node(self, node: Node) -> None:
        match kind_of(node):
            case "class FUNCTION" | "class WINDOW":
                self._call(node)
            case "class OPERATOR" if node["type"] not in OPERATOR_TYPES:
                raise UnknownPart(node, str(node["type"]))
            case "class TYPE":
                _check_type(node)
            case "class STAR" if not self._is_plain_star(node):
                raise UnknownPart(node, "columns")
            case "class COLLATE" if not _WORD.match(node["collation"]):
                raise forbidden("This collation is not allowed.", node)
            case "class COLUMN_REF" if len(node["column_names"]) > STEPS_MAX:
                raise too_deep()
            case "class STAR" if _is_json(str(node.get("relation_name", ""))):
                raise invalid(
                    f"'{node['relation_name']}.*' is not possible: name the keys.",
                    position=position_of(node),
                )
            case "TABLE_FUNCTION":
                self._table_function(node)
            case "SHOW_REF" if node.get("show_type") not in ("DESCRIBE", "SUMMARY"):
                raise UnknownPart(node, "show_type")
            case "SELECT_NODE" | "SET_OPERATION_NODE":
                self._ctes(node)
                self._sorted_by |= {id(order["expression"]) for order in orders_of(node)}
                self._items |= {id(item) for item in node.get("select_list", ())}
            case _:
                pass
        if "class" not in node and _is_json(str(node.get("alias", ""))):
            raise invalid(
                f"'{node['alias']}' is a column of {' or '.join(self._tables)} and cannot name a"
                " table.",
                position=position_of(node),
            )

    def _is_plain_star(self, star: Node) -> bool:
        """``*`` as an item of SELECT, and ORDER BY ALL; a star within an expression is COLUMNS."""
        if id(star) in self._sorted_by:
            return True
        return id(star) in self._items and not star.get("columns")

    def table(self, mention: Mention) -> None:
        """A table by its name: one that is given, or a CTE that is visible there."""
        node = mention.table
        if {"schema_name", "catalog_name"} & set(node) or len(node["qualified_name"]["path"]) > 1:
            raise forbidden("Tables are named without a schema.", node)
        if mention.name in mention.ctes or mention.name in self._tables:
            return
        name = str(node["table_name"])
        readable = " or ".join(f"'{each}'" for each in self._tables)
        if name.lower() in self._engine_names or not _PLAIN_NAME.match(name):
            raise forbidden(f"The table '{name[:60]}' may not be read: use {readable}.", node)
        hint = did_you_mean(name, [*self._tables, *mention.ctes])
        raise invalid(
            f"There is no table '{name[:60]}'.",
            position=position_of(node),
            hint=hint or f"A query reads {readable}.",
        )

    def session_names(self, query: Node) -> None:
        """``user`` and its like are columns where something is called so, and else nothing."""
        made = {str(node.get("alias", "")).lower() for node in nodes(query)}
        for scope in self._scopes.selects:
            made |= self._scopes.columns(scope) or set()
        for node in nodes(query):
            if not is_expression(node, "COLUMN_REF") or len(node["column_names"]) > 1:
                continue
            name = node["column_names"][0]
            if name.lower() in _OF_THE_SESSION and name.lower() not in made:
                meant = _OF_THE_SESSION[name.lower()]
                raise invalid(
                    f"There is no column '{name}'.",
                    position=position_of(node),
                    hint=f"Did you mean '{meant}'?" if meant else None,
                )

    def _call(self, node: Node) -> None:
        path = node["qualified_name"]["path"]
        if len(path) > 1 or path[0] != node["function_name"] or "schema" in node:
            raise forbidden("Functions are called as f(x), without a dot.", node)
        sign = operator_of(node)
        if sign is not None:
            if sign not in OPERATORS and sign.lower() not in FUNCTIONS | WRITTEN_OTHERWISE:
                raise forbidden(f"The operator '{sign[:20]}' is not allowed here.", node)
            return
        name = function_name(node) or ""
        if name not in FUNCTIONS and name not in WRITTEN_OTHERWISE:
            raise self._refused(node, node, FUNCTIONS)
        if name in SIZED_FUNCTIONS:
            _check_size(node, name)

    def _table_function(self, node: Node) -> None:
        function = node["function"]
        if not is_expression(function, "FUNCTION") or operator_of(function) is not None:
            raise forbidden("This kind of table is not allowed in a query.", node)
        if "schema" in function or len(function["qualified_name"]["path"]) > 1:
            raise forbidden("Functions are called as f(x), without a dot.", node)
        if function_name(function) not in TABLE_FUNCTIONS:
            raise self._refused(function, node, TABLE_FUNCTIONS)

    def _refused(self, call: Node, place: Node, allowed: Collection[str]) -> WeirError:
        """Forbidden for what the engine has; a mistake for what nobody has."""
        name = str(call["function_name"])
        if name.lower() in self._engine_names:
            return forbidden(f"The function '{name[:60]}' is not allowed here.", place)
        hint = did_you_mean(name, allowed)
        return invalid(
            f"There is no function '{name[:60]}'.", position=position_of(place), hint=hint
        )

    def _ctes(self, query: Node) -> None:
        for entry in query.get("cte_map", {}).get("map", ()):
            if not _CTE_NAME.match(entry["key"]):
                raise forbidden(f"A CTE cannot be named '{entry['key'][:60]}'.", query)
            _check_alias(entry["key"], self._tables)
            if entry["value"]["query_node"].get("type") == "RECURSIVE_CTE_NODE":
                raise UnknownPart(entry["value"]["query_node"], None)


def _is_json(name: str) -> bool:
    return name.lower() in JSON_COLUMNS


def _check_alias(name: str, tables: Iterable[str]) -> None:
    if _is_json(name):
        raise invalid(f"'{name}' is a column of {' or '.join(tables)} and cannot name a table.")


def _check_size(node: Node, name: str) -> None:
    for each in nodes(node):
        digits = number_of(each) if is_expression(each, "CONSTANT") else None
        if digits is not None and float(digits.replace("_", "")) > SIZE_LITERAL_MAX:
            raise forbidden(f"Numbers given to '{name}' may not exceed {SIZE_LITERAL_MAX}.", node)


def _check_type(node: Node) -> None:
    path: list[Any] = node["qualified_name"]["path"]
    name = str(node["type_name"])
    if len(path) > 1 or path[0] != node["type_name"] or name.lower() not in TYPES:
        raise forbidden(f"The type '{name[:60]}' is not allowed in a query.", node)
    if not is_expression(node, "TYPE") or arguments_of(node):
        raise UnknownPart(node, None)
