"""From the journal to sorted, accelerated Parquet; and what a query costs as the lake grows."""

import http.client
import json
import os
import random
import signal
import sqlite3
import time
from urllib.parse import quote, urlsplit

import duckdb

from bench.door import EVENT
from bench.figure import Figure, percentile, spread
from bench.node import load_all, node
from bench.peers import drive
from bench.processes import (
    cpu_seconds,
    cpu_seconds_with_children,
    newcomers_peak_mib,
    peak_mib,
)
from tests.end_to_end.running_node import Node

BATCH = 500
LOADED = 600_000
GROWTH = (1_000_000, 10_000_000, 30_000_000)
SINGLES_S = 15
PORTION = 1_000_000
"""Sent at a time, so that the journal's backlog stays small."""

QUERIES = 15


def measure_loader() -> list[Figure]:
    """One large project: sent while the loader is stopped, then timed until all is committed."""
    return [*_measure_batches(), *_measure_singles()]


def _measure_singles() -> list[Figure]:
    """A request an event; with commits, and the merges that there are meanwhile."""
    with node(workers=1, cut_age_s=2) as weir:
        [loader] = weir.pids("loader")
        os.kill(loader, signal.SIGSTOP)
        options = {"connections": 64, "seconds": SINGLES_S}
        drive(weir.url + "/v1/ingest", key=weir.key, body=EVENT, **options)
        cpu = cpu_seconds_with_children(loader)
        os.kill(loader, signal.SIGCONT)
        load_all(weir.directory)
        cpu = cpu_seconds_with_children(loader) - cpu
        count = _committed(weir)
    how = f"{count} requests of one event of {len(EVENT)} bytes each, commits and merges included"
    return [Figure("loader: CPU of a single event, µs", f"{cpu / count * 1e6:.1f}", "20", how)]


def _measure_batches() -> list[Figure]:
    with node(workers=1, compaction_cpu_share=0, cut_age_s=2) as weir:
        [loader] = weir.pids("loader")
        os.kill(loader, signal.SIGSTOP)
        _send(weir, LOADED, seed=0)
        os.kill(loader, signal.SIGCONT)
        started, cpu = time.perf_counter(), cpu_seconds(loader)
        await_committed(weir, LOADED)
        elapsed, cpu = time.perf_counter() - started, cpu_seconds(loader) - cpu
        peak = peak_mib(loader)
    how = f"{LOADED} events of 231 bytes with event_id, batches of {BATCH}; with columns"
    return [
        Figure("loader: events/s per core", f"{LOADED / cpu:.0f}", "120000", how),
        Figure("loader: events/s committed", f"{LOADED / elapsed:.0f}", "", "by the clock"),
        Figure("loader: peak memory, MiB", f"{peak:.0f}", "700", "resident, at full speed"),
    ]


def measure_query() -> list[Figure]:
    """The same SQL through /v1/query and in a bare engine on the same files, as they grow."""
    figures = []
    with node(workers=1, cut_age_s=5, compaction_interval_s=1, compaction_cpu_share=1) as weir:
        sent = 0
        for rows in GROWTH:
            for part in range(sent, rows, PORTION):
                _send(weir, PORTION, seed=part)
                await_committed(weir, part + PORTION)
            sent = rows
            files = settled_files(weir)
            assert weir.process is not None
            for name, sql in _SQL.items():
                with newcomers_peak_mib(weir.process.pid) as peaks:
                    asked = [ask_ms(weir, sql) for _ in range(QUERIES)]
                bare = [_bare_ms(files, sql) for _ in range(QUERIES)]
                more = percentile(asked, 0.5) - percentile(bare, 0.5)
                value = f"{spread(asked, digits=0)}; bare {spread(bare, digits=0)}; {more:+.0f}"
                how = (
                    f"{len(files)} files, {QUERIES} runs each, one after the other; a worker's "
                    f"peak {max(peaks):.0f} MiB"
                )
                figures.append(
                    Figure(f"{name}, {rows // 1000}k events, ms", value, "1.3 x or 15 more", how)
                )
    return figures


