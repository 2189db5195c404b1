"""Files that no row of a query's time can be in are left out, and the answer is the same."""

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.query.rig import Node, rows
from tests.unit.query.statement.gating import connection, pass_events
from weir.clock import SystemClock
from weir.engine.sources import SessionTable, Source, tail_rows, views
from weir.lake.schema import CANONICAL
from weir.query.ranges import EVER, Range, Window, day_range, is_needed
from weir.query.request import EVENTS

NOW_US = 1_795_176_000_000_000
"""2026-11-20 12:00, in UTC."""
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NIGHT_US = NOW_US - 12 * HOUR_US


def windows(sql: str) -> tuple[Window, ...]:
    """The gate's windows for a statement, at noon."""
    use = pass_events(sql, now_us=NOW_US).uses.get(EVENTS)
    return () if use is None else use.windows


def since(least_us: int) -> Range:
    """From a moment on."""
    return Range(least_us, EVER.greatest_us)


def until(greatest_us: int) -> Range:
    """Up to a moment."""
    return Range(EVER.least_us, greatest_us)


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("ts >= '2026-11-20'", Window(since(NIGHT_US))),
        ("'2026-11-20' < TS", Window(since(NIGHT_US))),
        ("ts < TIMESTAMP '2026-11-20 12:00:00'", Window(until(NOW_US))),
        ("ts = '2026-11-20T12:00:00Z'", Window(Range(NOW_US, NOW_US))),
        ("ts <= '2026-11-20 13:00:00.5+01:00'::TIMESTAMPTZ", Window(until(NOW_US + 500_000))),
        ("received_at >= DATE '2026-11-20'", Window(EVER, since(NIGHT_US))),
        (
            "ts BETWEEN '2026-11-20' AND '2026-11-20 12:00' AND event = 'x'",
            Window(Range(NIGHT_US, NOW_US)),
        ),
        (
            "(ts > '2026-11-20' AND (received_at < '2026-11-20')) AND (event = 'x' OR seq > 1)",
            Window(since(NIGHT_US), until(NIGHT_US)),
        ),
        ("ts > now() - INTERVAL '7 days'", Window(since(NOW_US - 7 * DAY_US - HOUR_US))),
        ("ts > now() - INTERVAL 2 HOURS", Window(since(NOW_US - 3 * HOUR_US))),
        ("ts < current_timestamp + INTERVAL 1 WEEK", Window(until(NOW_US + 7 * DAY_US + HOUR_US))),
        ("ts > current_date - INTERVAL 1 MONTH", Window(since(NOW_US - 32 * DAY_US - HOUR_US))),
        ("ts < today() - INTERVAL 1 MONTH", Window(until(NOW_US - 28 * DAY_US + HOUR_US))),
        ("ts >= date_trunc('day', now())", Window(since(NOW_US - DAY_US - HOUR_US))),
        (
            "ts < DATE '2026-11-20' + INTERVAL '-1' DAY",
            Window(until(NIGHT_US - DAY_US)),
        ),
    ],
)
def test_plain_comparisons_bound_what_is_read(condition: str, asked: Window) -> None:
    """Both columns, either side, constants as people write them."""
    assert windows(f"SELECT count() FROM events WHERE {condition}") == (asked,)


@pytest.mark.parametrize(
    "condition",
    [
        "ts > '2026-11-20' OR event = 'x'",
        "NOT ts > '2026-11-20'",
        "ts > client_ts",
        "client_ts > '2026-11-20'",
        "ts::DATE > '2026-11-20'",
        "ts > 'yesterday'",
        "ts > '2026-13-40'",
        "ts > TIMESTAMP '2026-11-20 12:00:00+05:00'",
        "ts > '2026-11-20'::DATE::TEXT",
        "ts > (SELECT max(ts) FROM range(1) t(ts))",
        "ts > now() - seq * INTERVAL 1 DAY",
        "ts > now() - INTERVAL '1 day 2 hours'",
        "ts > now() - INTERVAL (seq) DAY",
        "ts <> '2026-11-20'",
        "ts IN ('2026-11-20')",
        "ts BETWEEN '2026-11-20' AND client_ts",
        "ts > '2026-11-20' AT TIME ZONE 'Asia/Tokyo'",
    ],
)
def test_what_is_not_understood_bounds_nothing(condition: str) -> None:
    """All is read, and the engine decides."""
    assert windows(f"SELECT count() FROM events WHERE {condition}") == (Window(),)


