"""What the gate lets through, what it refuses, and in which words."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.query.statement.gating import pass_events, strings_of, syntax
from weir.errors import Forbidden, InvalidInput
from weir.query.ranges import Window
from weir.query.statement.gate import PassedQuery, pass_query
from weir.query.statement.policy import NODES_MAX, SIZE_LITERAL_MAX
from weir.query.statement.scopes import TableShape

ALLOWED = [
    "SELECT event, count() FROM events GROUP BY event LIMIT 10",
    "select * from events",
    "FROM events",
    "FROM events SELECT event WHERE seq > 3",
    "SELECT * EXCLUDE (properties) REPLACE (lower(event) AS event) FROM events",
    "SELECT e.* FROM events AS e",
    "SELECT 1",
    "(SELECT 1) UNION ALL BY NAME (SELECT 2) ORDER BY 1",
    "SELECT 1 EXCEPT SELECT 2 INTERSECT SELECT 3",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM b, a",
    "WITH a AS MATERIALIZED (SELECT * FROM events) SELECT count(*) FROM a",
    "WITH events AS (SELECT 1 AS x) SELECT x FROM events",
    "SELECT (SELECT max(seq) FROM events), x FROM (SELECT seq AS x FROM events)",
    "SELECT * FROM events a JOIN events b USING (event_id) LEFT JOIN events c ON a.seq = c.seq",
    "SELECT * FROM events a ASOF JOIN events b ON a.user_id = b.user_id AND a.ts >= b.ts",
    "SELECT * FROM events, unnest([1, 2]) AS t(x), range(3) AS r(y), LATERAL (SELECT seq)",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)",
    (
        "SELECT count(*) FILTER (WHERE seq > 1) OVER (PARTITION BY event ORDER BY ts ROWS BETWEEN 1"
        " PRECEDING AND CURRENT ROW) FROM events WINDOW w AS (ORDER BY ts)"
        " QUALIFY row_number() OVER w = 1"
    ),
    "SELECT event FROM events GROUP BY GROUPING SETS ((event), ()), ROLLUP (dialect), CUBE (topic)",
    "SELECT DISTINCT ON (event) event, ts FROM events ORDER BY ALL LIMIT 10 PERCENT OFFSET 1",
    "SELECT * FROM events USING SAMPLE 10 ROWS",
    (
        "SELECT date_trunc('day', ts)::DATE, extract(year FROM ts), ts AT TIME ZONE 'Asia/Tokyo',"
        " ts + INTERVAL 1 DAY, now() - INTERVAL '2 hours', CURRENT_DATE FROM events"
    ),
    (
        "SELECT CASE WHEN event LIKE 'a%' THEN 1 ELSE 2 END, event IN ('a', 'b'), event IS NULL,"
        " seq BETWEEN 1 AND 2, event ILIKE 'x', event SIMILAR TO 'x', NOT true, event ~ 'x' FROM"
        " events"
    ),
    (
        "SELECT [1, 2][1], {'a': 1}, MAP {'a': 1}, list_transform([1], x -> x + 1),"
        " list_filter([1], lambda x: x > 1), [x FOR x IN [1, 2] IF x > 1], event[1:2] FROM events"
    ),
    "SELECT CAST(seq AS DECIMAL(10, 2)), TRY_CAST(event AS STRUCT(a INT, b VARCHAR[])) FROM events",
    (
        "SELECT EXISTS (SELECT 1), 1 = ANY (SELECT 1), trim(both ' ' FROM event), 2 ** 3, 7 // 2"
        " FROM events"
    ),
    (
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seq DESC), mode() WITHIN GROUP"
        " (ORDER BY event) FROM events"
    ),
    (
        "SELECT quantile_cont(properties.price, [0.5, 0.9]), arg_max(event, ts ORDER BY seq)"
        " FROM events"
    ),
    "DESCRIBE events",
    "DESCRIBE SELECT event, count() FROM events GROUP BY event",
    "SUMMARIZE events",
    "VALUES (1), (2)",
    "SELECT last_value(event IGNORE NULLS) OVER (ORDER BY ts), lag(event RESPECT NULLS) OVER ()",
    "SELECT [1] && [2], [1] @> [2], 'abc' ^@ 'a', event COLLATE nocase, E'\\n', event !~ 'a'",
    "SELECT event FROM events ORDER BY seq FETCH FIRST 3 ROWS ONLY",
    "SELECT #1, JSON '{}', x'41', 10!, overlay('abc' PLACING 'x' FROM 1), array(SELECT 1), ~seq",
    "SELECT * RENAME (event AS name) FROM events",
    "SELECT 1; -- and no more",
    "SELECT 'DROP TABLE events; COPY', $$read_csv('/etc/passwd')$$ /* ATTACH 'x' */",
]

REFUSED = [
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE events",
    "INSERT INTO events SELECT * FROM events",
    "DELETE FROM events",
    "UPDATE events SET event = 'x'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO f(x) AS x + 1",
    "DROP VIEW events",
    "ALTER TABLE events ADD COLUMN x INT",
    "TRUNCATE events",
    "COPY events TO '/tmp/x'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.db'",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 8",
    "RESET threads",
    "SET VARIABLE x = 1",
    "PRAGMA version",
    "CALL pragma_version()",
    "CHECKPOINT",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW events",
    "DESCRIBE other",
    "SUMMARIZE SELECT * FROM read_csv('/etc/passwd')",
    "VALUES ((SELECT current_setting('threads')))",
    "SELECT event.upper() FROM events",
    "SELECT 'a'.getenv()",
    "PIVOT events ON event USING count()",
    "SELECT * FROM events PIVOT (count(*) FOR event IN ('a'))",
    "UNPIVOT events ON seq INTO NAME n VALUE v",
    "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/x.parquet')",
    "SELECT * FROM parquet_metadata('/x.parquet')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM '/x.parquet'",
    'SELECT * FROM "/x.parquet"',
    "SELECT * FROM 'events.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    'WITH "/x.parquet" AS (SELECT 1) SELECT 1',
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('events')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT getenv('HOME')",
    "SELECT \"getenv\"('HOME')",
    "SELECT GetEnv('HOME')",
    "SELECT main.getenv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT system.main.count(1)",
    "SELECT current_setting('threads')",
    "SELECT getvariable('x')",
    "SELECT nextval('s')",
    "SELECT version()",
    "SELECT current_user",
    "SELECT write_log('x')",
    "SELECT sleep_ms(1000)",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM duckdb_external_file_cache()",
    "SELECT * FROM pragma_table_info('events')",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM main.events",
    "SELECT * FROM memory.main.events",
    "SELECT * FROM other",
    "SELECT * FROM weir_tail",
    "SELECT * FROM (WITH duckdb_settings AS (SELECT 1) SELECT 1), duckdb_settings",
    "WITH a AS (SELECT * FROM duckdb_views), duckdb_views AS (SELECT 1) SELECT * FROM a",
    "SELECT * FROM events WHERE seq IN (SELECT 1 FROM duckdb_settings)",
    "SELECT * FROM events, LATERAL read_csv('/etc/passwd')",
    "SELECT * FROM events, LATERAL (SELECT * FROM glob('/*'))",
    "SELECT list_transform([1], x -> getenv('HOME'))",
    "SELECT COLUMNS('e.*') FROM events",
    "SELECT COLUMNS(*) FROM events",
    "SELECT * FROM events AT (VERSION => 1)",
    "SELECT event::regclass FROM events",
    "SELECT CAST(1 AS my_type)",
    f"SELECT range({SIZE_LITERAL_MAX + 1})",
    f"SELECT * FROM generate_series(1, {SIZE_LITERAL_MAX + 1})",
    "SELECT repeat('a', 4e9)",
    "SELECT lpad('a', 4000000000, 'b')",
    "SELECT * FROM events, pandas_scan(1)",
]

TYPES = """
BOOLEAN INT BIGINT HUGEINT UBIGINT DOUBLE REAL DECIMAL(18,3) VARCHAR TEXT DATE TIME TIMESTAMP
DATETIME TIMESTAMPTZ INTERVAL UUID JSON BLOB INT[] MAP(TEXT,INT) STRUCT(a/INT)
"""

MISTAKEN = {
    "": None,
    "  ; ": None,
    "selec 1": None,
    "SELECT a frm b c": 13,
    "SELECT (1": 8,
    "SELECT 'abc": None,
    "SELECT 0x1F": 7,
    "SELECT 1 \0": 9,
    "SELECT '\ud800'": 8,
    "SELECT properties.* FROM events": 7,
    "SELECT properties['a'][1] FROM events": 7,
    "SELECT properties.x FROM events AS properties": 25,
}

ENGINE_NAMES = {"current_setting", "read_csv", "duckdb_settings", "sqlite_master", "count", "glob"}
"""Some of what an engine has."""


def gate(sql: str, *, rows_max: int = 1000) -> PassedQuery:
    """The gate with ordinary limits."""
    return pass_events(sql, rows_max=rows_max, engine_names=ENGINE_NAMES)


@pytest.mark.parametrize("sql", ALLOWED)
def test_reading_events_is_allowed(sql: str) -> None:
    """What an analyst writes passes."""
    assert gate(sql).sql


@pytest.mark.parametrize("sql", REFUSED)
def test_anything_but_reading_events_is_refused(sql: str) -> None:
    """What is not on the lists is forbidden, with words that say so."""
    with pytest.raises((Forbidden, InvalidInput)) as caught:
        gate(sql)
    assert caught.value.code in {"forbidden_query", "invalid_query"}
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT current_setting('threads')",
        "SELECT Current_Setting('threads')",
        "SELECT * FROM count(1)",
        "SELECT * FROM duckdb_settings",
        "SELECT * FROM SQLITE_MASTER",
        "SELECT * FROM main.evnts",
        "SELECT 1; SELECT 2",
        "SET threads = 8",
        "COPY events TO '/tmp/x'",
        "ATTACH '/tmp/x.db'",
        "SELECT * FROM '/x.parquet'",
        "SELECT * FROM 'x.csv'",
    ],
)
def test_policy_is_forbidden_and_not_invalid(sql: str) -> None:
    """Refusals by policy are 403, apart from mistakes."""
    with pytest.raises(Forbidden) as caught:
        gate(sql)
    assert caught.value.code == "forbidden_query"


@pytest.mark.parametrize(
    "sql",
    [
        "PIVOT events ON event USING count()",
        "UNPIVOT events ON seq INTO NAME n VALUE v",
        "SELECT * FROM events PIVOT (count(*) FOR event IN ('a'))",
        "SELECT COLUMNS('e.*') FROM events",
    ],
)
def test_refusal_of_what_people_write_says_what_to_write_instead(sql: str) -> None:
    """Whether it leads the statement or stands within it."""
    with pytest.raises(Forbidden) as caught:
        gate(sql)
    assert caught.value.hint


@pytest.mark.parametrize(("sql", "position"), MISTAKEN.items())
def test_mistake_is_invalid_with_its_position(sql: str, position: int | None) -> None:
    """What cannot be understood is 400 and names the place where it is known."""
    with pytest.raises((InvalidInput, Forbidden)) as caught:
        gate(sql)
    if position is not None:
        assert isinstance(caught.value, InvalidInput)
        assert caught.value.context["position"] == position


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ->> 'x'",
        "SELECT 1$)",
        "SELECT j->>\u00a0 'x'",
        "SELECT 1\u2028",
        "SELECT (\x85",
        "$$",
        "'",
    ],
)
def test_odd_signs_are_read_or_mistakes(sql: str) -> None:
    """Nothing that is written fails the gate itself."""
    with contextlib.suppress(InvalidInput, Forbidden):
        gate(sql)


WORDS = [
    *"SELECT fromxy()[]{}.,;'\"$->*+1=:#@!~%^&|<>?/\\",
    "->",
    "->>",
    "\u00a0",
    "é",
    "properties",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_whatever_is_written_passes_or_is_refused(words: str) -> None:
    """In words of its own."""
    with contextlib.suppress(InvalidInput, Forbidden):
        gate(f"SELECT {words}")


def test_position_counts_characters_over_lines() -> None:
    """The place is an offset into the text as sent, not a column."""
    sql = "SELECT event,\n  gétenv('x')\nFROM events"
    with pytest.raises(InvalidInput) as caught:
        gate(sql)
    assert caught.value.context["position"] == sql.index("gétenv")


@pytest.mark.parametrize(
    ("sql", "name", "hint"),
    [
        ("SELECT * FROM evnts", "evnts", "Did you mean 'events'?"),
        ("SELECT * FROM Event", "Event", "Did you mean 'events'?"),
        ("SELECT * FROM other", "other", "A query reads 'events'."),
        ("WITH daily AS (SELECT 1) SELECT * FROM dialy", "dialy", "Did you mean 'daily'?"),
        ("SELECT coutn(*) FROM events", "coutn", "Did you mean 'count'?"),
        ("SELECT date_trnc('day', ts) FROM events", "date_trnc", "Did you mean 'date_trunc'?"),
        ("SELECT zzz(1) FROM events", "zzz", None),
        ("SELECT * FROM generate_serie(1, 2)", "generate_serie", "Did you mean 'generate_series'?"),
    ],
)
def test_unknown_name_is_a_mistake_with_a_suggestion(sql: str, name: str, hint: str | None) -> None:
    """What nobody has is not forbidden: 400, the place, and the name that may have been meant."""
    with pytest.raises(InvalidInput) as caught:
        gate(sql)
    assert (caught.value.code, caught.value.hint) == ("invalid_query", hint)
    assert f"'{name}'" in caught.value.message
    assert caught.value.context["position"] == sql.index(name)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
        "SELECT " + "(" * 60 + "1" + ")" * 60,
        "(" * 30_000,
        "SELECT " + "NOT " * 9_000 + "true",
        "SELECT " + "- " * 9_000 + "1",
        "SELECT " + "+".join(["1"] * 9_000),
        "SELECT " + "CASE WHEN true THEN " * 2_000 + "1" + " END" * 2_000,
        "SELECT * FROM " + " JOIN ".join(["events"] * 4_000),
        "SELECT 1 UNION " * 5_000 + "SELECT 1",
        "SELECT a" + ".a" * 5_000,
        "SELECT x" + "::int" * 6_000,
        "SELECT " + ",".join(["1"] * (NODES_MAX + 1)),
        "SELECT 1" + " " * 200_000,
    ],
    ids=range(13),
)
def test_bombs_are_refused_without_harm(sql: str) -> None:
    """Deep, long and wide statements end in a 400."""
    with pytest.raises(InvalidInput) as caught:
        pass_events(sql, rows_max=10, sql_bytes_max=150_000, engine_names=ENGINE_NAMES)
    assert caught.value.code == "invalid_query"


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("SELECT * FROM events", "LIMIT 11"),
        ("SELECT * FROM events LIMIT 5", "LIMIT 5"),
        ("SELECT * FROM events LIMIT 500", "LIMIT 11"),
        ("SELECT 1 UNION SELECT 2", "LIMIT 11"),
        ("(SELECT 1)", "LIMIT 11"),
        ("SELECT * FROM events LIMIT 10 PERCENT", "LIMIT (10) %"),
        ("SELECT * FROM (SELECT * FROM events LIMIT 500)", "LIMIT 500) LIMIT 11"),
    ],
)
def test_row_limit_is_pushed_into_the_statement(sql: str, limit: str) -> None:
    """One row more than asked is read, so that a cut shows."""
    assert gate(sql, rows_max=10).sql.endswith(limit)


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", False),
        ("SELECT * FROM events", True),
        ("WITH events AS (SELECT 1) SELECT * FROM events", False),
        ("WITH events AS (SELECT * FROM events) SELECT * FROM events", True),
        ("SELECT (SELECT count(*) FROM EVENTS)", True),
    ],
)
def test_gate_tells_whether_events_are_read(sql: str, reads: bool) -> None:
    """What is not read is not counted as scanned."""
    assert ("events" in gate(sql).uses) is reads


def test_gate_knows_no_table_by_itself() -> None:
    """Names mean the tables that are given; messages and hints name those."""

    def over_two(sql: str) -> PassedQuery:
        return pass_query(
            sql,
            syntax=syntax(ENGINE_NAMES),
            tables={"visits": TableShape(("page",)), "orders": TableShape(("price",))},
            parameters={},
            rows_max=10,
            sql_bytes_max=9999,
        )

    passed = over_two(
        "SELECT * FROM visits v, orders WHERE v.ts > '2026-11-20' AND orders.ts > '2026-11-21'"
        " UNION ALL SELECT * FROM Orders"
    )
    assert {name: len(use.windows) for name, use in passed.uses.items()} == {
        "visits": 1,
        "orders": 2,
    }
    first, second = passed.uses["orders"].windows
    assert first.ts.least_us == passed.uses["visits"].windows[0].ts.least_us + 86_400_000_000
    assert second == Window()
    with pytest.raises(InvalidInput) as caught:
        over_two("SELECT * FROM events")
    assert caught.value.hint == "A query reads 'visits' or 'orders'."
    with pytest.raises(Forbidden, match="Only DESCRIBE and SUMMARIZE"):
        over_two("SHOW TABLES")


HOSTILE_TEXTS = [
    "it's",
    "' OR true --",
    "\\' OR 1=1; DROP TABLE events",
    "$event_id",
    "?",
    "ünï \u2028 \n",
    "x" * 1000,
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_parameter_is_one_literal_whatever_it_holds(text: str) -> None:
    """What is written reads back as the same text, and as nothing else."""
    sql = "SELECT seq FROM events WHERE event_id = $event_id OR seq = $seq"
    passed = pass_events(sql, parameters={"event_id": text, "seq": -5})
    assert strings_of(passed.sql) == [text]
    assert "seq = -5" in passed.sql


@pytest.mark.parametrize("mark", ["?", "$1", "$name", ":name"])
def test_placeholder_without_a_value_is_forbidden(mark: str) -> None:
    """A tenant's statement has none; one that Weir forgot is no hole."""
    with pytest.raises((Forbidden, InvalidInput)):
        gate(f"SELECT * FROM events WHERE event = {mark}")
    with pytest.raises((Forbidden, InvalidInput)):
        pass_events(f"SELECT * FROM events WHERE event = {mark}", parameters={"other": "x"})


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 70_000])
def test_parameter_is_held_to_the_limits_of_the_text(text: str) -> None:
    """No NUL, no broken Unicode, no more bytes than a statement may have."""
    with pytest.raises(InvalidInput):
        pass_events("SELECT $name", parameters={"name": text})


@pytest.mark.parametrize("name", TYPES.split())
def test_ordinary_types_can_be_cast_to(name: str) -> None:
    """What an analyst casts to is a known type, and stays it."""
    assert gate(f"SELECT event::{name.replace('/', ' ')} FROM events").sql


def test_comments_and_their_secrets_do_not_reach_the_engine() -> None:
    """What runs is made from the tree, not from the text."""
    assert gate("SELECT /* hello */ 1 -- bye").sql == 'SELECT 1 AS "1" LIMIT 1001'
