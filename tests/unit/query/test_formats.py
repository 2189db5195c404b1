"""Values and formats at their edges."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir.engine.session import Engine
from weir.query.formats import PIECE_BYTES_MAX, ResultShape, pieces_of, unique_names, writer_for
from weir.query.job import Meta
from weir.query.request import Format

ENGINE = Engine.open(memory_bytes=256 << 20)
META = Meta(elapsed_ms=1, rows=1, truncated=False, rows_scanned=2, bytes_scanned=3, watermark="now")


def write(sql: str, kind: Format = Format.JSON, *, safe: bool = False) -> bytes:
    """The engine's result in a format."""
    types, batches = ENGINE.session().run(sql, batch_rows=2048)
    writer = writer_for(kind, ResultShape.of(batches.schema, types), safe=safe, with_meta=False)
    body = b"".join(writer.rows(piece) for batch in batches for piece in pieces_of(batch))
    return writer.head() + body + writer.ending(META)


def value(expression: str) -> Any:
    """The expression's value in the JSON format."""
    ((cell,),) = json.loads(write(f"SELECT {expression} AS v"))["rows"]
    return cell


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("9007199254740992", 9007199254740992),
        ("9007199254740993", "9007199254740993"),
        ("-9007199254740993", "-9007199254740993"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("sum(3)", 3),
        ("1.5", 1.5),
        ("3::DECIMAL(5, 2)", 3.0),
        ("1.23456789012345678", "1.23456789012345678"),
        ("0.1::DOUBLE", 0.1),
        ("'nan'::DOUBLE", None),
        ("'-inf'::DOUBLE", None),
        ("NULL", None),
        ("true", True),
        ("TIMESTAMPTZ '2026-11-20 12:00:00+00'", "2026-11-20T12:00:00Z"),
        ("TIMESTAMPTZ '2026-11-20 12:00:00.25+02'", "2026-11-20T10:00:00.25Z"),
        ("TIMESTAMP '2026-11-20 12:00:00.000001'", "2026-11-20T12:00:00.000001"),
        ("TIMESTAMPTZ '0044-03-15 (BC) 12:00:00+00'", "-0043-03-15T12:00:00Z"),
        ("TIMESTAMPTZ '20000-01-01 00:00:00+00'", "20000-01-01T00:00:00Z"),
        ("'infinity'::TIMESTAMPTZ", "infinity"),
        ("'-infinity'::TIMESTAMP", "-infinity"),
        ("DATE '2026-11-20'", "2026-11-20"),
        ("DATE '20000-01-01'", "20000-01-01"),
        ("TIME '10:00:00.5'", "10:00:00.5"),
        ("INTERVAL '1 year 2 months 3 days 4.5 seconds'", "P1Y2M3DT4.5S"),
        ("INTERVAL '0 days'", "PT0S"),
        ("INTERVAL '-90 seconds'", "PT-90S"),
        ("uuid '0193f3c2-7a10-7001-8000-000000000000'", "0193f3c2-7a10-7001-8000-000000000000"),
        ("'\\xAA'::BLOB", "qg=="),
        ("[1, NULL, 9007199254740993]", [1, None, "9007199254740993"]),
        (
            "{'t': TIMESTAMPTZ '2026-01-01 00:00:00.5+00', 'f': 'inf'::DOUBLE}",
            {"t": "2026-01-01T00:00:00.5Z", "f": None},
        ),
        ("MAP {'a': 1}", {"a": 1}),
        ("MAP {}::MAP(TEXT, INT)", {}),
        ("[MAP {'a': 1}]", [{"a": 1}]),
        ("'{\"a\": [1, 1e400]}'::JSON -> 'a'", "[1,1e400]"),
        ("'{\"a\": [1, {}]}'::JSON -> 'a'", [1, {}]),
        ("'{\"a\": NaN}'::JSON", '{"a": NaN}'),
        ("'x'::ENUM('x', 'y')", "x"),
        ("'é\U0001f600\"\\'", 'é\U0001f600"\\'),
    ],
)
def test_value_in_json(expression: str, expected: object) -> None:
    """Each type as what JSON can hold without changing it."""
    assert value(expression) == expected