COUNT_BY_EVENT = "SELECT event, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"
_SQL = {
    "count by event": COUNT_BY_EVENT,
    "sum of a property by another": (
        "SELECT json_extract_string(properties, '/plan') AS plan,"
        " sum(TRY_CAST(json_extract_string(properties, '/price') AS DOUBLE)) AS total"
        " FROM events GROUP BY 1 ORDER BY 1"
    ),
}


def _send(weir: Node, count: int, *, seed: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    texts = bodies(seed=seed)
    for number in range(count // BATCH):
        body = texts[number % len(texts)].replace("@@@@@@@@", f"{number:08d}")
        connection.request("POST", "/v1/events", body, weir.headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 202:
            raise SystemExit(f"{answer.status} {content[:200]!r}")


def bodies(*, seed: int) -> list[str]:
    """Bodies of ``BATCH`` events of 231 bytes, with ``@@@@@@@@`` where each id is made unique."""
    chooser = random.Random(seed)
    return [_body(chooser) for _ in range(20)]


def _body(chooser: random.Random) -> str:
    events = [
        {
            "event": chooser.choice(["page_view", "click", "purchase", "signup", "search"]),
            "event_id": f"@@@@@@@@-{chooser.getrandbits(96):024x}",
            "user_id": f"usr_{chooser.randrange(20_000)}",
            "properties": {
                "page": chooser.choice(["/home", "/pricing", "/docs"]),
                "plan": chooser.choice(["pro", "free"]),
                "price": round(chooser.random() * 100, 2),
                "browser": "Chrome",
                "os": "Windows",
                "country": chooser.choice(["DE", "US", "FR"]),
                "n": chooser.randrange(1000),
            },
        }
        for _ in range(BATCH)
    ]
    return json.dumps(events, separators=(",", ":"))


def await_committed(weir: Node, rows: int, *, within_s: float = 300) -> None:
    """Returns when so many rows are in the lake; ends the measurement when that takes longer."""
    deadline = time.perf_counter() + within_s
    while time.perf_counter() < deadline:
        if _committed(weir) >= rows:
            return
        time.sleep(0.05)
    raise SystemExit(f"not committed in time: {rows}")


def _committed(weir: Node) -> int:
    """Rows in the lake."""
    path = weir.directory / "catalog.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as catalog:
        found: int = catalog.execute("SELECT sum(row_count) FROM files").fetchone()[0] or 0
    return found


SETTLED_S = 7
"""Longer than compaction waits between two looks."""


def settled_files(weir: Node) -> list[str]:
    """The lake's files once compaction has nothing to do any more."""
    before: list[str] = []
    path = weir.directory / "catalog.db"
    while True:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as catalog:
            rows = catalog.execute("SELECT path FROM files ORDER BY path").fetchall()
        files = [str(weir.directory / row[0]) for row in rows]
        if files == before:
            return files
        before = files
        time.sleep(SETTLED_S)


def ask_ms(weir: Node, sql: str) -> float:
    """How long a query takes, its answer included."""
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    started = time.perf_counter()
    connection.request("GET", f"/v1/query?q={quote(sql)}", headers=weir.headers)
    answer = connection.getresponse()
    content = answer.read()
    elapsed = (time.perf_counter() - started) * 1000
    if answer.status != 200:
        raise SystemExit(f"{answer.status} {content[:200]!r}")
    return elapsed


def _bare_ms(files: list[str], sql: str) -> float:
    """In an engine that is connected already, over the canonical columns."""
    with duckdb.connect(config={"threads": "1"}) as engine:
        listed = ", ".join(f"'{path}'" for path in files)
        engine.execute(
            "CREATE VIEW events AS SELECT event, properties"  # our own paths
            f" FROM read_parquet([{listed}], union_by_name = true)"
        )
        started = time.perf_counter()
        engine.execute(sql).fetchall()
        return (time.perf_counter() - started) * 1000
