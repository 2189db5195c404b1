"""The engine's tree of a statement: every part that may occur in it, and how to build one.

A node is the JSON object that ``engine/syntax.py`` reads: an expression has a ``class``, queries,
tables and modifiers have a ``type`` alone. The tables below name each part's fields and what
stands in them. What is not named here is unknown, and the gate refuses it: what the engine learns
tomorrow is refused too. ``query_location`` and ``query_location_length`` count characters of the
text as it was sent (``parsing.py`` sees to that).
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

Node = dict[str, Any]
"""A part of a tree, changed in place."""

LEAF: Final = "leaf"
"""Words, numbers and names: nothing that has to be walked."""
NODE: Final = "node"
"""An expression, a query, a table or a modifier, or lists of them."""

Fields = Mapping[str, Any]
"""By field: ``LEAF``, ``NODE``, or the fields of records that stand there."""

_ORDER: Final[Fields] = {"type": LEAF, "null_order": LEAF, "expression": NODE}
_ARGUMENT: Final[Fields] = {"name": LEAF, "expression": NODE}
_STATEMENT: Final[Fields] = {"node": NODE}
_CTES: Final[Fields] = {
    "map": {"key": LEAF, "value": {"aliases": LEAF, "materialized": LEAF, "query_node": NODE}}
}
_PLACE: Final[Fields] = {"query_location": LEAF, "query_location_length": LEAF}
_NOT_SAID: Final = frozenset({*_PLACE, "alias"})
_ANY_EXPRESSION: Final[Fields] = {"class": LEAF, "type": LEAF, "alias": LEAF, **_PLACE}
_ANY_TABLE: Final[Fields] = {"type": LEAF, "alias": LEAF, "sample": LEAF, **_PLACE}
_ANY_QUERY: Final[Fields] = {"type": LEAF, "modifiers": NODE, "cte_map": _CTES}

_EXPRESSIONS: Final[Mapping[str, Fields]] = {
    "BETWEEN": {"input": NODE, "lower": NODE, "upper": NODE},
    "CASE": {"case_checks": {"when_expr": NODE, "then_expr": NODE}, "else_expr": NODE},
    "CAST": {"child": NODE, "type_expr": NODE, "try_cast": LEAF},
    "COLLATE": {"child": NODE, "collation": LEAF},
    "COLUMN_REF": {"column_names": LEAF},
    "COMPARISON": {"left": NODE, "right": NODE},
    "CONJUNCTION": {"children": NODE},
    "CONSTANT": {"literal": LEAF},
    "FUNCTION": {
        "function_name": LEAF,
        "qualified_name": LEAF,
        "arguments": _ARGUMENT,
        "filter": NODE,
        "order_bys": {"type": LEAF, "orders": _ORDER},
        "distinct": LEAF,
        "is_operator": LEAF,
    },
    "LAMBDA": {"lhs": NODE, "expr": NODE, "syntax_type": LEAF},
    "OPERATOR": {"children": NODE},
    "POSITIONAL_REFERENCE": {"index": LEAF},
    "STAR": {
        "relation_name": LEAF,
        "exclude_list": LEAF,
        "qualified_exclude_list": LEAF,
        "replace_list": {"key": LEAF, "value": NODE},
        "rename_list": LEAF,
        "columns": LEAF,
    },
    "SUBQUERY": {
        "subquery_type": LEAF,
        "subquery": _STATEMENT,
        "child": NODE,
        "comparison_type": LEAF,
    },
    "TYPE": {"type_name": LEAF, "qualified_name": LEAF, "children": NODE},
    "WINDOW": {
        "function_name": LEAF,
        "qualified_name": LEAF,
        "arguments": _ARGUMENT,
        "partitions": NODE,
        "orders": _ORDER,
        "arg_orders": _ORDER,
        "start": LEAF,
        "end": LEAF,
        "start_expr": NODE,
        "end_expr": NODE,
        "filter_expr": NODE,
        "distinct": LEAF,
        "exclude_clause": LEAF,
        "ignore_nulls": LEAF,
        "has_ignore_nulls": LEAF,
    },
}

_OTHERS: Final[Mapping[str, Fields]] = {
    "SELECT_NODE": {
        **_ANY_QUERY,
        "select_list": NODE,
        "from_table": NODE,
        "where_clause": NODE,
        "group_expressions": NODE,
        "group_sets": LEAF,
        "aggregate_handling": LEAF,
        "having": NODE,
        "qualify": NODE,
        "sample": LEAF,
    },
    "SET_OPERATION_NODE": {
        **_ANY_QUERY,
        "setop_type": LEAF,
        "setop_all": LEAF,
        "children": NODE,
    },
    "BASE_TABLE": {
        **_ANY_TABLE,
        "table_name": LEAF,
        "qualified_name": LEAF,
        "column_name_alias": LEAF,
    },
    "JOIN": {
        **_ANY_TABLE,
        "left": NODE,
        "right": NODE,
        "condition": NODE,
        "join_type": LEAF,
        "ref_type": LEAF,
        "using_columns": LEAF,
        "is_implicit": LEAF,
    },
    "SUBQUERY": {**_ANY_TABLE, "subquery": _STATEMENT, "column_name_alias": LEAF},
    "TABLE_FUNCTION": {
        **_ANY_TABLE,
        "function": NODE,
        "column_name_alias": LEAF,
        "with_ordinality": LEAF,
    },
    "EMPTY": _ANY_TABLE,
    "EXPRESSION_LIST": {**_ANY_TABLE, "values": NODE},
    "SHOW_REF": {**_ANY_TABLE, "query": NODE, "show_type": LEAF, "qualified_name": LEAF},
    "LIMIT_MODIFIER": {"type": LEAF, "limit": NODE, "offset": NODE, "limit_type": LEAF},
    "DISTINCT_MODIFIER": {"type": LEAF, "distinct_on_targets": NODE},
    "ORDER_MODIFIER": {"type": LEAF, "orders": _ORDER},
}

KNOWN: Final[Mapping[str, Fields]] = {
    **{f"class {name}": {**_ANY_EXPRESSION, **fields} for name, fields in _EXPRESSIONS.items()},
    **_OTHERS,
}
"""The fields of every part: of expressions by ``class`` and the class, of others by the type."""

OPERATORS: Final = frozenset(
    {
        *("OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE"),
        *("OPERATOR_NULLIF", "OPERATOR_TRY", "COMPARE_IN", "COMPARE_NOT_IN"),
        *("ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT", "ARRAY_CONSTRUCTOR"),
        "GROUPING_FUNCTION",
    }
)
"""The types of ``OPERATOR``; every other class has types that differ in nothing but a sign."""


class UnknownPart(Exception):  # a refusal that the gate puts into words
    """A node of a kind, or with a field, that the tables above do not name."""

    def __init__(self, node: Node, field: str | None) -> None:
        super().__init__(kind_of(node), field)
        self.node = node
        self.field = field


class Slot(NamedTuple):
    """A place in a tree where a node stands, in its parent or in a record or list of its."""

    holder: Any
    key: Any

    @property
    def node(self) -> Node:
        """The node that stands there now."""
        found: Node = self.holder[self.key]
        return found

    def put(self, node: Node) -> None:
        """Puts another node there."""
        self.holder[self.key] = node


def kind_of(node: Node) -> str:
    """Returns the name by which ``KNOWN`` has the node."""
    return f"class {node['class']}" if "class" in node else str(node.get("type"))


def slots(node: Node) -> Iterator[Slot]:
    """Yields the places of a node's direct children. Raises ``UnknownPart``."""
    fields = KNOWN.get(kind_of(node))
    if fields is None:
        raise UnknownPart(node, None)
    return _slots(node, node, fields)


