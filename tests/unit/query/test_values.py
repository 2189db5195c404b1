"""Columns as JSON and as cells: what holds for every type, and for any value of it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.engine.column_types import LEAVES_AS_TEXT, ColumnType
from weir.errors import InvalidInput
from weir.query import iso8601
from weir.query.arrow_forms import arrow_form, parquet_form
from weir.query.cells import cell_converter
from weir.query.values import json_converter

ENGINE = duckdb.connect(config={"threads": "1"})
NESTED = {"array", "list", "map", "struct", "tuple"}
NUMBERS = st.integers(-(2**63) + 2, 2**63 - 2)


def column_type(name: str, *fields: ColumnType) -> ColumnType:
    """A type of a name."""
    return ColumnType(name, name.upper(), tuple((f"f{i}", each) for i, each in enumerate(fields)))


def engine_types() -> list[str]:
    """The names of all types that the engine has, but for those that nest others."""
    told = ENGINE.sql("SELECT DISTINCT lower(logical_type) FROM duckdb_types()").fetchall()
    return sorted({name for (name,) in told} - NESTED)


@pytest.mark.parametrize("name", [*engine_types(), "json"])
def test_every_type_of_the_engine_is_written(name: str) -> None:
    """A type that is new in the engine has to be given its form first."""
    kind = column_type(name)
    nothing = pa.nulls(1, pa.null())
    assert json_converter(kind)(nothing.cast(_arrow_type(name))) == [None]
    assert cell_converter(kind, safe=True)(nothing.cast(_arrow_type(name))) == [None]
    if name not in LEAVES_AS_TEXT:
        assert arrow_form(kind, pa.string()).type
        assert parquet_form(kind, pa.string()).type


def _arrow_type(name: str) -> pa.DataType:
    """What the engine gives for a type, where it is no text."""
    match name:
        case "decimal" | "hugeint":
            return pa.decimal128(38, 0)
        case "date":
            return pa.date32()
        case "time" | "time_ns":
            return pa.time64("us")
        case _ if name.startswith("timestamp"):
            return pa.timestamp("us")
        case "bigint" | "ubigint":
            return pa.int64()
        case _:
            return pa.string()


@pytest.mark.parametrize("name", ["mystery", "timestamp_ps"])
def test_an_unknown_type_is_refused_before_the_first_row(name: str) -> None:
    """In words, in every format, wherever it is nested."""
    kind = column_type("list", column_type(name))
    given = pa.list_(pa.string())
    for make in (
        lambda: json_converter(kind),
        lambda: cell_converter(kind, safe=False),
        lambda: arrow_form(kind, given),
        lambda: parquet_form(kind, given),
    ):
        with pytest.raises(InvalidInput, match=name.upper()) as caught:
            make()
        assert "TEXT" in str(caught.value.hint)


@given(st.lists(st.one_of(st.none(), st.timedeltas()), max_size=5))
def test_moments_are_what_python_says_where_it_can(spans: list[timedelta | None]) -> None:
    """ISO 8601 with the fraction that is needed, for every moment that Python has."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    wanted: list[str | None] = []
    ticks: list[int | None] = []
    for span in spans:
        try:
            moment = start + (span or timedelta())
        except OverflowError:
            continue
        ticks.append(None if span is None else (moment - start) // timedelta(microseconds=1))
        whole, dot, fraction = moment.replace(tzinfo=None).isoformat().partition(".")
        text = whole + (dot + fraction).rstrip("0") + "Z"
        wanted.append(None if span is None else text)
    column = pa.array(ticks, pa.int64()).cast(pa.timestamp("us", "UTC"))
    assert iso8601.timestamps(column) == wanted


@given(NUMBERS)
def test_every_moment_has_a_text_that_the_engine_reads_as_it(ticks: int) -> None:
    """Years before Christ and those of six digits too."""
    [text] = iso8601.timestamps(pa.array([ticks]).cast(pa.timestamp("us")))
    sql = "SELECT epoch_us(TRY_CAST(? AS TIMESTAMP))"
    [[read]] = ENGINE.execute(sql, [text]).fetchall()
    assert read in {ticks, None}
    assert read == ticks or abs(ticks) > 9_223_300_000_000_000_000


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63) + 1, 2**63 - 1),
)
def test_every_interval_is_read_as_it_is(months: int, days: int, microseconds: int) -> None:
    """The engine's text tells all three parts, whatever their signs."""
    sql = "SELECT (to_months(?::INT) + to_days(?::INT) + to_microseconds(?))::TEXT"
    [[text]] = ENGINE.execute(sql, [months, days, microseconds]).fetchall()
    assert iso8601.parsed_intervals(pa.array([text])) == [
        iso8601.Interval(months, days, microseconds)
    ]


