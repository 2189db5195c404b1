"""Paths into JSON columns: ``properties.plan``, ``properties['plan']``, ``properties->>'plan'``."""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from weir.query.statement.nodes import (
    Node,
    arguments_of,
    children,
    is_expression,
    number_of,
    operator_of,
    string_of,
)
from weir.query.statement.parsing import invalid, position_of

JSON_COLUMNS: Final = frozenset({"properties", "context"})


class PropertyPath(NamedTuple):
    """Keys below a JSON column, at least one; ``as_json`` where the last step is ``->``."""

    column: tuple[str, ...]
    """The column's name, behind its table's if that is written."""
    keys: tuple[str, ...]
    as_json: bool

    @property
    def pointer(self) -> str:
        """The JSON pointer: it takes any key, while the engine reads ``$`` and ``/`` as syntax."""
        return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in self.keys)

    @property
    def written(self) -> str:
        """The path as a message names it."""
        return ".".join((*self.column, *self.keys))[:100]


def path_of(node: Node, bound: Collection[str] = ()) -> PropertyPath | None:
    """Returns the path that an expression spells, or None.

    ``bound`` are the parameters of the lambdas around it. Raises ``InvalidInput`` for a key that
    cannot be read.
    """
    if is_expression(node, "COLUMN_REF"):
        return _column_path(node, bound)
    step = _step_of(node)
    if step is None:
        return None
    below, key, as_json = step
    above = path_of(below, bound) or _json_column(below, bound)
    if above is None:
        return None
    read = _key_of(key, node, as_json)
    if read is None:
        return None
    return PropertyPath(above.column, (*above.keys, read), as_json is True)


def paths_within(node: Node, bound: Collection[str] = ()) -> Iterator[PropertyPath]:
    """Yields the paths that an expression is made of, whole: none that another goes through."""
    path = path_of(node, bound)
    if path is not None:
        yield path
        return
    for child in children(node):
        yield from paths_within(child, bound)


def _column_path(node: Node, bound: Collection[str]) -> PropertyPath | None:
    names = node["column_names"]
    if names[0].lower() in bound:
        return None
    for place, name in enumerate(names[:2]):
        if name.lower() in JSON_COLUMNS and len(names) > place + 1:
            return PropertyPath(tuple(names[: place + 1]), tuple(names[place + 1 :]), as_json=False)
    return None


def _json_column(node: Node, bound: Collection[str]) -> PropertyPath | None:
    """The bare column ``properties`` or ``table.properties``, as a path without keys yet."""
    if not is_expression(node, "COLUMN_REF"):
        return None
    names = node["column_names"]
    if len(names) > 2 or names[0].lower() in bound or names[-1].lower() not in JSON_COLUMNS:
        return None
    return PropertyPath(tuple(names), (), as_json=False)


def _step_of(node: Node) -> tuple[Node, Node, bool | None] | None:
    """What is stepped into, the key, and whether JSON is kept; None of the third for brackets."""
    if is_expression(node, "OPERATOR") and node["type"] in ("ARRAY_EXTRACT", "STRUCT_EXTRACT"):
        below, key = node["children"]
        return below, key, None
    if operator_of(node) in ("->", "->>") and len(arguments_of(node)) == 2:
        below, key = arguments_of(node)
        return below, key, operator_of(node) == "->"
    return None


def _key_of(key: Node, step: Node, as_json: bool | None) -> str | None:
    text = string_of(key)
    if text is not None:
        return text
    digits = number_of(key)
    if digits is None:
        return None
    if as_json is None:
        raise invalid(
            "Take an item of a list by '->> 0', counted from 0.", position=position_of(step)
        )
    return digits if digits.isdigit() else None