def children(node: Node) -> list[Node]:
    """Returns a node's direct children."""
    return [slot.node for slot in slots(node)]


def walk(node: Node) -> Iterator[Slot]:
    """Yields the place of every node below, parents first. Raises ``UnknownPart``."""
    waiting = [slots(node)]
    while waiting:
        for slot in waiting[-1]:
            yield slot
            waiting.append(slots(slot.node))
            break
        else:
            waiting.pop()


def nodes(node: Node) -> Iterator[Node]:
    """Yields a node and every node below it, parents first."""
    yield node
    for slot in walk(node):
        yield slot.node


def is_query(node: Node) -> bool:
    """Returns whether it is a SELECT or a set operation."""
    return node.get("type") in ("SELECT_NODE", "SET_OPERATION_NODE") and "class" not in node


def is_expression(node: Node | None, name: str) -> bool:
    """Returns whether it is an expression of the class."""
    return node is not None and node.get("class") == name


def orders_of(query: Node) -> list[Node]:
    """Returns the records of a query's ORDER BY."""
    found = [each for each in query.get("modifiers", ()) if each["type"] == "ORDER_MODIFIER"]
    return [order for each in found for order in each.get("orders", ())]


def arguments_of(call: Node) -> list[Node]:
    """Returns the arguments of a function or a window function."""
    return [argument["expression"] for argument in call.get("arguments", ())]


