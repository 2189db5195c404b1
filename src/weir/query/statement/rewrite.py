"""What the gate changes in a query: how properties are read, and what columns are called.

``properties.plan``, ``properties['plan']`` and ``properties->>'plan'`` are the same text, by the
exact key. Where a number is wanted (``sum``, arithmetic, comparison with a number) the text is
cast, and what is not a number is null.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

import msgspec
from sqlglot import exp

from weir.query.statement.functions import NUMERIC_FIRST_ARGUMENT, NUMERIC_RESULT
from weir.query.statement.parsing import invalid, position_of, shown

JSON_COLUMNS: Final = frozenset({"properties", "context"})
NAME_CHARS_MAX: Final = 64

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.Neg)
_COMPARISONS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.Between, exp.In),
)
_ORDERED_NAMES = {"percentile_cont": "quantile_cont", "percentile_disc": "quantile_disc"}
_CHOICES = frozenset({"coalesce", "ifnull", "nullif", "greatest", "least"})
_WRAPPERS = (exp.Filter, exp.Window, exp.WithinGroup, exp.Paren, exp.Cast)
_NAMED_SYNTAX: Final[dict[type[exp.Expr], str]] = {
    exp.Extract: "extract",
    exp.Trim: "trim",
    exp.Substring: "substring",
    exp.StrPosition: "position",
    exp.Case: "case",
    exp.CurrentDate: "current_date",
    exp.CurrentTimestamp: "current_timestamp",
}


class Want(Enum):
    """The type in which the surrounding expression reads a property."""

    TEXT = None
    NUMBER = "DOUBLE"
    BOOLEAN = "BOOLEAN"


class PropertyPath(msgspec.Struct, frozen=True):
    """Keys below a JSON column, at least one; ``as_json`` where the last step is ``->``."""

    column: exp.Column
    keys: tuple[str, ...]
    as_json: bool


def name_columns(tree: exp.Expr) -> None:
    """Gives every result column without an alias the name that its reader expects."""
    for select in tree.find_all(exp.Select):
        for projection in select.expressions:
            name = _natural_name(projection)
            if name:
                projection.replace(exp.alias_(projection.copy(), name, quoted=True))


def rewrite_properties(tree: exp.Expr) -> exp.Expr:
    """Returns the tree with every path into a JSON column replaced by its extraction."""
    return _rewrite(tree, Want.TEXT)


def path_of(node: object) -> PropertyPath | None:
    """Returns the path that an expression spells, or None.

    Raises ``InvalidInput`` for a key that cannot be read.
    """
    match node:
        case exp.Column():
            return _column_path(node)
        case exp.Paren():
            return path_of(node.this)
        case exp.Dot(expression=exp.Identifier()):
            return _deeper(node, node.name)
        case exp.Bracket():
            return _deeper(node, _bracket_key(node))
        case exp.JSONExtract() | exp.JSONExtractScalar():
            return _deeper(node, _arrow_key(node))
        case _:
            return None


def _column_path(column: exp.Column) -> PropertyPath | None:
    parts = column.parts
    for place, part in enumerate(parts[:2]):
        if part.name.lower() not in JSON_COLUMNS or len(parts) == place + 1:
            continue
        if isinstance(parts[-1], exp.Star):
            raise invalid(
                f"'{part.name}.*' is not possible: name the keys.", position=position_of(column)
            )
        table = parts[0].copy() if place else None
        root = exp.Column(this=part.copy(), table=table)
        return PropertyPath(root, tuple(key.name for key in parts[place + 1 :]), as_json=False)
    return None


def _deeper(node: exp.Expr, key: str | None) -> PropertyPath | None:
    above = _json_column(node.this) or path_of(node.this)
    if above is None or key is None:
        return None
    return PropertyPath(above.column, (*above.keys, key), as_json=type(node) is exp.JSONExtract)


def _json_column(node: exp.Expr) -> PropertyPath | None:
    """The bare column ``properties`` or ``table.properties``, as a path without keys yet."""
    inner = node.unnest()
    if not isinstance(inner, exp.Column) or len(inner.parts) > 2:
        return None
    if inner.name.lower() not in JSON_COLUMNS:
        return None
    return PropertyPath(inner.copy(), (), as_json=False)


def _bracket_key(bracket: exp.Bracket) -> str | None:
    keys = bracket.expressions
    if len(keys) != 1 or not isinstance(keys[0], exp.Literal):
        return None
    if keys[0].is_string:
        return str(keys[0].this)
    if _json_column(bracket.this) or path_of(bracket.this):
        raise invalid(
            "Take an item of a list by '->> 0', counted from 0.", position=position_of(bracket)
        )
    return None


def _arrow_key(arrow: exp.Expr) -> str | None:
    key = arrow.expression
    return str(key.this) if isinstance(key, exp.Literal) else None


def _rewrite(node: exp.Expr, want: Want) -> exp.Expr:
    path = path_of(node)
    if path is not None:
        return _extraction(path, want)
    for child, wanted in list(_children(node, want)):
        changed = _rewrite(child, wanted)
        if changed is not child:
            child.replace(changed)
    if isinstance(node, exp.WithinGroup):
        # Written back as an ORDER BY within the call, where the engine knows only these names.
        node.this.set("this", _ORDERED_NAMES.get(node.this.name.lower(), node.this.name))
    if isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        # The engine binds ``->>`` looser than ``=``; a call has no precedence to mistake.
        name = "json_extract" if type(node) is exp.JSONExtract else "json_extract_string"
        return exp.Anonymous(this=name, expressions=[node.this, node.expression])
    return node


def _extraction(path: PropertyPath, want: Want) -> exp.Expr:
    """Reads a path; ``acceleration.py`` finds these calls and lets columns answer instead.

    A JSON pointer takes any key: the engine reads ``$`` and ``/`` in a plain key as syntax.
    """
    steps = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path.keys)
    name = "json_extract" if path.as_json else "json_extract_string"
    call = exp.Anonymous(this=name, expressions=[path.column, exp.Literal.string(steps)])
    if want.value is None:
        return call
    return exp.TryCast(this=call, to=exp.DataType.build(want.value))


def _children(node: exp.Expr, want: Want) -> Iterator[tuple[exp.Expr, Want]]:
    """The node's direct children and as what each reads a property."""
    if isinstance(node, exp.Anonymous):
        yield from _arguments(node, want)
        return
    operands = list(node.iter_expressions())
    if isinstance(node, _ARITHMETIC):
        dated = any(isinstance(item, exp.Interval) for item in operands)
        inner = Want.TEXT if dated else Want.NUMBER
    elif isinstance(node, _COMPARISONS):
        inner = _shared_want(operands, Want.TEXT)
    elif isinstance(node, exp.Paren | exp.Distinct | exp.Order):
        inner = want
    elif isinstance(node, exp.Case):
        yield from _case_children(node, want)
        return
    elif isinstance(node, exp.Filter | exp.Window | exp.WithinGroup):
        yield from _wrapped_children(node, want)
        return
    else:
        inner = Want.TEXT
    for item in operands:
        yield item, inner


