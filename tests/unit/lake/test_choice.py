"""Which properties get columns: frequent ones, few, and seldom others than before."""

import json
from collections.abc import Sequence

import pyarrow as pa

from tests.unit.lake.test_parquet import make_rows
from weir.domain.layout import Accelerated, ColumnKind, Exact, layout_of
from weir.engine.extract import Extractor
from weir.lake.acceleration import ROWS_MIN, Accelerator
from weir.lake.choice import KEYS_PER_ROW, choose_columns, sample_rows
from weir.lake.parquet import encode_rows


def chosen(
    rows: Sequence[object], earlier: Sequence[Accelerated] = (), *, columns_max: int = 10
) -> dict[str, ColumnKind]:
    """The choice for rows of properties."""
    sample = sample_rows(pa.chunked_array([[json.dumps(row) for row in rows]]))
    choices = choose_columns(sample, earlier, columns_max=columns_max)
    return {choice.pointer: choice.kind for choice in choices}


def test_kinds_are_the_narrowest_that_all_values_fit() -> None:
    """Whole numbers, numbers, truth and texts; mixed ones are texts, too large ones too."""
    rows = [
        {"i": 1, "f": 1, "b": True, "t": "x", "m": 1, "big": 2**70},
        {"i": -7, "f": 1.5, "b": False, "t": "", "m": "x", "big": 1},
    ]
    assert chosen(rows) == {
        "/i": ColumnKind.INTEGER,
        "/f": ColumnKind.FLOAT,
        "/b": ColumnKind.BOOLEAN,
        "/t": ColumnKind.TEXT,
        "/m": ColumnKind.TEXT,
        "/big": ColumnKind.TEXT,
    }


def test_objects_are_looked_into_and_lists_are_not() -> None:
    """Pointers of RFC 6901, to a bounded depth."""
    rows = [{"a": {"b/c": {"d~": 1, "e": {"f": 1}}}, "l": [1], "n": None, "": "x"}]
    assert set(chosen(rows)) == {"/a/b~1c/d~0", "/"}


def test_the_most_frequent_win_and_rare_ones_get_none() -> None:
    """At most so many, by the share of rows that have them."""
    rows = [{"always": 1, **({"often": 1} if n % 2 else {}), f"once{n}": 1} for n in range(100)]
    assert set(chosen(rows)) == {"/always", "/often"}
    assert set(chosen(rows, columns_max=1)) == {"/always"}


def test_an_earlier_column_stays_while_it_is_of_use() -> None:
    """Although others are more frequent now, and although a few values do not fit its kind."""
    rows = [{"new": 1, **({"old": n} if n % 30 == 0 else {})} for n in range(250)]
    old = Accelerated("/old", ColumnKind.INTEGER)
    assert chosen(rows, [old], columns_max=1) == {"/old": ColumnKind.INTEGER}
    assert chosen(rows, [Accelerated("/gone", ColumnKind.TEXT)], columns_max=1) == {
        "/new": ColumnKind.INTEGER
    }
    nearly = [{"old": n or "x"} for n in range(100)]
    assert chosen(nearly, [old]) == {"/old": ColumnKind.INTEGER}
    mixed = [{"old": "x" if n % 2 else n} for n in range(100)]
    assert chosen(mixed, [old]) == {"/old": ColumnKind.TEXT}


def test_names_that_differ_in_case_only_get_one_column() -> None:
    """The engine could not tell their columns apart."""
    assert set(chosen([{"Plan": "a", "plan": "b"}, {"plan": "c"}])) == {"/plan"}


def test_a_hundred_thousand_distinct_keys_cost_no_more_than_ten() -> None:
    """What is looked at is bounded in rows and in keys of a row, and so is what is chosen."""
    wide = {f"key{n}": n for n in range(100_000)}
    assert len(chosen([wide], columns_max=24)) == 24
    sample = sample_rows(pa.chunked_array([[json.dumps(wide)]]))
    assert len(sample.kinds()) == KEYS_PER_ROW
    rows = [{f"key{n}": 1, "plan": "x"} for n in range(100_000)]
    assert chosen(rows) == {"/plan": ColumnKind.TEXT}


def test_numbers_that_no_parser_takes_hurt_nobody() -> None:
    """They count as rows; what the engine makes of them it makes in a column too."""
    sample = sample_rows(pa.chunked_array([['{"n": 1e999}', '{"n": 1}']]))
    assert sample.row_count == 2


def test_widened_rows_have_columns_and_are_the_same_each_time() -> None:
    """A repeated commit finds its own names again, and small files stay as they are."""
    rows = make_rows(1).take(pa.array([0] * ROWS_MIN))
    place = rows.schema.get_field_index("properties")
    texts = pa.array([json.dumps({"n": n, "plan": "pro"}) for n in range(ROWS_MIN)])
    rows = rows.set_column(place, rows.schema.field(place), texts)
    widened = Accelerator(columns_max=5).widen(rows, ())
    assert widened.rows.column_names[-2:] == ["p_n__i64", "p_plan__text"]
    assert widened.rows["p_n__i64"].to_pylist() == list(range(ROWS_MIN))
    again = Accelerator(columns_max=5).widen(rows, ())
    assert bytes(encode_rows(again.rows)) == bytes(encode_rows(widened.rows))
    layout = layout_of(1, widened.columns)
    assert layout is not None
    assert layout == layout_of(1, again.columns)
    assert layout.choices == (
        Accelerated("/n", ColumnKind.INTEGER),
        Accelerated("/plan", ColumnKind.TEXT),
    )
    assert Accelerator(columns_max=0).widen(rows, ()).columns == ()
    assert Accelerator(columns_max=5).widen(rows.slice(1), ()).columns == ()


def test_proofs_tell_what_a_column_may_answer() -> None:
    """Row for row what the JSON gives, or not at all."""
    properties = pa.chunked_array(
        [['{"a": 1, "b": 2, "c": "x", "d": true}', '{"a": 1.0, "b": "7"}']]
    )
    choices = [
        Accelerated("/a", ColumnKind.FLOAT),
        Accelerated("/b", ColumnKind.INTEGER),
        Accelerated("/c", ColumnKind.INTEGER),
        Accelerated("/d", ColumnKind.BOOLEAN),
    ]
    extractor = Extractor()
    extracted = extractor.extract(properties, choices)
    extractor.close()
    assert extracted.exact == [
        Exact.NUMBER,
        Exact.TEXT | Exact.NUMBER,
        Exact.NUMBER,
        Exact.TEXT | Exact.BOOLEAN,
    ]
    assert extracted.columns[1].to_pylist() == [2, 7]