@pytest.mark.parametrize(
    ("sql", "bounded"),
    [
        ("SELECT 1", []),
        ("WITH events AS (SELECT now() AS ts) SELECT * FROM events WHERE ts > '2026-11-20'", []),
        ("FROM events e WHERE e.ts > '2026-11-20'", [True]),
        ("SELECT * FROM (SELECT * FROM events) WHERE ts > '2026-11-20'", [False]),
        ("WITH e AS (SELECT * FROM events WHERE ts > '2026-11-20') SELECT * FROM e, e f", [True]),
        (
            "SELECT * FROM events WHERE ts > '2026-11-20' UNION ALL SELECT * FROM events",
            [True, False],
        ),
        (
            (
                "SELECT * FROM events WHERE ts > '2026-11-20'"
                " AND user_id IN (SELECT user_id FROM events)"
            ),
            [True, False],
        ),
        (
            "SELECT * FROM events a LEFT JOIN events b USING (seq) WHERE b.ts > '2026-11-20'",
            [False, True],
        ),
        ("SELECT * FROM events a, events b WHERE ts > '2026-11-20'", [False, False]),
        ("SELECT * FROM events, range(3) WHERE events.ts > '2026-11-20'", [True]),
        (
            "SELECT * FROM events a ASOF JOIN events b ON a.ts >= b.ts WHERE b.ts < '2026-11-20'",
            [False, False],
        ),
        (
            "SELECT * FROM events a POSITIONAL JOIN events b WHERE b.ts < '2026-11-20'",
            [False, False],
        ),
        ("SELECT * FROM events TABLESAMPLE 10% WHERE ts > '2026-11-20'", [False]),
        ("SELECT * FROM events WHERE ts > '2026-11-20' USING SAMPLE 10", [False]),
        ("SELECT * FROM events e(ts) WHERE ts > '2026-11-20'", [False]),
        ("SELECT client_ts AS ts FROM events WHERE ts > '2026-11-20'", [False]),
        ("SELECT properties.ts FROM events WHERE ts > '2026-11-20'", [True]),
        ("SELECT ts::DATE, count(*) FROM events WHERE ts > '2026-11-20' GROUP BY ALL", [True]),
        (
            "SELECT * FROM (events a JOIN events b USING (seq)) WHERE a.ts > '2026-11-20'",
            [True, False],
        ),
        (
            (
                "SELECT * FROM events o WHERE EXISTS"
                " (SELECT 1 FROM events i WHERE o.ts > '2026-11-20' AND i.ts = o.ts)"
            ),
            [False, False],
        ),
    ],
)
def test_only_a_mention_under_its_own_condition_is_bounded(sql: str, bounded: list[bool]) -> None:
    """Where something else could see the rows first, all is read."""
    assert [each != Window() for each in windows(sql)] == bounded


def test_file_is_needed_when_one_window_meets_it() -> None:
    """Both times must fit the same window; touching ends count."""
    held = Window(Range(10, 20), Range(100, 200))
    assert is_needed(held, [Window(Range(20, 30), Range(200, 300))])
    assert is_needed(held, [Window(Range(30, 40)), Window()])
    assert not is_needed(held, [Window(Range(21, 30)), Window(Range(10, 20), Range(201, 300))])
    assert not is_needed(held, [Window(Range(15, 14))])
    assert not is_needed(held, [])
    assert day_range("2026-11-20") == Range(NIGHT_US, NIGHT_US + DAY_US - 1)


def test_query_reads_only_the_files_of_its_time_and_says_so(node: Node) -> None:
    """``meta`` counts what was read; a file that is not needed may even be gone."""
    old = node.write("old.parquet", rows([{}] * 2, at=datetime(2026, 11, 1, tzinfo=UTC)))
    new = node.write("new.parquet", rows([{}] * 3, at=datetime(2026, 11, 20, 12, tzinfo=UTC)))
    (node.root / old.path).unlink()
    tail = rows([{}])

    def ask(condition: str) -> tuple[list[Any], int, int]:
        sql = f"SELECT count() FROM events WHERE {condition}"
        answer = node.answer(sql, files=[old, new], tail=tail)
        meta = answer["meta"]
        return answer["rows"], meta["rows_scanned"], meta["bytes_scanned"] > new.byte_count

    assert ask("ts > '2026-11-02'") == ([[4]], 4, True)
    assert ask("received_at >= '2026-11-20' AND ts >= '2026-11-20'") == ([[4]], 4, True)
    rows_read = ask("ts > '2026-11-21'")
    assert rows_read == ([[0]], 1, False)


ENGINE = duckdb.connect(config={"threads": "1"})
ENGINE.execute("SET TimeZone = 'UTC'")

TODAY = datetime.fromtimestamp(SystemClock().now_us() // 1_000_000, UTC).replace(
    minute=0, second=0, microsecond=0
)

