"""What a session can reach when a query has got past the gate."""

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir.engine.session import Engine, Session, translate
from weir.engine.sources import SessionTable, Source
from weir.errors import Forbidden, Internal, InvalidInput, Unavailable, Unprocessable, WeirError

SCHEMA = pa.schema([("seq", pa.int64()), ("event", pa.string())])


def table(*numbers: int) -> pa.Table:
    """Rows of the small schema."""
    return pa.table({"seq": list(numbers), "event": ["e"] * len(numbers)}, schema=SCHEMA)


def events(*, files: Sequence[str] = (), tail: pa.Table | None = None) -> SessionTable:
    """The table events of these files and rows."""
    sources = [Source(tuple(files))] if files else []
    return SessionTable("events", SCHEMA, sources, tail)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A connected engine."""
    return Engine.open(memory_bytes=256 << 20)


class Lake:
    """Two projects' files beside each other."""

    def __init__(self, root: Path) -> None:
        self.ours = str(root / "it's ours.parquet")
        self.theirs = str(root / "theirs.parquet")
        self.note = str(root / "note.csv")
        self.root = root
        pq.write_table(table(1, 2), self.ours)
        pq.write_table(table(666), self.theirs)
        Path(self.note).write_text("a,b\n1,2\n")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Files of the test's own."""
    return Lake(tmp_path)


@pytest.fixture
def session(lake: Lake) -> Session:
    """A locked session over our file and a tail of one row."""
    made = Engine.open(memory_bytes=256 << 20).session()
    made.publish([events(files=[lake.ours], tail=table(3))])
    return made


def read(session: Session, sql: str) -> list[tuple[object, ...]]:
    """All rows of a statement; errors in Weir's words, as the worker tells them."""
    try:
        batches = session.run(sql, batch_rows=2048).batches.read_all()
    except WeirError:
        raise
    except Exception as error:  # what the engine raises while it is read
        raise translate(error) from None
    return [tuple(row.values()) for row in batches.to_pylist()]


def test_events_are_the_files_and_the_tail(session: Session) -> None:
    """The table is what was published, in the schema's order."""
    assert read(session, "SELECT * FROM events ORDER BY seq") == [(1, "e"), (2, "e"), (3, "e")]


@pytest.mark.parametrize("with_tail", [False, True])
@pytest.mark.parametrize("with_file", [False, True])
def test_either_part_may_be_missing(lake: Lake, *, with_file: bool, with_tail: bool) -> None:
    """No file, no tail or neither is a table all the same."""
    session = Engine.open(memory_bytes=256 << 20).session()
    session.publish(
        [events(files=[lake.ours] if with_file else [], tail=table(3) if with_tail else None)]
    )
    expected = 2 * with_file + with_tail
    assert read(session, "SELECT count(*) FROM events") == [(expected,)]


def test_tables_share_nothing_but_the_session(lake: Lake) -> None:
    """Each has its own schema, files and rows in memory, whatever its name is made of."""
    pages = pa.schema([("page", pa.string())])
    session = Engine.open(memory_bytes=256 << 20).session()
    session.publish(
        [
            events(files=[lake.ours], tail=table(3)),
            SessionTable('it\'s "odd"', pages, tail=pa.table({"page": ["/"]}, schema=pages)),
            SessionTable("empty", pages),
        ]
    )
    assert read(session, "SELECT count(*) FROM events") == [(3,)]
    assert read(session, 'SELECT * FROM "it\'s ""odd"""') == [("/",)]
    assert read(session, "SELECT * FROM empty") == []
    with pytest.raises(InvalidInput) as caught:
        read(session, "SELECT nope FROM empty")
    assert caught.value.hint == 'DESCRIBE events or it\'s "odd" or empty lists the columns.'


HOSTILE = [
    "SELECT * FROM read_parquet('{theirs}')",
    "SELECT * FROM '{theirs}'",
    "SELECT * FROM read_parquet(['{theirs}'])",
    "SELECT * FROM read_parquet('{root}/*.parquet')",
    "SELECT * FROM read_parquet('{root}/../{name}/theirs.parquet')",
    "SELECT * FROM parquet_metadata('{theirs}')",
    "SELECT * FROM parquet_schema('{theirs}')",
    "SELECT * FROM read_csv('{note}')",
    "SELECT * FROM sniff_csv('{note}')",
    "SELECT * FROM read_text('{note}')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "FROM query('SELECT * FROM read_text(''{note}'')')",
    "SELECT * FROM table_of_python",
]

