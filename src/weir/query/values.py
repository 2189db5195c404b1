"""Columns as what JSON can hold without changing it: by the column's type, never by a value's.

Integers beyond 2^53 and decimals that a double would change are texts, NaN and infinities null,
blobs base64, JSON values themselves. A 32-bit float is the shortest number that is read as it.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weir.engine.column_types import ColumnType
from weir.query import iso8601
from weir.query.failures import unknown_type

EXACT_MAX: Final = 2**53
"""Integers up to here, of either sign, survive a reader that knows only doubles."""
EXACT_DIGITS_MAX: Final = 15

Values = list[Any]
Converter = Callable[[pa.Array], Values]
"""Makes a column's values; a null is None whatever the type."""

_encoder = msgspec.json.Encoder()


def json_converter(kind: ColumnType) -> Converter:
    """Returns what makes JSON's values of a column of a type; raises for types it has not met."""
    inner = [json_converter(each) for _, each in kind.fields]
    match kind.name:
        case "list":
            return partial(_lists, inner[0])
        case "array":
            return partial(_arrays, inner[0])
        case "struct" | "tuple":
            return partial(_structs, inner)
        case "map":
            return partial(_maps, _key_converter(kind.fields[0][1]), inner[1])
    if kind.name not in _SCALARS:
        raise unknown_type(kind.spelled)
    return _SCALARS[kind.name]


def is_known(kind: ColumnType) -> bool:
    """Returns whether a type is one of those that can be written; what it nests aside."""
    return kind.name in _SCALARS or kind.name in _NESTED


def as_they_are(column: pa.Array) -> Values:
    """Returns Python's values: of texts, booleans and small integers."""
    return list(column.to_pylist())


def floats(column: pa.Array) -> Values:
    """Returns doubles that are written as the shortest text that is read as the same value."""
    if pa.types.is_float32(column.type):
        column = column.cast(pa.string()).cast(pa.float64())
    return list(column.to_pylist())


def digits(column: pa.Array) -> list[str | None]:
    """Returns decimals with all their digits, and no exponent."""
    return [None if value is None else f"{value:f}" for value in column.to_pylist()]


def base64(column: pa.Array) -> list[str | None]:
    """Returns blobs as texts."""
    return [None if value is None else b64encode(value).decode() for value in column.to_pylist()]


def raw_json(text: str) -> Any:
    """Returns JSON text as itself, or as a text where it is not valid (the engine takes NaN)."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return msgspec.Raw(text.encode())


def _integers(column: pa.Array) -> Values:
    if len(column) == column.null_count:
        return [None] * len(column)
    least, greatest = (value.as_py() for value in pc.min_max(column).values())
    if least >= -EXACT_MAX and greatest <= EXACT_MAX:
        return list(column.to_pylist())
    return [None if value is None else _exact(value) for value in column.to_pylist()]


def _wide_integers(column: pa.Array) -> Values:
    """Integers of 128 bits arrive as decimals without a fraction."""
    return [None if value is None else _exact(int(value)) for value in column.to_pylist()]


def _written_integers(column: pa.Array) -> Values:
    """Integers of any size arrive as texts."""
    return [
        int(text) if text is not None and len(text) <= EXACT_DIGITS_MAX else text
        for text in column.to_pylist()
    ]


def _exact(value: int) -> int | str:
    return value if -EXACT_MAX <= value <= EXACT_MAX else str(value)


def _decimals(column: pa.Array) -> Values:
    if column.type.scale == 0:
        return _wide_integers(column)
    return [None if value is None else _of_decimal(value) for value in column.to_pylist()]


def _of_decimal(value: Decimal) -> float | str:
    return float(value) if len(value.as_tuple().digits) <= EXACT_DIGITS_MAX else f"{value:f}"


def _json(column: pa.Array) -> Values:
    return [None if text is None else raw_json(text) for text in column.to_pylist()]


_NESTED: Final = frozenset({"list", "array", "struct", "tuple", "map"})

_SCALARS: Final[dict[str, Converter]] = {
    **dict.fromkeys(
        (
            *("null", "boolean", "varchar", "uuid", "tinyint", "smallint", "integer", "utinyint"),
            *("usmallint", "uinteger", "bit", "time with time zone", "enum", "union", "variant"),
            *("geometry", "type"),
        ),
        as_they_are,
    ),
    **dict.fromkeys(("bigint", "ubigint"), _integers),
    **dict.fromkeys(("uhugeint", "bignum"), _written_integers),
    **dict.fromkeys(("float", "double"), floats),
    **dict.fromkeys(
        (
            *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
            *("timestamp with time zone", "timestamptz_ns"),
        ),
        iso8601.timestamps,
    ),
    **dict.fromkeys(("time", "time_ns"), iso8601.times),
    "hugeint": _wide_integers,
    "decimal": _decimals,
    "date": iso8601.dates,
    "interval": iso8601.intervals,
    "blob": base64,
    "json": _json,
}
"""By the engine's names; what is missing is a type that nobody has said how to write."""


def _lists(child: Converter, column: pa.Array) -> Values:
    first, bounds = _bounds(column)
    values = child(column.values.slice(first, bounds[-1] - first))
    return [
        values[start - first : end - first] if is_there else None
        for start, end, is_there in zip(bounds, bounds[1:], _valid(column), strict=False)
    ]


def _arrays(child: Converter, column: pa.Array) -> Values:
    size = column.type.list_size
    values = child(column.values.slice(column.offset * size, len(column) * size))
    return [
        values[place * size : (place + 1) * size] if is_there else None
        for place, is_there in enumerate(_valid(column))
    ]


def _structs(children: Sequence[Converter], column: pa.Array) -> Values:
    names = column.type.names
    columns = [child(column.field(place)) for place, child in enumerate(children)]
    rows = zip(*columns, strict=True) if columns else [()] * len(column)
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(rows, _valid(column), strict=True)
    ]


def _maps(keys: Converter, items: Converter, column: pa.Array) -> Values:
    first, bounds = _bounds(column)
    count = bounds[-1] - first
    pairs = list(
        zip(
            keys(column.keys.slice(first, count)),
            items(column.items.slice(first, count)),
            strict=True,
        )
    )
    return [
        dict(pairs[start - first : end - first]) if is_there else None
        for start, end, is_there in zip(bounds, bounds[1:], _valid(column), strict=False)
    ]


def _bounds(column: pa.Array) -> tuple[int, list[int]]:
    """Where the first list begins among all children, and where each begins and the last ends."""
    bounds = column.offsets.to_pylist() or [0]
    return bounds[0], bounds


def _valid(column: pa.Array) -> Values:
    if not column.null_count:
        return [True] * len(column)
    return list(column.is_valid().to_pylist())


def _key_converter(kind: ColumnType) -> Converter:
    """Keys of a JSON object are texts; keys that differ stay different."""
    if kind.name in {"float", "double"}:
        return _float_keys
    return partial(_keys, json_converter(kind))


def _keys(convert: Converter, column: pa.Array) -> Values:
    return [
        value if isinstance(value, str) else _encoder.encode(value).decode()
        for value in convert(column)
    ]


def _float_keys(column: pa.Array) -> Values:
    return [
        _encoder.encode(value).decode() if np.isfinite(value) else f"{value}"
        for value in floats(column)
    ]
