"""Arrow values as what JSON can hold without changing them."""

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXACT_MAX: Final = 2**53
"""Integers up to here, of either sign, survive a reader that knows only doubles."""
EXACT_DIGITS_MAX: Final = 15

_NEVER = (2**63 - 1, -(2**63) + 1)
_FOREVER = ("infinity", "-infinity")


def is_plain(column: pa.Array) -> bool:
    """Returns whether the column's own Python values encode as they should."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_floating(kind):
        return True
    if not pa.types.is_integer(kind):
        return False
    if kind.bit_width <= 32 or len(column) == column.null_count:
        return True
    least, greatest = (value.as_py() for value in pc.min_max(column).values())
    return bool(least >= -EXACT_MAX and greatest <= EXACT_MAX)


def json_values(column: pa.Array) -> list[Any]:
    """Returns the column's values as ``formats`` says that JSON holds them."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.json":
            return [None if text is None else raw_json(text) for text in _texts(column.storage)]
        return [json_value(value) for value in _pylist(column)]
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_map(kind):
        return [None if value is None else _of_map(value) for value in _pylist(column)]
    return [json_value(value) for value in _pylist(column)]


def json_value(value: Any) -> Any:
    """Returns one value as JSON holds it, nested ones included."""
    convert = _CONVERSIONS.get(type(value))
    return value if convert is None else convert(value)


def raw_json(text: str) -> Any:
    """Returns JSON text as itself, or as a text where it is not valid (the engine takes NaN)."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return msgspec.Raw(text.encode())


def _timestamps(column: pa.Array) -> list[str | None]:
    """ISO 8601 by whole columns; years beyond 9999 and infinities included."""
    unit, zone = column.type.unit, "Z" if column.type.tz else ""
    numbers = column.cast(pa.int64())
    ticks = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    texts = np.datetime_as_string(ticks.astype(f"M8[{unit}]"), unit=unit).tolist()
    out: list[str | None] = []
    for text, tick, valid in zip(texts, ticks.tolist(), column.is_valid().to_pylist(), strict=True):
        if not valid:
            out.append(None)
        elif tick in _NEVER:
            out.append(_FOREVER[_NEVER.index(tick)])
        else:
            out.append(_trimmed(text) + zone)
    return out


def _trimmed(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if dot and fraction else whole


def _pylist(column: pa.Array) -> list[Any]:
    """Python values; for what Python cannot hold (a date in the year 20000) the engine's text."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return list(column.cast(pa.string()).to_pylist())


def _texts(column: pa.Array) -> list[str | None]:
    return list(column.to_pylist())


def _of_int(value: int) -> int | str:
    return value if -EXACT_MAX <= value <= EXACT_MAX else str(value)


def _of_decimal(value: Decimal) -> int | float | str:
    if value == value.to_integral_value():
        whole = int(value)
        return _of_int(whole) if value.as_tuple().exponent == 0 else _of_fraction(value)
    return _of_fraction(value)


def _of_fraction(value: Decimal) -> float | str:
    return float(value) if len(value.as_tuple().digits) <= EXACT_DIGITS_MAX else str(value)


def _of_float(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _of_datetime(value: datetime) -> str:
    text = _trimmed(value.replace(tzinfo=None).isoformat())
    return text + "Z" if value.tzinfo else text


def _of_interval(value: pa.MonthDayNano) -> str:
    """ISO 8601 duration; each part keeps its own sign, as in the engine."""
    seconds, rest = divmod(abs(value.nanoseconds), 1_000_000_000)
    sign = "-" if value.nanoseconds < 0 else ""
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    years, months = divmod(abs(value.months), 12)
    month_sign = "-" if value.months < 0 else ""
    parts = "".join(
        f"{number}{letter}"
        for number, letter in (
            (f"{month_sign}{years}" if years else "", "Y"),
            (f"{month_sign}{months}" if months else "", "M"),
            (str(value.days) if value.days else "", "D"),
        )
        if number
    )
    if seconds or rest:
        parts += f"T{sign}{seconds}{fraction}S"
    return "P" + (parts or "T0S")


def _of_list(value: list[Any]) -> Any:
    if value and all(type(item) is tuple and len(item) == 2 for item in value):
        return _of_map(value)
    return [json_value(item) for item in value]


def _of_map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(key): json_value(item) for key, item in pairs}


def _of_dict(value: dict[str, Any]) -> dict[str, Any]:
    return {key: json_value(item) for key, item in value.items()}


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    int: _of_int,
    float: _of_float,
    Decimal: _of_decimal,
    datetime: _of_datetime,
    date: date.isoformat,
    time: lambda value: _trimmed(value.isoformat()),
    timedelta: str,
    pa.MonthDayNano: _of_interval,
    list: _of_list,
    dict: _of_dict,
}
"""By exact type, so that ``bool`` is not an ``int``; what is missing encodes as it is."""
