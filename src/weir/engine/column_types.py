"""The types of a result's columns as the engine names them, and what becomes text on the way out.

Some types have no Arrow type that holds all their values, or one that changes them without a
word: an interval of 300 years in hours, a time's own zone, integers of 128 bits without a sign.
The engine writes these as its own texts before they leave it, wherever they are nested.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from weir.domain.sql import quoted

LEAVES_AS_TEXT: Final = frozenset(
    {
        *("bignum", "bit", "enum", "geometry", "interval", "time with time zone", "type"),
        *("uhugeint", "union", "variant"),
    }
)
"""The types that arrive as texts, by the names that ``ColumnType`` has for them."""


class ColumnType(NamedTuple):
    """A type by its name (``timestamp with time zone``, ``list``, ``json``), with what it nests."""

    name: str
    spelled: str
    """The type as SQL has it."""
    fields: tuple[tuple[str, "ColumnType"], ...] = ()
    """The child of a list or an array, key and value of a map, the fields of a struct by name."""
    size: int = 0
    """How many values an array has; 0 for what is none."""


def column_type(told: Any) -> ColumnType:
    """Returns a type of the engine's binding (``DuckDBPyType``) as a value."""
    spelled = str(told)
    name = "json" if spelled == "JSON" else str(told.id)
    if name not in _NESTED:
        return ColumnType(name, spelled)
    parts = dict(told.children) if name == "array" else {}
    children = [(field, each) for field, each in told.children if not isinstance(each, int)]
    fields = tuple((field, column_type(each)) for field, each in children)
    return ColumnType(name, spelled, fields, parts.get("size", 0))


def written_as_text(names: Sequence[str], types: Sequence[ColumnType]) -> str | None:
    """Returns the select list that casts what must leave the engine as text; None for nothing."""
    casts = [_cast(each) for each in types]
    if not any(casts):
        return None
    return ", ".join(
        f"{f'CAST(#{place} AS {cast})' if cast else f'#{place}'} AS {quoted(name)}"
        for place, (name, cast) in enumerate(zip(names, casts, strict=True), 1)
    )


_NESTED: Final = frozenset({"list", "array", "struct", "tuple", "map"})


def _cast(kind: ColumnType) -> str | None:
    """The type to cast to, or None where nothing in it becomes text."""
    if kind.name in LEAVES_AS_TEXT:
        return "VARCHAR"
    casts = [_cast(each) for _, each in kind.fields]
    if not any(casts):
        return None
    inner = [cast or each.spelled for cast, (_, each) in zip(casts, kind.fields, strict=True)]
    match kind.name:
        case "list":
            return f"{inner[0]}[]"
        case "array":
            return f"{inner[0]}[{kind.size}]"
        case "struct":
            named = zip(kind.fields, inner, strict=True)
            return f"STRUCT({', '.join(f'{quoted(name)} {each}' for (name, _), each in named)})"
        case _:
            return f"{kind.name.upper()}({', '.join(inner)})"
