"""Short forms of the language written out, where the short one cannot bear what is put into it."""

import copy
from collections.abc import Mapping
from typing import Final

from weir.query.statement.functions import FUNCTIONS_BY_TOPIC
from weir.query.statement.nodes import (
    Node,
    function_name,
    integer,
    is_expression,
    nodes,
    number_of,
    replaced,
)
from weir.query.statement.wants import is_property

_AGGREGATES: Final = FUNCTIONS_BY_TOPIC["aggregates"] | {"json_group_array", "json_group_object"}


def named_properties(query: Node) -> dict[str, Node]:
    """Returns a SELECT's items that are properties, by their names and by their places."""
    found: dict[str, Node] = {}
    items = query.get("select_list", ())
    for item in items:
        if "alias" in item:
            found[item["alias"].lower()] = item  # of equal names the engine takes the last
    if not any(_is_several(item) for item in items):
        found |= {f"{place}": item for place, item in enumerate(items, 1)}
    return {name: copy.deepcopy(each) for name, each in found.items() if is_property(each)}


def _is_several(item: Node) -> bool:
    """Whether the item may become more than one column."""
    return function_name(item) == "unnest" or any(
        is_expression(each, "STAR") for each in nodes(item)
    )


def alias_meant(node: Node, aliases: Mapping[str, Node]) -> Node | None:
    """The item of the SELECT that an ORDER BY means by its name or its place."""
    if is_expression(node, "COLUMN_REF") and len(node["column_names"]) == 1:
        return aliases.get(node["column_names"][0].lower())
    digits = number_of(node)
    return None if digits is None else aliases.get(digits)


def write_out_between(node: Node) -> None:
    """Writes BETWEEN as two comparisons, in place: the engine has none for pairs."""
    sides = [
        {"class": "COMPARISON", "type": kind, "left": copy.deepcopy(node["input"]), "right": side}
        for kind, side in (
            ("COMPARE_GREATERTHANOREQUALTO", node["lower"]),
            ("COMPARE_LESSTHANOREQUALTO", node["upper"]),
        )
    ]
    replaced(node, {"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "children": sides})


def write_out_groups(query: Node) -> bool:
    """Writes GROUP BY ALL out as the items' places, where it is plain which these are."""
    items = query["select_list"]
    grouped: list[int] = []
    for place, item in enumerate(items):
        within = list(nodes(item))
        if any(is_expression(each, "STAR") or is_expression(each, "SUBQUERY") for each in within):
            return False
        if not any(function_name(each) in _AGGREGATES for each in within):
            grouped.append(place)
        elif function_name(item) not in _AGGREGATES:
            return False
    query["group_expressions"] = [integer(place + 1) for place in grouped]
    query["group_sets"] = [list(range(len(grouped)))]
    query["aggregate_handling"] = "STANDARD_HANDLING"
    return True


def write_out_all(ordering: Node, query: Node) -> None:
    """Writes ``ORDER BY ALL`` out as the items' places, where a property is among them."""
    items = query.get("select_list", ())
    if not any(is_property(item) for item in items):
        return
    orders = ordering.get("orders", [])
    if len(orders) != 1 or not orders[0]["expression"].get("columns"):
        return
    if any(is_expression(each, "STAR") for item in items for each in nodes(item)):
        return
    ordering["orders"] = [
        orders[0] | {"expression": integer(place)} for place in range(1, len(items) + 1)
    ]
