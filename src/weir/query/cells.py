"""Columns as cells of CSV: by the column's type, as ``values`` does for JSON.

A null and a number that is none are empty. Numbers have all their digits, JSON is its text, lists,
structs and maps are JSON. Only texts may be taken for formulas; a number never is, however it is
written.
"""

import math
from functools import partial
from typing import Any, Final

import msgspec
import pyarrow as pa

from weir.engine.column_types import ColumnType
from weir.query.values import Converter, Values, as_they_are, digits, floats, json_converter

FORMULA_SIGNS: Final = (*"=+-@", *"\t\r\n\0", *"\uff1d\uff0b\uff0d\uff20")
"""How a text begins that a spreadsheet runs, at once or trimmed; some read full-width signs too."""

_TEXTS: Final = frozenset({"varchar", "enum", "union", "variant", "geometry", "blob"})
"""The types whose cells say what the sender chose. Base64 may begin with a sign too."""

_encoder = msgspec.json.Encoder()


def cell_converter(kind: ColumnType, *, safe: bool) -> Converter:
    """Returns what makes the cells of a column of a type; raises for types it has not met.

    With ``safe``, texts that a spreadsheet would run as formulas get a ``'`` in front.
    """
    if kind.fields or kind.name == "struct":
        return partial(_json_texts, json_converter(kind))
    convert = _CELLS.get(kind.name) or json_converter(kind)
    if safe and kind.name in _TEXTS:
        return partial(_disarmed, convert)
    return convert


def disarmed(text: str) -> str:
    """Returns a text as a spreadsheet shows it and does not run it."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _disarmed(convert: Converter, column: pa.Array) -> Values:
    return [None if text is None else disarmed(text) for text in convert(column)]


def _booleans(column: pa.Array) -> Values:
    return list(column.cast(pa.string()).to_pylist())


def _floats(column: pa.Array) -> Values:
    return [None if each is None or not math.isfinite(each) else each for each in floats(column)]


def _json_texts(convert: Converter, column: pa.Array) -> Values:
    return [None if value is None else _json_text(value) for value in convert(column)]


def _json_text(value: Any) -> str:
    return _encoder.encode(value).decode()


_CELLS: Final[dict[str, Converter]] = {
    **dict.fromkeys(("bigint", "ubigint", "uhugeint", "bignum", "json"), as_they_are),
    **dict.fromkeys(("hugeint", "decimal"), digits),
    **dict.fromkeys(("float", "double"), _floats),
    "boolean": _booleans,
}
"""Where a cell is not what JSON has."""