def function_name(node: Node) -> str | None:
    """Returns the name of a call in lower case, None for what is no call or an operator."""
    if node.get("class") not in ("FUNCTION", "WINDOW") or node.get("is_operator"):
        return None
    return str(node["function_name"]).lower()


def operator_of(node: Node) -> str | None:
    """Returns the sign of an operator, which the engine keeps as a function: ``+``, ``->``."""
    return node["function_name"] if node.get("is_operator") else None


def string_of(node: Node | None) -> str | None:
    """Returns the value of a text literal."""
    if not is_expression(node, "CONSTANT"):
        return None
    assert node is not None
    literal = node["literal"]
    return str(literal.get("text", "")) if literal["kind"] == "STRING" else None


def number_of(node: Node) -> str | None:
    """Returns the digits of a numeric literal as they were written, a minus in front of them."""
    sign = ""
    while operator_of(node) == "-" and len(node["arguments"]) == 1:
        sign = "" if sign else "-"
        node = node["arguments"][0]["expression"]
    if not is_expression(node, "CONSTANT") or node["literal"]["kind"] not in ("INTEGER", "NUMERIC"):
        return None
    return f"{sign}{node['literal']['text']}".removeprefix("--")


def column(*names: str) -> Node:
    """Builds a reference to a column."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": list(names)}


def string(value: str) -> Node:
    """Builds a text literal."""
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "literal": {"kind": "STRING", "text": value},
    }


def integer(value: int) -> Node:
    """Builds a literal of a whole number."""
    literal = {"kind": "INTEGER", "text": f"{value:d}"}
    return {"class": "CONSTANT", "type": "VALUE_CONSTANT", "literal": literal}


def call(name: str, *arguments: Node, operator: bool = False) -> Node:
    """Builds a call, or with ``operator`` a sign between or before its arguments."""
    made: Node = {
        "class": "FUNCTION",
        "type": "FUNCTION",
        "function_name": name,
        "qualified_name": {"path": [name]},
        "order_bys": {"type": "ORDER_MODIFIER"},
        "arguments": [{"expression": argument} for argument in arguments],
    }
    return made | {"is_operator": True} if operator else made


def try_cast(child: Node, type_name: str) -> Node:
    """Builds a cast that gives null for what does not fit."""
    kind = {
        "class": "TYPE",
        "type": "TYPE",
        "type_name": type_name,
        "qualified_name": {"path": [type_name]},
    }
    return {
        "class": "CAST",
        "type": "OPERATOR_CAST",
        "child": child,
        "type_expr": kind,
        "try_cast": True,
    }


def replaced(node: Node, by: Node) -> None:
    """Makes a node another one in place; the name that it carries stays."""
    alias = node.get("alias")
    node.clear()
    node.update(by)
    if alias is not None:
        node["alias"] = alias


def fingerprint(node: Node) -> bytes:
    """Returns what two nodes have in common that say the same, wherever they stand."""
    return msgspec.json.encode(_bare(node))


def filled(template: Node, by: Mapping[str, Node]) -> Node:
    """Returns a copy of a template with copies of nodes for its columns of these names."""
    made = copy.deepcopy(template)
    for each in list(nodes(made)):
        if is_expression(each, "COLUMN_REF") and each["column_names"][0] in by:
            replaced(each, copy.deepcopy(by[each["column_names"][0]]))
    return made


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if key not in _NOT_SAID}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _slots(node: Node, record: Any, fields: Fields) -> Iterator[Slot]:
    for field, value in record.items():
        held = fields.get(field)
        if held is None:
            raise UnknownPart(node, field)
        if held is LEAF:
            continue
        items = value if isinstance(value, list) else None
        if held is NODE:
            yield from _places(record, field, value)
        else:
            for each in items if items is not None else [value]:
                yield from _slots(node, each, held)


def _places(holder: Any, key: Any, value: Any) -> Iterator[Slot]:
    if isinstance(value, list):
        for place in range(len(value)):
            yield from _places(value, place, value[place])
    else:
        yield Slot(holder, key)
