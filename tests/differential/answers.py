"""Whether two answers are one: rows of a node beside rows of the oracle."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeGuard

Row = tuple[Any, ...]

TOLERANCE: Final = 1e-9
"""Relative: sums of doubles depend on the order of the rows."""

_SHOWN_MAX: Final = 3


def difference(found: Sequence[Row], wanted: Sequence[Row], *, ordered: bool) -> str:
    """Returns what differs, in words; nothing where the answers are one."""
    if len(found) != len(wanted):
        return f"{len(found)} rows instead of {len(wanted)}{_extra(found, wanted)}"
    ours, theirs = [_plain(row) for row in found], [_plain(row) for row in wanted]
    if not ordered:
        ours, theirs = sorted(ours, key=_key), sorted(theirs, key=_key)
    wrong = [(a, b) for a, b in zip(ours, theirs, strict=True) if not _same(a, b)]
    if not wrong:
        return ""
    shown = "; ".join(f"{a} instead of {b}" for a, b in wrong[:_SHOWN_MAX])
    return f"{len(wrong)} of {len(found)} rows: {shown}"


def _extra(found: Sequence[Row], wanted: Sequence[Row]) -> str:
    """A few rows that only one of the answers has."""
    ours, theirs = {_key(_plain(row)) for row in found}, {_key(_plain(row)) for row in wanted}
    more, missing = sorted(ours - theirs)[:_SHOWN_MAX], sorted(theirs - ours)[:_SHOWN_MAX]
    return f"; too many: {more}; missing: {missing}"


def _plain(row: Row) -> Row:
    return tuple(_plain_value(value) for value in row)


def _plain_value(value: object) -> object:
    match value:
        case bool() | int() | None | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            return str(value)
        case float():
            return value + 0.0  # no zero below zero
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case list() | tuple():
            return tuple(_plain_value(each) for each in value)
        case dict():
            return tuple((key, _plain_value(each)) for key, each in value.items())
        case _:
            return str(value)


def _key(row: Row) -> str:
    """Sorts rows whatever their types; doubles that are nearly equal sort alike."""
    return repr([f"{value:.10g}" if _is_number(value) else value for value in row])


def _same(a: object, b: object) -> bool:
    if _is_number(a) and _is_number(b):
        return a == b or (float in (type(a), type(b)) and math.isclose(a, b, rel_tol=TOLERANCE))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