def _arguments(call: exp.Anonymous, want: Want) -> Iterator[tuple[exp.Expr, Want]]:
    name = call.name.lower()
    if name in _CHOICES:
        inner = _shared_want(call.expressions, want)
        yield from ((item, inner) for item in call.expressions)
        return
    first = Want.NUMBER if name in NUMERIC_FIRST_ARGUMENT else Want.TEXT
    for place, item in enumerate(call.iter_expressions()):
        yield item, first if place == 0 else Want.TEXT


def _case_children(case: exp.Case, want: Want) -> Iterator[tuple[exp.Expr, Want]]:
    default = case.args.get("default")
    branches = [branch.args["true"] for branch in case.args["ifs"]]
    results = [*branches, *([default] if default is not None else [])]
    inner = _shared_want(results, want)
    yield from ((result, inner) for result in results)
    tests = [branch.this for branch in case.args["ifs"]]
    if case.this is not None:
        subject = _shared_want([case.this, *tests], Want.TEXT)
        yield from ((item, subject) for item in (case.this, *tests))
        return
    yield from ((test, Want.TEXT) for test in tests)


def _wrapped_children(node: exp.Expr, want: Want) -> Iterator[tuple[exp.Expr, Want]]:
    ordered = Want.NUMBER if isinstance(node, exp.WithinGroup) else Want.TEXT
    for item in node.iter_expressions():
        if item is node.this:
            yield item, want
        elif isinstance(node, exp.WithinGroup) and isinstance(item, exp.Order):
            yield from ((term.this, ordered) for term in item.expressions)
        else:
            yield item, Want.TEXT


def _shared_want(operands: Iterable[exp.Expr], otherwise: Want) -> Want:
    """What the other operands make of a property beside them."""
    items = list(operands)
    if any(_is_number(item) for item in items):
        return Want.NUMBER
    if any(isinstance(item.unnest(), exp.Boolean) for item in items):
        return Want.BOOLEAN
    return otherwise


def _is_number(node: exp.Expr) -> bool:
    inner = node.unnest()
    match inner:
        case exp.Literal():
            return not inner.is_string
        case exp.Neg():
            return _is_number(inner.this)
        case exp.Filter() | exp.Window() | exp.WithinGroup():
            return _is_number(inner.this)
        case exp.Anonymous():
            return inner.name.lower() in NUMERIC_RESULT
        case exp.Cast():
            return inner.to.this in exp.DataType.NUMERIC_TYPES
        case exp.Mul() | exp.Div() | exp.IntDiv() | exp.Mod() | exp.Pow():
            return True
        case exp.Add() | exp.Sub():
            return _is_number(inner.this) or _is_number(inner.expression)
        case _:
            return False


def _natural_name(projection: exp.Expr) -> str | None:
    """The name to give a result column; None where the engine's own is right."""
    node = projection
    while (path := path_of(node)) is None and isinstance(node, _WRAPPERS):
        node = node.this
    if path is not None:
        return path.keys[-1] or path.column.name
    match node:
        case exp.Column() if node is projection:
            return None
        case exp.Star() | exp.Alias() | exp.Aliases():
            return None
        case exp.Column() | exp.Dot():
            return node.name
        case exp.Anonymous():
            return node.name.lower()
        case _:
            return _NAMED_SYNTAX.get(type(node)) or shown(node)[:NAME_CHARS_MAX]
