"""Every type in every format, alone and nested, through a node: its workers open no files."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.running_node import Node, wait_until
from tests.end_to_end.typed_results import CASES, NESTINGS, Nesting, held, same, select

ALONE = Nesting("{}", lambda v: v, lambda c: c)
WAYS = pytest.mark.parametrize("nesting", [ALONE, *NESTINGS.values()], ids=["alone", *NESTINGS])


def ask(node: Node, sql: str, form: str, **fields: str) -> bytes:
    """The body of an answer, which is 200."""
    answer = node.ask(sql, format=form, **fields)
    assert answer.status_code == 200, answer.text
    return answer.content


def cells(body: bytes) -> list[list[str]]:
    """The rows of CSV below its header."""
    return list(csv.reader(io.StringIO(body.decode(), newline="")))[1:]


def table(body: bytes, form: str) -> pa.Table:
    """The rows of a typed answer."""
    if form == "arrow":
        return pa.ipc.open_stream(body).read_all()
    return pq.read_table(io.BytesIO(body))


@WAYS
def test_every_type_in_json(shared_node: Node, nesting: Nesting) -> None:
    """What JSON can hold, unchanged; the same in both of its forms."""
    [row] = json.loads(ask(shared_node, select(nesting), "json"))["rows"]
    line = json.loads(ask(shared_node, select(nesting), "ndjson"))
    got = {case.sql: same(value) for case, value in zip(CASES, row, strict=True)}
    assert got == {case.sql: same(nesting.json(case.json)) for case in CASES}
    assert [same(value) for value in line.values()] == list(got.values())


def test_every_type_in_cells(shared_node: Node) -> None:
    """Numbers with all their digits, texts as they are."""
    [row] = cells(ask(shared_node, select(), "csv"))
    got = {case.sql: cell for case, cell in zip(CASES, row, strict=True)}
    assert got == {case.sql: case.cell for case in CASES}


@pytest.mark.parametrize("name", NESTINGS)
def test_nested_cells_are_json(shared_node: Node, name: str) -> None:
    """A list, struct or map is the JSON that it is in the other formats, and never a formula."""
    nesting = NESTINGS[name]
    [row] = cells(ask(shared_node, select(nesting), "csv", safe="1"))
    got = {case.sql: same(json.loads(cell)) for case, cell in zip(CASES, row, strict=True)}
    assert got == {case.sql: same(nesting.json(case.json)) for case in CASES}


@WAYS
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_every_type_typed(shared_node: Node, form: str, nesting: Nesting) -> None:
    """The value and its type; nested the same as alone."""
    rows = table(ask(shared_node, select(nesting), form), form)
    got, wanted = {}, {}
    for case, column in zip(CASES, rows.columns, strict=True):
        leaf = nesting.leaf(column.combine_chunks())
        got[case.sql] = (held(leaf), str(leaf.type))
        differs = case.parquet if form == "parquet" else None
        wanted[case.sql] = differs or (case.arrow, case.type)
    assert got == wanted


KEYS: dict[str, dict[str, Any]] = {
    "MAP {1: 'a', 2: 'b'}": {"1": "a", "2": "b"},
    "MAP {true: 1}": {"true": 1},
    "MAP {TIMESTAMPTZ '2026-11-24 08:00:00+00': 1}": {"2026-11-24T08:00:00Z": 1},
    "MAP {DATE 'infinity': 1, DATE '2026-11-24': 2}": {"infinity": 1, "2026-11-24": 2},
    "MAP {INTERVAL '3 days': 1}": {"P3D": 1},
    "MAP {'101'::BIT: 1}": {"101": 1},
    "MAP {0.1::FLOAT: 1, 'nan'::FLOAT: 2, 'inf'::FLOAT: 3}": {"0.1": 1, "nan": 2, "inf": 3},
    "MAP {18446744073709551615::UBIGINT: 1}": {"18446744073709551615": 1},
    "MAP {1.50::DECIMAL(5, 2): 1}": {"1.5": 1},
    "MAP {[1, 2]: 1}": {"[1,2]": 1},
    "MAP {{'a': DATE '2026-11-24'}: 1}": {'{"a":"2026-11-24"}': 1},
    "MAP {'\"a\"'::JSON: 1}": {'"a"': 1},
    "histogram(ts)": {"2026-11-24T08:00:00Z": 1},
}
EMPTY: dict[str, Any] = {
    "[]": [],
    "{}": {},
    "{'a': {}}": {"a": {}},
    "[{}]": [{}],
    "MAP {}": {},
    "[MAP {}]": [{}],
    "[]::TIMESTAMPTZ[]": [],
    "[]::INTERVAL[]": [],
    "map([]::TEXT[], []::BIT[])": {},
    "NULL::STRUCT(a INTERVAL)": None,
    "NULL::INTERVAL[2]": None,
    "[NULL]::INTERVAL[2][]": [None],
    "NULL::MAP(TEXT, JSON)": None,
    "[NULL::STRUCT(a JSON[])]": [None],
    "(1, INTERVAL 1 DAY)": {"element1": 1, "element2": "P1D"},
    "list_zip([ts], ['a'])": [{"element1": "2026-11-24T08:00:00Z", "element2": "a"}],
}


@pytest.mark.parametrize("cases", [KEYS, EMPTY], ids=["keys", "empty"])
def test_keys_and_what_is_empty(own_project: Node, cases: dict[str, Any]) -> None:
    """Keys of any type are texts in JSON; what holds nothing is held by every format."""
    node = _with_one_event(own_project)
    columns = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(cases))
    sql = f"SELECT {columns} FROM events GROUP BY ts"
    [row] = json.loads(ask(node, sql, "json"))["rows"]
    assert dict(zip(cases, row, strict=True)) == cases
    [texts] = cells(ask(node, sql, "csv"))
    assert {
        sql: json.loads(cell or "null") for sql, cell in zip(cases, texts, strict=True)
    } == cases
    for form in ("arrow", "parquet"):
        assert table(ask(node, sql, form), form).num_rows == 1


STATEMENTS: dict[str, Any] = {
    "SELECT array_agg(ts ORDER BY ts) FROM events GROUP BY user_id": ["2026-11-24T08:00:00Z"],
    "SELECT list(ts) FROM events": ["2026-11-24T08:00:00Z"],
    "SELECT {'t': ts} FROM events": {"t": "2026-11-24T08:00:00Z"},
    "SELECT MAP {'t': ts} FROM events": {"t": "2026-11-24T08:00:00Z"},
    "SELECT histogram(date_trunc('day', ts)) FROM events": {"2026-11-24T00:00:00Z": 1},
    "SELECT arg_min({'e': event, 't': ts}, ts) FROM events": {
        "e": "a",
        "t": "2026-11-24T08:00:00Z",
    },
    "SELECT list(age(ts, ts - INTERVAL 1 DAY)) FROM events": ["P1D"],
    "SELECT to_seconds(1795507200000 + seq - seq) FROM events": "PT1795507200000S",
    "SELECT from_json('\"x\"', '\"ENUM(''x'', ''y'')\"')": "x",
    "SELECT from_json('\"POINT(1 2)\"', '\"GEOMETRY\"')": "POINT (1 2)",
    "SELECT from_json('\"12:00:00.123456789\"', '\"TIME_NS\"')": "12:00:00.123456789",
    "SELECT from_json('\"2026-11-24\"', '\"TIMESTAMPTZ_NS\"')": "2026-11-24T00:00:00Z",
    "SELECT [from_json('\"x\"', '\"UNION(a INT, b TEXT)\"')]": [None],
}


def test_times_within_what_people_ask(own_project: Node) -> None:
    """Lists, structs and maps of times; durations of any length; types that JSON can name."""
    node = _with_one_event(own_project)
    got = {sql: json.loads(ask(node, sql, "json"))["rows"][0][0] for sql in STATEMENTS}
    assert got == STATEMENTS


def test_a_row_as_a_value(own_project: Node) -> None:
    """``SELECT e FROM events e`` in every format."""
    node = _with_one_event(own_project)
    sql = "SELECT e FROM events e"
    [[row]] = json.loads(ask(node, sql, "json"))["rows"]
    assert (row["event"], row["ts"]) == ("a", "2026-11-24T08:00:00Z")
    [[cell]] = cells(ask(node, sql, "csv"))
    assert json.loads(cell) == row
    for form in ("arrow", "parquet"):
        [value] = table(ask(node, sql, form), form).column(0).to_pylist()
        assert value["event"] == "a"


NUMBERS = [
    *("-5", "-9007199254740993", "-12345678901234567890123::HUGEINT", "-0.5::FLOAT", "-1e30"),
    *("-1.5::DECIMAL(5, 2)", "-123456789.1234567890123::DECIMAL(38, 13)", "-7::TINYINT"),
    *("DATE '-infinity'", "DATE '0044-03-15 (BC)'", "'-infinity'::TIMESTAMP", "'-5'::JSON"),
    *("TIMESTAMPTZ '0044-03-15 (BC) 12:00:00+00'", "to_json(-5)", "INTERVAL '-3 days'"),
]
FORMULAS = [
    *("'=1+1'", "'-9007199254740993'", "'+1'", "'@a'", "chr(9) || '=1'", "chr(13) || '=1'"),
    *("chr(65309) || '1'", "'-x'::CHAR(2)", "'\\xFB'::BLOB", "properties.p", "chr(10) || '=1'"),
    "from_json('\"=x\"', '\"ENUM(''=x'')\"')",
]


def test_only_texts_are_disarmed(own_project: Node) -> None:
    """The guard against formulas asks for the type of a column, not how a value looks."""
    node = _with_one_event(own_project)
    sql = f"SELECT {', '.join(NUMBERS)}, {', '.join(FORMULAS)} FROM events"
    [plain], [safe] = (cells(ask(node, sql, "csv", safe=each)) for each in ("0", "1"))
    count = len(NUMBERS)
    assert dict(zip(NUMBERS, safe, strict=False)) == dict(zip(NUMBERS, plain, strict=False))
    guarded = dict(zip(FORMULAS, safe[count:], strict=True))
    assert guarded == {sql: f"'{cell}" for sql, cell in zip(FORMULAS, plain[count:], strict=True)}


def test_what_fits_no_type_is_refused_in_words(shared_node: Node) -> None:
    """A typed format changes no value without a word; the others have it."""
    for sql, text in [
        ("[to_hours(3000000)]", ["PT10800000000S"]),
        ("170141183460469231731687303715884105727", str(2**127 - 1)),
    ]:
        answer = shared_node.ask(f"SELECT {sql}", format="arrow")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_query")
        assert "::TEXT" in answer.text
        assert shared_node.query(f"SELECT {sql}") == [[text]]


def _with_one_event(node: Node) -> Node:
    event = {"event": "a", "user_id": "u", "ts": "2026-11-24T08:00:00Z", "properties": {"p": "=1"}}
    assert node.send("/v1/events", event).status_code == 202
    wait_until(lambda: node.query("SELECT count() FROM events") == [[1]], within_s=10, what="it")
    return node