def test_json_values_stay_as_they_are() -> None:
    """A number inside of JSON is not rounded on its way out."""
    sql = "SELECT '{\"n\": 12345678901234567890123}'::JSON AS j"
    assert b'{"n": 12345678901234567890123}' in write(sql)


def test_csv_follows_its_rfc() -> None:
    """Quotes are doubled, lines end with CRLF, null and not-a-number are empty."""
    sql = "SELECT 'a\"b,c\nd' AS \"x,y\", NULL AS n, true AS t, 'nan'::DOUBLE AS f, [1, 2] AS l"
    assert write(sql, Format.CSV) == b'"x,y",n,t,f,l\r\n"a""b,c\nd",,true,,"[1,2]"\r\n'


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_safe_csv_disarms_formulas(sign: str) -> None:
    """What a spreadsheet would run is a text; numbers stay numbers."""
    sql = f"SELECT '{sign}1+1' AS \"{sign}h\", -1 AS n"
    assert b"'" + sign.encode() + b"1+1" in write(sql, Format.CSV, safe=True)
    assert b"'" + sign.encode() + b"h" in write(sql, Format.CSV, safe=True)
    assert b"-1\r\n" in write(sql, Format.CSV, safe=True)
    assert b"'" not in write(sql, Format.CSV)


def test_arrow_and_parquet_keep_types() -> None:
    """Binary formats carry the engine's types; intervals are texts in Parquet."""
    sql = "SELECT 1::BIGINT AS i, '{}'::JSON AS j, INTERVAL 1 DAY AS d"
    table = pa.ipc.open_stream(write(sql, Format.ARROW)).read_all()
    assert table.schema.field("i").type == pa.int64()
    assert table.schema.field("j").type == pa.json_(pa.string())
    assert b"P1D" in write(sql, Format.PARQUET)


def test_wide_rows_are_written_in_pieces() -> None:
    """A batch becomes Python's values a megabyte at a time, and never less than a row."""
    wide = pa.record_batch({"v": ["x" * (PIECE_BYTES_MAX // 2)] * 5})
    assert [piece.num_rows for piece in pieces_of(wide)] == [1] * 5
    narrow = pa.record_batch({"v": pa.array(range(2048))})
    assert [piece.num_rows for piece in pieces_of(narrow)] == [2048]
    assert list(pieces_of(narrow.slice(0, 0))) == []
    assert pa.Table.from_batches(pieces_of(wide)).equals(pa.Table.from_batches([wide]))


@pytest.mark.parametrize("kind", list(Format))
def test_rows_come_in_their_order_whatever_the_pieces(kind: Format) -> None:
    """Many batches, many pieces, one result."""
    sql = "SELECT range AS n, repeat(range::TEXT, 300) AS t, [range] AS l FROM range(9000)"
    body = write(sql, kind)
    match kind:
        case Format.JSON:
            numbers = [row[0] for row in json.loads(body)["rows"]]
        case Format.NDJSON:
            numbers = [json.loads(line)["n"] for line in body.splitlines()]
        case Format.CSV:
            numbers = [int(line.split(b",")[0]) for line in body.splitlines()[1:]]
        case Format.ARROW:
            numbers = pa.ipc.open_stream(body).read_all()["n"].to_pylist()
        case Format.PARQUET:
            numbers = pq.read_table(io.BytesIO(body))["n"].to_pylist()
    assert numbers == list(range(9000))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a", "A"], ["a", "A"]),
        ([], []),
    ],
)
def test_names_are_made_unique(names: list[str], expected: list[str]) -> None:
    """The first keeps its name and no given name is taken away."""
    assert unique_names(names) == expected