@given(st.lists(st.lists(st.lists(st.one_of(st.none(), st.integers())), max_size=3), max_size=3))
def test_slices_of_nested_columns_are_written_as_slices(rows: list[Any]) -> None:
    """A part of a batch has its own rows and no others."""
    numbers = pa.array(
        [[[None if n is None else n % 100 for n in inner] for inner in row] for row in rows],
        pa.list_(pa.list_(pa.int32())),
    )
    kind = column_type("list", column_type("list", column_type("integer")))
    whole = json_converter(kind)(numbers)
    assert whole == numbers.to_pylist()
    for start in range(len(rows)):
        assert json_converter(kind)(numbers.slice(start, 1)) == whole[start : start + 1]


SLICED = [
    (
        column_type("struct", column_type("interval")),
        pa.array([{"f0": "1 day"}, None, {"f0": None}, {"f0": "2 days"}]),
        [{"f0": "P1D"}, None, {"f0": None}, {"f0": "P2D"}],
    ),
    (
        column_type("map", column_type("varchar"), column_type("interval")),
        pa.array([[("a", "1 day")], None, [], [("b", "2 days")]], pa.map_("string", "string")),
        [{"a": "P1D"}, None, {}, {"b": "P2D"}],
    ),
    (
        ColumnType("array", "INTERVAL[2]", (("child", column_type("interval")),), 2),
        pa.array([["1 day", None], None, ["2 days", "3 days"]], pa.list_(pa.string(), 2)),
        [["P1D", None], None, ["P2D", "P3D"]],
    ),
    (
        column_type("list", column_type("interval")),
        pa.array([["1 day"], None, [], ["2 days", None]]),
        [["P1D"], None, [], ["P2D", None]],
    ),
]


@pytest.mark.parametrize(("kind", "column", "wanted"), SLICED)
def test_nulls_and_slices_keep_their_places(
    kind: ColumnType, column: pa.Array, wanted: list[Any]
) -> None:
    """In JSON, and where Arrow's arrays are put together anew."""
    form = parquet_form(kind, column.type)
    assert form.change is not None
    for start in range(len(column)):
        part = column.slice(start)
        assert json_converter(kind)(part) == wanted[start:]
        changed = form.change(part)
        changed.validate(full=True)
        assert changed.type == form.type
        texts = [
            dict(each) if kind.name == "map" and each else each for each in changed.to_pylist()
        ]
        assert [None if each == [] else each for each in texts] == [
            None if each in ([], {}) else each for each in wanted[start:]
        ]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_shortest_number_that_is_read_as_it(value: float) -> None:
    """Of 32 bits: 0.1, and not 0.10000000149011612."""
    [written] = json_converter(column_type("float"))(pa.array([value], pa.float32()))
    assert pa.array([written], pa.float32()).to_pylist() == [value]
    assert len(Decimal(json.dumps(written)).normalize().as_tuple().digits) <= 9


@given(st.text("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20'a1 ", max_size=3), st.booleans())
def test_a_cell_is_guarded_by_what_its_column_is(text: str, safe: bool) -> None:
    """A text that begins like a formula has one sign more; a text of another type never."""
    column = pa.array([text])
    [cell] = cell_converter(column_type("varchar"), safe=safe)(column)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert (cell != text) == (
        safe and text.startswith(("=", "+", "-", "@", *"\t\r\n\0\uff1d\uff0b\uff0d\uff20"))
    )
    assert cell_converter(column_type("bit"), safe=safe)(column) == [text]
