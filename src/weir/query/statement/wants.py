"""The types in which an expression reads the properties that stand in it."""

from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Final

from weir.engine import numbers
from weir.query.statement.functions import (
    BOOLEAN_FIRST_ARGUMENT,
    INTEGER_FIRST_ARGUMENT,
    NUMERIC_ARGUMENTS,
    NUMERIC_FIRST_ARGUMENT,
    NUMERIC_RESULT,
    ORDERED_SECOND_ARGUMENT,
    PASSING,
)
from weir.query.statement.nodes import (
    Node,
    arguments_of,
    function_name,
    is_expression,
    nodes,
    number_of,
    operator_of,
)
from weir.query.statement.paths import path_of

ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "//", "%", "^", "**"})
EXTREMES: Final = frozenset({"greatest", "least"})
_WIDE_TYPES: Final = frozenset(
    {"bigint", "hugeint", "ubigint", "uhugeint", "decimal", "numeric", "int8", "long"}
)
_NUMERIC_TYPES: Final = _WIDE_TYPES | {
    *("tinyint", "smallint", "integer", "int", "utinyint", "usmallint", "uinteger"),
    *("float", "real", "double", "int1", "int2", "int4", "short", "signed"),
}


class Want(Enum):
    """The type in which the surrounding expression reads a property."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    EXACT = "exact"
    """To be compared with a number beyond what a DOUBLE tells apart."""
    KEY = "key"
    """To be put in order."""
    COMPARED = "compared"
    """To be compared with another property."""


def want_of_argument(name: str, place: int, argument: Node) -> Want:
    """Returns as what a function reads a property that is its argument at ``place``, from 0."""
    if name in NUMERIC_ARGUMENTS or (place == 0 and name in NUMERIC_FIRST_ARGUMENT):
        return Want.NUMBER
    if place == 0 and name in BOOLEAN_FIRST_ARGUMENT:
        return Want.BOOLEAN
    if place == 0 and name in INTEGER_FIRST_ARGUMENT:
        return Want.INTEGER
    if place == 1 and name in ORDERED_SECOND_ARGUMENT and path_of(argument) is not None:
        return Want.KEY
    if place == 0 and name == "if":
        return Want.BOOLEAN
    return Want.TEXT


def passed_arguments(name: str, arguments: Sequence[Node]) -> list[Node]:
    """The arguments one of which is what the call gives."""
    if name in ("lag", "lead"):
        return [arguments[place] for place in (0, 2) if place < len(arguments)]
    if name == "if":
        return list(arguments[1:])
    return list(arguments) if name == "nullif" else list(arguments[:1])


def results_of(node: Node) -> list[Node]:
    """Returns the expressions one of which is what a node gives; none where it makes its own."""
    name = function_name(node) or ""
    if name in EXTREMES:
        return arguments_of(node)
    if name in PASSING or name in ("nullif", "if"):
        return passed_arguments(name, arguments_of(node))
    if is_expression(node, "CASE"):
        return [*(each["then_expr"] for each in node["case_checks"]), node["else_expr"]]
    if is_expression(node, "OPERATOR") and node["type"] == "OPERATOR_COALESCE":
        return list(node["children"])
    return []


def gives_property(node: Node, bound: Collection[str] = ()) -> bool:
    """Returns whether an expression is a property, or may give one."""
    if path_of(node, bound) is not None:
        return True
    return any(gives_property(item, bound) for item in results_of(node))


def is_property(node: Node, bound: Collection[str] = ()) -> bool:
    """Returns whether all that an expression may give are properties, literal texts and null."""
    if path_of(node, bound) is not None:
        return True
    results = results_of(node)
    return any(gives_property(item, bound) for item in results) and all(
        is_property(item, bound) or _is_text_or_null(item) for item in results
    )


def _is_text_or_null(node: Node) -> bool:
    kinds = ("STRING", "NULL_LITERAL")
    return is_expression(node, "CONSTANT") and node["literal"]["kind"] in kinds


def shared_want(operands: Iterable[Node], otherwise: Want) -> Want:
    """What the other operands make of a property beside them."""
    items = list(operands)
    if any(is_number(item) for item in items):
        return Want.NUMBER
    if any(_is_boolean(item) for item in items):
        return Want.BOOLEAN
    return otherwise


def _is_boolean(node: Node) -> bool:
    return is_expression(node, "CONSTANT") and node["literal"]["kind"] == "BOOLEAN"


def is_number(node: Node) -> bool:
    """Whether an expression is surely a number, whatever its columns are."""
    if number_of(node) is not None:
        return True
    sign, name = operator_of(node), function_name(node)
    if sign in ("+", "-"):
        return any(is_number(item) for item in arguments_of(node))
    if sign in ARITHMETIC:
        return True
    if name is not None and name in NUMERIC_RESULT:
        return True
    match node.get("class"):
        case "CAST":
            return node["type_expr"]["type_name"].lower() in _NUMERIC_TYPES
        case "SUBQUERY" if node["subquery_type"] == "SCALAR":
            items = node["subquery"]["node"].get("select_list", ())
            return len(items) == 1 and is_number(items[0])
        case _:
            return any(is_number(item) for item in results_of(node))


def is_wide(node: Node) -> bool:
    """Whether it may be a number that a DOUBLE does not tell from its neighbours."""
    for each in nodes(node):
        digits = number_of(each)
        if digits is not None and abs(float(digits.replace("_", ""))) >= numbers.EXACT_DOUBLE:
            return True
    return is_expression(node, "CAST") and node["type_expr"]["type_name"].lower() in _WIDE_TYPES


def is_interval(node: Node) -> bool:
    """Returns whether an expression is a length of time, which is added to times."""
    name = function_name(node)
    if name is not None and (name.startswith("to_") or name == "age"):
        return True
    if operator_of(node) is not None:
        return any(is_interval(item) for item in arguments_of(node))
    return is_expression(node, "CAST") and node["type_expr"]["type_name"].lower() == "interval"