CHANGING = [
    "SET threads = 8",
    "SET enable_external_access = true",
    "SET allowed_paths = ['/']",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "INSTALL httpfs",
    "LOAD httpfs",
    "ATTACH '{root}/new.db'",
    "ATTACH ':memory:' AS other",
    "COPY (SELECT 1) TO '{root}/out.csv'",
    "COPY events TO '{ours}' (FORMAT parquet)",
    "EXPORT DATABASE '{root}/out'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "DROP VIEW events",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '{root}/out.csv'",
    "PREPARE p AS SELECT 1",
    "SET VARIABLE x = 1",
    "PIVOT events ON event",
    "CHECKPOINT",
]


def fill(sql: str, lake: Lake) -> str:
    """The statement with the test's paths."""
    paths = {"theirs": lake.theirs, "note": lake.note, "root": str(lake.root)}
    return sql.format(**paths, name=lake.root.name, ours=lake.ours.replace("'", "''"))


@pytest.mark.parametrize("sql", HOSTILE)
def test_other_files_cannot_be_read_by_any_sql(session: Session, lake: Lake, sql: str) -> None:
    """Isolation is by the set of files: the gate is not needed for it."""
    table_of_python = table(666)
    with pytest.raises(WeirError):
        read(session, fill(sql, lake))
    assert table_of_python.num_rows == 1
    assert read(session, "SELECT count(*) FROM events") == [(3,)]


@pytest.mark.parametrize("sql", CHANGING)
def test_nothing_but_one_select_runs(session: Session, lake: Lake, sql: str) -> None:
    """Statements that change, write, load or attach are refused by their type."""
    before = sorted(path.name for path in lake.root.iterdir())
    with pytest.raises((Forbidden, InvalidInput, Unavailable)):
        read(session, fill(sql, lake))
    assert sorted(path.name for path in lake.root.iterdir()) == before
    assert read(session, "SELECT sum(seq) FROM events") == [(6,)]


def test_symlink_to_another_project_is_not_followed(lake: Lake) -> None:
    """A link beside our files opens nothing."""
    link = lake.root / "link.parquet"
    link.symlink_to(lake.theirs)
    session = Engine.open(memory_bytes=256 << 20).session()
    session.publish([events(files=[lake.ours])])
    with pytest.raises(WeirError):
        read(session, f"SELECT * FROM read_parquet('{link}')")


def test_settings_of_the_session_are_as_meant(session: Session) -> None:
    """The engine reports the settings that isolation and results rest on."""
    expected = {
        "enable_external_access": "false",
        "lock_configuration": "true",
        "python_enable_replacements": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_unsigned_extensions": "false",
        "allow_persistent_secrets": "false",
        "enable_external_file_cache": "false",
        "temp_directory": "",
        "TimeZone": "UTC",
    }
    found = read(session, "SELECT name, value FROM duckdb_settings()")
    values = {str(name): str(value) for name, value in found}
    assert {name: values[name] for name in expected} == expected


def test_engine_has_no_threads_before_a_session_asks_for_them(engine: Engine) -> None:
    """The zygote forks after connecting, which is sound with one thread only."""
    rows = read(
        engine.session(),
        "SELECT value FROM duckdb_settings() WHERE name IN"
        " ('threads', 'async_threads') ORDER BY name",
    )
    assert rows == [("0",), ("1",)]


def test_missing_file_is_unavailable(engine: Engine) -> None:
    """A lake file that is gone is no fault of the query, and is not named."""
    session = engine.session()
    with pytest.raises(Unavailable) as caught:
        session.publish([events(files=["/nowhere/x.parquet"])])
    assert "nowhere" not in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nope FROM events", "There is no column 'nope'."),
        ("SELECT event::INT FROM events", "Could not convert string 'e' to INT32"),
        ("SELECT nope(1)", "nope does not exist"),
        ("SELECT sum(event) FROM events", "'sum' cannot take (TEXT)."),
    ],
)
def test_engine_errors_become_plain_words(session: Session, sql: str, words: str) -> None:
    """The engine's words without its JSON, its echo of the statement or its class names."""
    with pytest.raises(InvalidInput) as caught:
        read(session, sql)
    assert words in caught.value.message
    for noise in ("LINE 1", "exception_message", "Error:"):
        assert noise not in caught.value.message