hours = st.integers(-60, 60)


def constant(hour: int, kind: int) -> str:
    """A moment that many hours from this one, never within half an hour of a row's."""
    moment = TODAY + timedelta(hours=hour)
    forms = (
        f"'{moment:%Y-%m-%d %H:%M:%S}'",
        f"TIMESTAMPTZ '{moment:%Y-%m-%dT%H:%M:%S}Z'",
        f"DATE '{moment:%Y-%m-%d}'",
        f"date_trunc('hour', now()) + INTERVAL '{hour} hours'",
        f"now() - INTERVAL {-hour} HOUR" if hour <= 0 else f"now() + INTERVAL {hour} HOUR",
        f"current_date + INTERVAL '{hour}' HOUR",
        "date_trunc('month', today())",
    )
    return forms[kind % len(forms)]


@st.composite
def conditions(draw: st.DrawFn, table: str = "") -> str:
    """A WHERE over the times of a table."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        column = table + draw(st.sampled_from(["ts", "received_at", "client_ts"]))
        sign = draw(st.sampled_from(["<", "<=", ">", ">=", "="]))
        value = constant(draw(hours), draw(st.integers(0, 6)))
        other = constant(draw(hours), draw(st.integers(0, 6)))
        parts.append(
            draw(
                st.sampled_from(
                    [
                        f"{column} {sign} {value}",
                        f"{value} {sign} {column}",
                        f"{column} BETWEEN {value} AND {other}",
                        f"({column} {sign} {value} OR {table}seq % 2 = 0)",
                        f"NOT ({column} {sign} {value})",
                    ]
                )
            )
        )
    return " AND ".join(parts)


@st.composite
def statements(draw: st.DrawFn) -> str:
    """Queries in which ``events`` is named in every way, each under conditions of its own."""
    plain, of_a, of_b = draw(conditions()), draw(conditions("a.")), draw(conditions("b."))
    join = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
    return draw(
        st.sampled_from(
            [
                f"SELECT seq, ts FROM events WHERE {plain}",
                f"SELECT count(), max(seq) FROM events AS a WHERE {of_a}",
                (
                    f"SELECT a.seq, b.seq FROM events a {join} events b ON a.seq = b.seq + 1"
                    f" WHERE {of_a}"
                ),
                (
                    f"SELECT a.seq, b.seq FROM events a {join} events b ON a.seq = b.seq + 1"
                    f" WHERE {of_a} AND {of_b}"
                ),
                (
                    f"SELECT a.seq, b.seq FROM events a ASOF JOIN events b ON a.ts >= b.ts"
                    f" WHERE {of_b}"
                ),
                (
                    f"SELECT seq FROM events WHERE {plain} EXCEPT SELECT seq FROM events a"
                    f" WHERE {of_a}"
                ),
                f"WITH e AS (SELECT * FROM events WHERE {plain}) SELECT seq FROM e a WHERE {of_a}",
                (
                    f"SELECT seq FROM events WHERE {plain} AND seq NOT IN"
                    f" (SELECT a.seq FROM events a WHERE {of_a})"
                ),
                f"SELECT client_ts AS ts, seq FROM events WHERE {plain}",
                (
                    f"SELECT seq, (SELECT count(*) FROM events a WHERE {of_a} AND a.seq < o.seq)"
                    f" FROM events o WHERE o.seq >= 0"
                ),
            ]
        )
    )


class Lake(NamedTuple):
    """Files over five days, what each holds, and a tail."""

    files: list[str]
    held: list[Window]
    tail: pa.Table


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Seven files: some of one hour, some of days, some received long after."""
    root: Path = tmp_path_factory.mktemp("lake")
    chooser = random.Random(7)
    count = itertools.count()
    files, held = [], []
    for place in range(7):
        received, spread = chooser.randint(-60, 60), chooser.choice([0, 5, 40])
        times = [received + chooser.randint(-spread, spread) for _ in range(4)]
        table = rows_at(times, received, count)
        files.append(str(root / f"{place}.parquet"))
        pq.write_table(table, files[-1])
        moments = table["ts"].cast("int64").to_pylist()
        day = table["received_at"][0].as_py().strftime("%Y-%m-%d")
        held.append(Window(Range(min(moments), max(moments)), day_range(day)))
    return Lake(files, held, rows_at([-1, 3], 0, count))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(sql=statements())
def test_pruned_and_whole_lake_answer_alike(sql: str, lake: Lake) -> None:
    """Whatever the conditions, wherever ``events`` stands."""
    passed = pass_events(sql, now_us=SystemClock().now_us())
    needed = [
        path
        for path, held in zip(lake.files, lake.held, strict=True)
        if is_needed(held, passed.uses[EVENTS].windows)
    ]
    assert answers(needed, lake.tail, passed.sql) == answers(lake.files, lake.tail, passed.sql)


