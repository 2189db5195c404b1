"""Columns of a result as Arrow and Parquet carry them: typed, wherever a type can hold them.

Most are as the engine gives them. JSON is marked as such, also within lists, structs and maps.
Intervals, which come as texts, get Arrow's type; Parquet has none and they are durations in ISO
8601. What Parquet cannot write at all gets the nearest type that it can.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weir.engine.column_types import ColumnType
from weir.query import iso8601
from weir.query.failures import does_not_fit, unknown_type
from weir.query.values import is_known

Change = Callable[[pa.Array], pa.Array]


class Form(NamedTuple):
    """The Arrow type of a column, and what makes it of the engine's array; None for nothing."""

    type: pa.DataType
    change: Change | None


def arrow_form(kind: ColumnType, given: pa.DataType) -> Form:
    """Returns a column's form in an Arrow stream; raises for types it has not met."""
    return _form(kind, given, _ARROW)


def parquet_form(kind: ColumnType, given: pa.DataType) -> Form:
    """Returns a column's form in a Parquet file; raises for types it has not met."""
    return _form(kind, given, _PARQUET)


_JSON: Final = pa.json_(pa.string())
_NANOSECONDS: Final = 1000
_DIGITS_MAX: Final = 38
_HIGH_BOUND: Final = 10**_DIGITS_MAX >> 64
"""The upper half of the first integer that has too many digits."""


def _form(kind: ColumnType, given: pa.DataType, leaves: Mapping[str, Form]) -> Form:
    if not is_known(kind):
        raise unknown_type(kind.spelled)
    if kind.name in {"struct", "tuple"} and not kind.fields:
        return leaves.get("empty struct", Form(given, None))
    if not kind.fields:
        return leaves.get(kind.name, Form(given, None))
    if kind.name == "map":
        return _map_form(kind, given, leaves)
    if kind.name in {"struct", "tuple"}:
        return _struct_form(kind, given, leaves)
    child = _form(kind.fields[0][1], given.value_type, leaves)
    if child.change is None:
        return Form(given, None)
    field = given.value_field.with_type(child.type)
    is_array = kind.name == "array"
    made = pa.list_(field, given.list_size) if is_array else pa.list_(field)
    return Form(made, _children_changed(made, child.change))


def _struct_form(kind: ColumnType, given: pa.StructType, leaves: Mapping[str, Form]) -> Form:
    fields = list(given)
    forms = [
        _form(each, field.type, leaves)
        for (_, each), field in zip(kind.fields, fields, strict=True)
    ]
    if not any(form.change for form in forms):
        return Form(given, None)
    made = [field.with_type(form.type) for field, form in zip(fields, forms, strict=True)]

    def change(column: pa.StructArray) -> pa.Array:
        children = [_changed(form, column.field(place)) for place, form in enumerate(forms)]
        return pa.StructArray.from_arrays(children, fields=made, mask=column.is_null())

    return Form(pa.struct(made), change)


def _map_form(kind: ColumnType, given: pa.MapType, leaves: Mapping[str, Form]) -> Form:
    (_, key_kind), (_, item_kind) = kind.fields
    key = _NO_KEYS if key_kind.name == "null" else _form(key_kind, given.key_type, leaves)
    item = _form(item_kind, given.item_type, leaves)
    if key.change is None and item.change is None:
        return Form(given, None)
    fields = [given.key_field.with_type(key.type), given.item_field.with_type(item.type)]
    made = pa.map_(*fields)

    def change(column: pa.MapArray) -> pa.Array:
        pairs = [_changed(key, column.keys), _changed(item, column.items)]
        entries = pa.StructArray.from_arrays(pairs, fields=fields)
        return _with_children(column, made, entries)

    return Form(made, change)


def _children_changed(made: pa.DataType, change: Change) -> Change:
    return lambda column: _with_children(column, made, change(column.values))


def _with_children(column: pa.Array, made: pa.DataType, children: pa.Array) -> pa.Array:
    """A list, array or map of other children at the same places."""
    own = column.buffers()[: 1 if pa.types.is_fixed_size_list(made) else 2]
    return pa.Array.from_buffers(made, len(column), own, offset=column.offset, children=[children])


def _changed(form: Form, column: pa.Array) -> pa.Array:
    return column if form.change is None else form.change(column)


def _json(column: pa.Array) -> pa.Array:
    return pa.ExtensionArray.from_storage(_JSON, column)


def _typed_intervals(column: pa.Array) -> pa.Array:
    """With nanoseconds, of which there are only 292 years in either direction."""
    values = [
        None
        if each is None
        else pa.MonthDayNano((each.months, each.days, each.microseconds * _NANOSECONDS))
        for each in iso8601.parsed_intervals(column)
    ]
    try:
        return pa.array(values, pa.month_day_nano_interval())
    except (pa.ArrowInvalid, OverflowError):
        raise does_not_fit("An interval of more than 292 years in hours") from None


def _text_intervals(column: pa.Array) -> pa.Array:
    return pa.array(iso8601.intervals(column), pa.string())


def _wide_integers(column: pa.Array) -> pa.Array:
    """Nothing changes; integers with more digits than the type says are refused."""
    if not len(column):
        return column
    halves = np.frombuffer(column.buffers()[1], "<i8").reshape(-1, 2)
    high = halves[column.offset : column.offset + len(column), 1]
    if ((high >= _HIGH_BOUND) | (high < -_HIGH_BOUND)).any():
        for value in column.to_pylist():
            if value is not None and len(value.as_tuple().digits) > _DIGITS_MAX:
                raise does_not_fit(f"An integer of more than {_DIGITS_MAX} digits")
    return column


def _microseconds(column: pa.Array) -> pa.Array:
    """Seconds or milliseconds, of which Parquet has no seconds; infinities stay what they are."""
    in_tick = iso8601.MICROSECONDS // {"s": 1, "ms": 1000}[column.type.unit]
    ticks = column.cast(pa.int64())
    never = pc.equal(pc.abs(ticks), iso8601.EVER)
    return pc.if_else(never, ticks, pc.multiply(ticks, in_tick)).cast(pa.timestamp("us"))


def _empty_structs(column: pa.Array) -> pa.Array:
    return pa.array(["{}" if is_there else None for is_there in column.is_valid().to_pylist()])


def _no_keys(column: pa.Array) -> pa.Array:
    return pa.nulls(len(column), pa.string())


_NO_KEYS: Final = Form(pa.string(), _no_keys)
"""The keys of a map that can only be empty: a key of the type of nulls cannot be said."""

_ARROW: Final[Mapping[str, Form]] = {
    "json": Form(_JSON, _json),
    "interval": Form(pa.month_day_nano_interval(), _typed_intervals),
    "hugeint": Form(pa.decimal128(_DIGITS_MAX, 0), _wide_integers),
}
_PARQUET: Final[Mapping[str, Form]] = {
    **_ARROW,
    "interval": Form(pa.string(), _text_intervals),
    "timestamp_s": Form(pa.timestamp("us"), _microseconds),
    "timestamp_ms": Form(pa.timestamp("us"), _microseconds),
    "empty struct": Form(pa.string(), _empty_structs),
}
