"""What the columns of a result are called where the statement does not say it.

A column without ``AS`` is named by its function, by the last key of its property, else by what was
written. In the statement such a name can be used (``GROUP BY plan``), but it must not catch what
ORDER BY or DISTINCT ON mean by it: a name of a column in scope is given to the result alone.
"""

import re
from collections.abc import Iterable
from typing import Final

from weir.query.statement.nodes import (
    Node,
    function_name,
    is_expression,
    nodes,
    orders_of,
    string_of,
)
from weir.query.statement.parsing import span_of
from weir.query.statement.paths import path_of
from weir.query.statement.scopes import Scopes

NAME_CHARS_MAX: Final = 64

_CALLED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(")


def name_columns(scopes: Scopes, sql: str) -> None:
    """Gives every result column without an alias its name, where that changes nothing else."""
    for scope in scopes.selects:
        if not scope.is_named:
            continue
        caught = _meant_by_order(scope.select)
        known = scopes.columns(scope)
        items = scope.select["select_list"]
        given = {item["alias"].lower() for item in items if "alias" in item}
        where = [scope.select["where_clause"]] if "where_clause" in scope.select else []
        outer = _plain_names([*items, *where]) - (known or set())
        for item in scope.select["select_list"]:
            name = None if "alias" in item else natural_name(item, sql)
            if not name:
                continue
            if name.lower() in outer or name.lower() in given:
                continue
            if name.lower() in caught and (known is None or name.lower() in known):
                continue
            item["alias"] = name


def result_names(query: Node, sql: str) -> tuple[str | None, ...] | None:
    """Returns the names of the result's columns; None where the engine's are right.

    To be asked before anything in the statement is rewritten.
    """
    while query["type"] == "SET_OPERATION_NODE":
        if query["setop_type"] == "UNION_BY_NAME":
            return None
        query = query["children"][0]
    items = query["select_list"]
    if any(_has_star(item) or function_name(item) == "unnest" for item in items):
        return None
    return tuple(item.get("alias") or natural_name(item, sql) for item in items)


def natural_name(item: Node, sql: str) -> str | None:
    """Returns the name to give a result column; None where the engine's own is right."""
    node = item
    while (path := path_of(node)) is None and is_expression(node, "CAST"):
        node = node["child"]
    if path is not None:
        return path.keys[-1] or path.column[-1]
    if is_expression(node, "COLUMN_REF"):
        return None if node is item else str(node["column_names"][-1])
    if _has_star(node) or is_expression(node, "POSITIONAL_REFERENCE"):
        return None
    if is_expression(node, "CASE"):
        return "case"
    span = span_of(node) or span_of(item)
    written = "" if span is None else " ".join(sql[span.start : span.end].split())
    called = _CALLED.match(written)
    if called is not None and (function_name(node) or is_expression(node, "OPERATOR")):
        return called[1].lower()
    if is_expression(node, "OPERATOR") and node["type"] == "STRUCT_EXTRACT":
        return string_of(node["children"][1])
    return _balanced(written)[:NAME_CHARS_MAX] or None


def _has_star(item: Node) -> bool:
    """Whether the item may become any number of columns, which name themselves."""
    return any(is_expression(each, "STAR") for each in nodes(item))


def _meant_by_order(select: Node) -> set[str]:
    """The plain names that ORDER BY and DISTINCT ON mention, in lower case."""
    asked = [order["expression"] for order in orders_of(select)]
    for each in select.get("modifiers", ()):
        asked += each.get("distinct_on_targets", ())
    return _plain_names(asked)


def _plain_names(expressions: Iterable[Node]) -> set[str]:
    """The names without a table's that expressions mention, in lower case."""
    return {
        node["column_names"][0].lower()
        for expression in expressions
        for node in nodes(expression)
        if is_expression(node, "COLUMN_REF") and path_of(node) is None
    }


def _balanced(written: str) -> str:
    """The text with the brackets closed that it opens, and opened that it closes."""
    depth = lowest = 0
    for sign in written:
        depth += (sign == "(") - (sign == ")")
        lowest = min(lowest, depth)
    return "(" * -lowest + written + ")" * (depth - lowest)