def rows_at(times: list[int], received: int, count: "itertools.count[int]") -> pa.Table:
    """Rows with ``ts`` half past these hours, received in one, numbered on."""
    half = timedelta(minutes=30)
    made = rows([{}] * len(times)).to_pylist()
    for row, hour in zip(made, times, strict=True):
        row["ts"] = TODAY + timedelta(hours=hour) + half
        row["client_ts"] = TODAY - timedelta(hours=hour) + half
        row["received_at"] = TODAY + timedelta(hours=received) + half
        row["seq"] = next(count)
    return pa.Table.from_pylist(made, schema=CANONICAL)


def answers(files: list[str], tail: pa.Table, sql: str) -> list[str]:
    """The rows of a query over files and tail, in any order."""
    connection = ENGINE.cursor()
    connection.register(tail_rows(EVENTS), tail)
    sources = [Source(tuple(files))] if files else []
    for statement in views(SessionTable(EVENTS, CANONICAL, sources, tail)):
        connection.execute(statement.replace("CREATE VIEW", "CREATE OR REPLACE TEMP VIEW"))
    found = connection.sql(sql).to_arrow_table()
    connection.close()
    return sorted(map(repr, found.to_pylist()))


UNITS = ["MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH"]
moments = st.one_of(
    st.dates(date(1990, 1, 1), date(2100, 12, 31)).map(lambda day: f"DATE '{day}'"),
    st.integers(7306 * DAY_US, 47_846 * DAY_US).map(
        lambda us: f"TIMESTAMP '{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%S.%f}'"
    ),
    st.sampled_from(["2024-02-29", "2026-01-31", "2026-05-01", "2025-12-31", "2027-03-01"]).map(
        lambda day: f"DATE '{day}'"
    ),
)
counts = st.integers(-40, 40)
units = st.sampled_from([*UNITS, "QUARTER", "YEAR"])
intervals = st.one_of(
    st.builds("INTERVAL ({}) {}".format, counts, units),
    st.builds("INTERVAL '{}' {}".format, counts, units),
    st.builds(lambda count, unit: f"INTERVAL '{count} {unit.lower()}s'", counts, units),
    st.builds(lambda count, unit: f"to_{unit.lower()}s({count})", counts, units),
    st.sampled_from(["INTERVAL '3 days ago'", "INTERVAL '1 day 02:03:04'", "INTERVAL '1h30m'"]),
)


@st.composite
def constants(draw: st.DrawFn) -> str:
    """A moment with intervals added and taken away, cut to units or not."""
    made = draw(moments)
    for _ in range(draw(st.integers(0, 3))):
        sign, interval = draw(st.sampled_from("+-")), draw(intervals)
        made = f"({made} {sign} {interval})"
        if draw(st.integers(0, 3)) == 0:
            made = f"date_trunc('{draw(units).lower()}', {made})"
    return made


@settings(max_examples=300)
@given(constants())
def test_no_bound_is_tighter_than_what_the_engine_computes(constant: str) -> None:
    """Whatever months, quarters and years the calendar makes of it."""
    sql = f"SELECT epoch_us(({constant})::TIMESTAMP)"
    ((moment_us,),) = connection().execute(sql).fetchall()
    for comparison in ("=", "<", "<=", ">", ">="):
        (window,) = windows(f"SELECT * FROM events WHERE ts {comparison} {constant}")
        if comparison in ("=", ">", ">="):
            assert window.ts.least_us <= moment_us
        if comparison in ("=", "<", "<="):
            assert window.ts.greatest_us >= moment_us


def test_a_quarter_may_have_89_days() -> None:
    """From the first of February to the first of May: an event of 31 January is asked for."""
    (window,) = windows("SELECT * FROM events WHERE ts <= DATE '2026-05-01' - INTERVAL 1 QUARTER")
    assert window.ts.greatest_us >= NOW_US - (292 * 24 + 12) * HOUR_US


@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT * FROM events e, (SELECT DATE '2000-01-01' AS current_date) d"
            " WHERE e.ts > current_date"
        ),
        (
            "WITH d (current_timestamp) AS (SELECT 1) SELECT * FROM events e, d"
            " WHERE e.ts > current_timestamp"
        ),
        "SELECT * FROM events WHERE ts > now() - to_days(5::BOOLEAN::INT)",
    ],
)
def test_what_may_be_a_column_or_another_number_bounds_nothing(sql: str) -> None:
    """A column that is called like the time goes before it."""
    assert windows(sql) == (Window(),)
