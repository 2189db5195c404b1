"""The order of rows in a lake file: as numbers to sort by, and as keys to compare.

Rows stand by SORT_KEY, nulls last, texts by their UTF-8 bytes. Sorting numbers takes a fifth of
the time that Arrow's own sort over these columns does.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weir.lake.schema import SORT_KEY
from weir.lake.sidecar import I64, Flags, Numbers

Key = tuple[str | int | bool, ...]
"""A row's place in the order: of two rows the one with the lesser key stands first."""


def order_columns(rows: pa.Table) -> list[I64]:
    """Numbers that sort like the rows, the most important first."""
    return [numbers for name in SORT_KEY for numbers in _order_column(rows[name])]


def key_columns(rows: pa.Table) -> list[pa.Array]:
    """The columns that ``key_at`` reads."""
    columns = [_one_piece(rows[name]) for name in SORT_KEY]
    return [each.view(pa.int64()) if pa.types.is_timestamp(each.type) else each for each in columns]


def key_at(columns: list[pa.Array], place: int) -> Key:
    """The key of the row at this place."""
    key: list[str | int | bool] = []
    for column in columns:
        value = column[place].as_py()
        key += (True, 0) if value is None else (False, value)
    return tuple(key)


def count_below(columns: list[pa.Array], bound: Key, *, first: int = 0) -> int:
    """How many of the rows, which are in order from ``first`` on, stand before ``bound``."""
    low, high = first, len(columns[0])
    while low < high:
        middle = (low + high) // 2
        if key_at(columns, middle) < bound:
            low = middle + 1
        else:
            high = middle
    return low


def tied_rows(columns: list[I64], order: Numbers) -> Flags:
    """Which places of an order hold a row that is equal to the one before in all columns."""
    tied: Flags = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for numbers in columns:
        ordered = numbers[order]
        tied &= ordered[1:] == ordered[:-1]
    return np.append(np.zeros(min(len(order), 1), dtype=np.bool_), tied)


def take_rows(rows: pa.Table, order: Numbers) -> pa.Table:
    """The rows at these places, in one piece, a column at a time."""
    places = pa.array(order)
    columns = []
    for column in rows.columns:
        if column.null_count == len(column):
            columns.append(pa.nulls(len(places), column.type))
        else:
            columns.append(_one_piece(column).take(places))
    return pa.table(columns, schema=rows.schema)


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _order_column(column: pa.ChunkedArray) -> list[I64]:
    if pa.types.is_string(column.type):
        texts = _one_piece(column).dictionary_encode()
        ranks = np.empty(len(texts.dictionary), dtype=np.int64)
        ranks[pc.sort_indices(texts.dictionary).to_numpy()] = np.arange(len(ranks))
        return [ranks[texts.indices.to_numpy()]]
    numbers = _one_piece(column).cast(pa.int64())
    if not numbers.null_count:
        return [numbers.to_numpy()]
    absent = numbers.is_null().to_numpy(zero_copy_only=False).astype(np.int64)
    return [absent, numbers.fill_null(0).to_numpy()]