def told_as_json(kind: str, words: str) -> str:
    """An error's text as the engine writes it here."""
    return f"{kind} Error: " + json.dumps({"exception_type": kind, "exception_message": words})


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        pa.ArrowMemoryError("malloc of size 64 failed"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        duckdb.OutOfMemoryException("could not allocate block of size 256.0 KiB"),
        OSError(told_as_json("Out of Memory", "ArrowBuffer: failed to allocate 268435456 bytes")),
        duckdb.InternalException(told_as_json("INTERNAL", "Memory allocation failure")),
        duckdb.FatalException(told_as_json("FATAL", "Failed: invalidated. Original: bad_alloc")),
        duckdb.FatalException(told_as_json("FATAL", "Original error: std::bad_alloc")),
        duckdb.InvalidInputException(
            told_as_json("Invalid Input", "Cannot create a string of size: '5000000000', the")
        ),
        pa.ArrowInvalid(
            "Invalid: Invalid Input Error: Arrow Appender: The maximum total string size for"
            " regular string buffers is 2147483647 but the offset of 3 exceeds this."
        ),
    ],
)
def test_exhausted_memory_is_told_alike(error: Exception) -> None:
    """Whoever noticed it: the engine, Arrow on its way out, Python, or an allocator."""
    found = translate(error)
    assert isinstance(found, Unprocessable)
    assert found.code == "query_memory_exceeded"
    assert found.hint


@pytest.mark.parametrize("text", ["out of memory", "std::bad_alloc", "failed to allocate"])
def test_a_query_that_speaks_of_memory_is_a_mistake_like_others(
    session: Session, text: str
) -> None:
    """What the sender wrote is in the engine's words, and no sign of anything."""
    with pytest.raises(InvalidInput):
        read(session, f"SELECT '{text}'::INT")
    with pytest.raises(InvalidInput):
        read(session, f'SELECT "{text}" FROM events')


@pytest.mark.parametrize(
    "error",
    [
        pa.ArrowInvalid("Conversion Error: Could not convert Timestamp(US) to Timestamp(NS)"),
        pa.ArrowInvalid("Invalid: Out of Range Error: Overflow in multiplication"),
    ],
)
def test_mistakes_that_show_while_rows_are_read_are_the_query_s(error: Exception) -> None:
    """A value that cannot be converted is told alike, whether a file or the tail holds it."""
    assert isinstance(translate(error), InvalidInput)


def test_late_times_are_refused_plainly_over_the_tail(engine: Engine) -> None:
    """The year 9999 has no nanoseconds in 64 bits: 400, not a failure of the node."""
    schema = pa.schema([("ts", pa.timestamp("us", "UTC"))])
    late = pa.table({"ts": [253_402_300_799_000_000]}, schema=schema)
    session = engine.session()
    session.publish([SessionTable("events", schema, tail=late)])
    with pytest.raises(InvalidInput):
        read(session, "SELECT epoch_ns(ts) FROM events")


def test_unknown_error_tells_nothing() -> None:
    """What is no fault of the query stays inside."""
    found = translate(RuntimeError("at /secret/path"))
    assert type(found) is Internal
    assert "/secret" not in str(found)


def test_damaged_file_is_no_mistake_of_the_query(tmp_path: Path) -> None:
    """However the engine tells it: no error blames the client or tells the file's name."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.concat_tables([table(n % 7) for n in range(200)]), path, compression="zstd")
    content = path.read_bytes()
    told = []
    with duckdb.connect() as connection:
        connection.execute("SET errors_as_json = true; SET enable_external_file_cache = false")
        for at in range(0, len(content), 3):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x80]) + content[at + 1 :])
            try:
                connection.sql("SELECT * FROM read_parquet(?)", params=[str(path)]).fetchall()
            except Exception as error:  # whatever the engine raises
                told.append(translate(error))
    assert {error.status for error in told} <= {500, 503}
    assert not [error for error in told if path.name in str(error)]
    assert "events_damaged" in {error.code for error in told}


def test_damage_that_is_told_without_a_kind_in_front_is_damage() -> None:
    """While a file is opened the engine's JSON stands alone."""
    words = '{"exception_type":"Invalid","exception_message":"TProtocolException: Invalid data"}'
    found = translate(duckdb.Error(words))
    assert (found.status, found.code) == (503, "events_damaged")


def test_accelerated_columns_are_not_named_in_errors() -> None:
    """The same mistake is told alike, with the column or without."""
    words = "Could not convert string '[1]' to INT64"
    accelerated = duckdb.ConversionException(
        f"Conversion Error: {words} when casting from source column weir_12\n\nLINE 1: SELECT"
    )
    plain = duckdb.ConversionException(f"Conversion Error: {words}\n\nLINE 1: SELECT")
    assert translate(accelerated).message == translate(plain).message
