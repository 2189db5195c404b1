"""Canonical Parquet: same rows, same bytes; every value comes back; damage is noticed."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir.errors import Corrupt
from weir.lake.parquet import ROW_GROUP_ROWS, check_rows, encode_rows
from weir.lake.schema import CANONICAL


def make_rows(count: int) -> pa.Table:
    """Rows with every column, nulls where they may be."""
    values: dict[pa.DataType, Any] = {
        pa.string(): lambda n: f"text-{n}",
        pa.int64(): lambda n: n - 2**62,
        pa.int32(): lambda _: 1,
        pa.timestamp("us", tz="UTC"): lambda n: n * 1_000_003 - 10**15,
    }
    columns = []
    for field in CANONICAL:
        column = [
            None if field.nullable and n % 3 == 0 else values[field.type](n) for n in range(count)
        ]
        columns.append(pa.array(column, field.type))
    return pa.table(columns, schema=CANONICAL)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_rows_come_back(count: int) -> None:
    """Types, nulls and values are those that went in."""
    rows = make_rows(count)
    content = encode_rows(rows)
    check_rows(content, rows)
    assert pq.read_table(pa.BufferReader(content)).equals(rows)


def test_same_rows_give_same_bytes() -> None:
    """Names carry a hash of the content, and a repeated commit must find them again."""
    rows = make_rows(100)
    parts = pa.concat_tables([rows.slice(0, 40), rows.slice(40)]).combine_chunks()
    assert bytes(encode_rows(rows)) == bytes(encode_rows(parts))


def test_row_groups_are_bounded() -> None:
    """Large files are divided, and texts of JSON carry no statistics."""
    rows = make_rows(1).take(pa.array([0] * (ROW_GROUP_ROWS + 1)))
    metadata = pq.ParquetFile(pa.BufferReader(encode_rows(rows))).metadata
    assert metadata.num_row_groups == 2
    described = {
        metadata.row_group(0).column(place).path_in_schema
        for place in range(metadata.num_columns)
        if metadata.row_group(0).column(place).is_stats_set
    }
    assert described == set(CANONICAL.names) - {"properties", "context"}


@pytest.mark.parametrize("cut", [0, 100, -1])
def test_damage_is_noticed(cut: int) -> None:
    """A file that was cut short holds nothing."""
    rows = make_rows(10)
    with pytest.raises(Corrupt):
        check_rows(bytes(encode_rows(rows))[:cut], rows)


def test_other_rows_are_noticed() -> None:
    """Fewer rows, rows in another order and other columns are not what was to be written."""
    rows = make_rows(10)
    swapped = rows.take(pa.array([1, 0, *range(2, 10)]))
    for other in (rows.slice(1), swapped, rows.append_column("p_a__i64", rows["seq"])):
        with pytest.raises(Corrupt):
            check_rows(encode_rows(other), rows)
