"""Rows of many sorted files come in one order, in groups, and in bounded memory."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weir.errors import Corrupt
from weir.lake import runs
from weir.lake.parquet import encode_rows
from weir.lake.runs import merged_groups, sample_every
from weir.lake.schema import CANONICAL

MIB = 1024 * 1024

Row = tuple[str, int | None, int, int | None, int, str]
"""Event, user_key, ts, client_ts, seq, event_id."""

keys = st.tuples(
    st.sampled_from(["a", "b", "\u00e9", "\U0001f600", "\uffff"]),
    st.none() | st.integers(-2, 1),
    st.integers(0, 2),
    st.none() | st.integers(0, 1),
    st.integers(0, 2),
)


def in_order(rows: list[Row]) -> list[Row]:
    """Sorted as a lake file is: nulls last, texts by their bytes, then by id."""

    def key(row: Row) -> tuple[object, ...]:
        event, user, ts, client, seq, event_id = row
        order = (event.encode(), user is None, user or 0, ts, client is None, client or 0, seq)
        return (*order, event_id)

    return sorted(rows, key=key)


def table_of(rows: list[Row], *, properties: str = "{}") -> pa.Table:
    """Rows of a file in the order given."""
    names = ("event", "user_key", "ts", "client_ts", "seq", "event_id")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    fixed = {
        "received_at": 0,
        "ts_source": "client",
        "properties": properties,
        "endpoint": "e",
        "dialect": "native",
        "schema_version": 1,
    }
    arrays = [
        pa.array(columns.get(field.name, [fixed.get(field.name)] * len(rows)), field.type)
        for field in CANONICAL
    ]
    return pa.table(arrays, schema=CANONICAL)


def write(directory: Path, tables: list[pa.Table]) -> list[Path]:
    """The tables as files."""
    paths = [directory / f"{place}.parquet" for place in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        path.write_bytes(encode_rows(table))
    return paths


def found_in(groups: list[pa.Table]) -> list[Row]:
    """The rows of all groups."""
    return [
        tuple(row)
        for group in groups
        for row in zip(
            group["event"].to_pylist(),
            group["user_key"].to_pylist(),
            group["ts"].cast(pa.int64()).to_pylist(),
            group["client_ts"].cast(pa.int64()).to_pylist(),
            group["seq"].to_pylist(),
            group["event_id"].to_pylist(),
            strict=True,
        )
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(st.tuples(keys, st.integers(0, 3)), max_size=40),
    window_rows=st.integers(1, 5),
    group_rows=st.integers(1, 50),
)
def test_rows_come_in_order_whatever_windows_and_groups(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: list[tuple[tuple[str, int | None, int, int | None, int], int]],
    window_rows: int,
    group_rows: int,
) -> None:
    """Equal keys too, within and across files: those stand by their ids."""
    monkeypatch.setattr(runs, "WINDOW_ROWS_MAX", window_rows)
    rows: list[tuple[Row, int]] = [
        ((*key, f"id-{number * 7 % 41:02d}"), file) for number, (key, file) in enumerate(made)
    ]
    files = [in_order([row for row, file in rows if file == number]) for number in range(4)]
    paths = write(tmp_path, [table_of(each) for each in files])
    groups = list(
        merged_groups(paths, memory_bytes=MIB, group_rows=group_rows, group_bytes_max=MIB)
    )
    assert found_in(groups) == in_order([row for row, _ in rows])
    assert [len(group) for group in groups[:-1]] == [group_rows] * (len(groups) - 1)


def test_rows_of_one_key_stand_by_id_whatever_order_their_files_have(tmp_path: Path) -> None:
    """A commit orders them by journal; the merged file is the same all the same."""
    rows: list[Row] = [("a", 1, 1, None, 1, f"id-{number}") for number in range(6)]
    paths = write(
        tmp_path, [table_of([rows[4], rows[1], rows[5]]), table_of([*rows[3::-3], rows[2]])]
    )
    groups = list(merged_groups(paths, memory_bytes=MIB, group_rows=9, group_bytes_max=MIB))
    assert [row[5] for row in found_in(groups)] == ["id-0", "id-1", "id-2", "id-3", "id-4", "id-5"]


def test_groups_are_bounded_by_what_their_json_takes(tmp_path: Path) -> None:
    """But a group has one row at least, and where it ends depends on the rows alone."""
    rows: list[Row] = [("a", 1, number, None, number, str(number)) for number in range(20)]
    properties = '{"text":"' + "x" * 989 + '"}'
    one = write(tmp_path, [table_of(rows, properties=properties)])
    halves = [table_of(rows[place::2], properties=properties) for place in range(2)]
    (tmp_path / "halves").mkdir()
    two = write(tmp_path / "halves", halves)
    for paths in (one, two):
        for most, expected in ((3000, [3] * 6 + [2]), (2999, [2] * 10), (10, [1] * 20)):
            groups = merged_groups(paths, memory_bytes=MIB, group_rows=99, group_bytes_max=most)
            assert [len(group) for group in groups] == expected


def test_a_file_that_is_not_in_order_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than written on in a file whose order nobody can rely on."""
    monkeypatch.setattr(runs, "WINDOW_ROWS_MAX", 2)
    rows: list[Row] = [("a", 1, ts, None, 1, str(ts)) for ts in (5, 6, 7, 1, 2)]
    paths = write(tmp_path, [table_of(rows)])
    with pytest.raises(Corrupt):
        list(merged_groups(paths, memory_bytes=MIB, group_rows=2, group_bytes_max=MIB))


def test_memory_is_bounded_however_much_is_merged(tmp_path: Path) -> None:
    """Windows, pages and a group, not the files: of 32 MiB of rows two thirds are held at most."""
    properties = '{"text":"' + "x" * 1000 + '"}'
    rows: list[Row] = [("a", 1, number, None, number, str(number)) for number in range(32_000)]
    paths = write(tmp_path, [table_of(rows[place::4], properties=properties) for place in range(4)])
    before = pa.total_allocated_bytes()
    greatest = count = 0
    for group in merged_groups(
        paths, memory_bytes=8 * MIB, group_rows=100_000, group_bytes_max=2 * MIB
    ):
        greatest = max(greatest, pa.total_allocated_bytes() - before)
        count += len(group)
    assert count == len(rows)
    assert greatest < 22 * MIB


def test_sample_does_not_depend_on_the_order_of_the_files(tmp_path: Path) -> None:
    """Every so manieth row of each, whatever the row groups."""
    tables = [table_of([("a", 1, n, None, n, str(n))], properties=f'{{"n":{n}}}') for n in range(5)]
    paths = write(tmp_path, [pa.concat_tables(tables), tables[2]])
    found = sample_every(paths, 2, "properties").to_pylist()
    assert found == ['{"n":0}', '{"n":2}', '{"n":2}', '{"n":4}']
    assert sample_every(paths[::-1], 2, "properties").to_pylist() == found


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    """As damage."""
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(Corrupt):
        list(merged_groups([path], memory_bytes=MIB, group_rows=2, group_bytes_max=MIB))
    with pytest.raises(Corrupt):
        sample_every([path], 1, "properties")


def test_files_of_older_layouts_have_other_columns_too(tmp_path: Path) -> None:
    """Accelerated columns are left to whoever writes."""
    table = table_of([("a", 1, 1, None, 1, "x")]).append_column("p_n__i64", pa.array([1]))
    path = tmp_path / "x.parquet"
    pq.write_table(table, path)
    [group] = merged_groups([path], memory_bytes=MIB, group_rows=2, group_bytes_max=MIB)
    assert group.schema.names == CANONICAL.names
