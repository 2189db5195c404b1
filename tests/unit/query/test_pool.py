"""The whole path: pool, zygote, worker, engine, over real files and a tail."""

import asyncio
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.query.rig import Node, rows, snapshot_of
from weir.errors import (
    Forbidden,
    Internal,
    InvalidInput,
    LimitExceeded,
    TimedOut,
    Unavailable,
    Unprocessable,
    WeirError,
)
from weir.query.job import TableSnapshot
from weir.query.request import EVENTS, Format, QueryRequest

SLOW = "SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE hash(x + y) = 1"
"""Hours of work in no memory."""


def test_files_and_tail_are_one_table(node: Node) -> None:
    """A query sees committed rows and the tail, each once, with its trust."""
    files = [
        node.write("a.parquet", rows([{"plan": "pro", "price": 2}] * 3)),
        node.write("b.parquet", rows([{"plan": "free", "price": "x"}] * 2, seq=3)),
    ]
    sql = "SELECT properties.plan, count(), sum(properties.price) FROM events GROUP BY 1 ORDER BY 1"
    answer = node.answer(sql, files=files, tail=rows([{"plan": "pro", "price": 1.5}], seq=5))
    assert answer["columns"] == ["plan", "count", "sum"]
    assert answer["rows"] == [["free", 2, None], ["pro", 4, 7.5]]
    meta = answer["meta"]
    assert meta.pop("elapsed_ms") >= 0
    assert meta.pop("bytes_scanned") > sum(file.byte_count for file in files)
    assert meta == {
        "rows": 2,
        "truncated": False,
        "rows_scanned": 6,
        "watermark": "2026-11-20T12:00:00Z",
    }


def test_project_without_events_has_an_empty_table(node: Node) -> None:
    """No files and no tail is a table with all columns and no rows."""
    answer = node.answer("SELECT * FROM events")
    assert answer["rows"] == []
    assert "received_at" in answer["columns"]
    assert node.answer("SELECT count() FROM events")["rows"] == [[0]]


def test_events_are_described(node: Node) -> None:
    """DESCRIBE events lists the columns and their types."""
    described = {row[0]: row[1] for row in node.answer("DESCRIBE events")["rows"]}
    assert described["ts"] == "TIMESTAMP WITH TIME ZONE"
    assert described["properties"] == "VARCHAR"


def test_every_format_holds_the_same_rows(node: Node) -> None:
    """JSON, NDJSON, CSV, Arrow and Parquet tell the same."""
    sql = "SELECT event, seq, ts FROM events ORDER BY seq"
    tail = rows([{}] * 3)

    def ask(kind: Format, **options: bool) -> bytes:
        return node.ask(sql, tail=tail, format=kind, **options)

    expected = [["click", i, f"2026-11-20T12:00:0{i}Z"] for i in range(3)]
    assert json.loads(ask(Format.JSON))["rows"] == expected
    lines = [json.loads(line) for line in ask(Format.NDJSON, with_meta=True).splitlines()]
    assert [list(line.values()) for line in lines[:3]] == expected
    assert lines[3]["meta"]["rows"] == 3
    assert len(ask(Format.NDJSON).splitlines()) == 3
    page = list(csv.reader(io.StringIO(ask(Format.CSV).decode(), newline="")))
    assert page == [["event", "seq", "ts"], *[[str(cell) for cell in row] for row in expected]]
    arrow = pa.ipc.open_stream(ask(Format.ARROW)).read_all()
    parquet = pq.read_table(io.BytesIO(ask(Format.PARQUET)))
    for table in (arrow, parquet):
        assert table.column("seq").to_pylist() == [0, 1, 2]
        assert table.column("ts").to_pylist() == tail.column("ts").to_pylist()


@pytest.mark.parametrize("kind", list(Format))
def test_result_without_rows_is_whole_in_every_format(node: Node, kind: Format) -> None:
    """An empty result still names its columns where the format can."""
    body = node.ask("SELECT event FROM events", format=kind)
    assert kind is Format.NDJSON or b"event" in body
    assert kind is not Format.NDJSON or body == b""


def test_row_limit_cuts_and_tells(node: Node) -> None:
    """Rows beyond the limit are left out and the answer says so."""
    tail = rows([{}] * 5)
    cut = node.answer("SELECT seq FROM events", tail=tail, row_limit=4)
    assert (len(cut["rows"]), cut["meta"]["truncated"]) == (4, True)
    whole = node.answer("SELECT seq FROM events", tail=tail, row_limit=5)
    assert (len(whole["rows"]), whole["meta"]["truncated"]) == (5, False)
    own = node.answer("SELECT seq FROM events LIMIT 2", tail=tail, row_limit=4)
    assert (len(own["rows"]), own["meta"]["truncated"]) == (2, False)


@pytest.mark.parametrize("kind", list(Format))
def test_end_is_known_before_the_first_byte_where_one_batch_reaches_it(
    node: Node, kind: Format
) -> None:
    """The default limit is within a batch, however wide the rows; a longer result tells at its end.

    A Parquet file of these rows is a single group, which is written at its end.
    """
    wide = "SELECT range AS n, repeat('x', 1000) AS text FROM range({})"
    for rows_found, limit, is_known in (
        (1001, 1000, True),
        (1000, 1000, True),
        (9000, 8000, False),
    ):
        before, after = node.metas(wide.format(rows_found), format=kind, row_limit=limit)
        assert after is not None
        assert (after.rows, after.truncated) == (limit, rows_found > limit)
        assert before == (after if is_known or kind is Format.PARQUET else None)


def test_equal_names_are_told_apart(node: Node) -> None:
    """No result has two columns of one name."""
    sql = "SELECT a.seq, b.seq, count(), count() FROM events a, events b GROUP BY ALL"
    assert node.answer(sql)["columns"] == ["seq", "seq_2", "count", "count_2"]


@pytest.mark.parametrize(
    ("sql", "kind", "code"),
    [
        ("SELECT nope FROM events", InvalidInput, "invalid_query"),
        ("SELEC 1", InvalidInput, "invalid_query"),
        ("SELECT CAST(event AS INT) FROM events", InvalidInput, "invalid_query"),
        ("SELECT sum(event) FROM events", InvalidInput, "invalid_query"),
        ("SELECT 9223372036854775807 + 1 + seq FROM events", InvalidInput, "invalid_query"),
        ("SELECT current_setting('threads')", Forbidden, "forbidden_query"),
        ("SELECT * FROM duckdb_settings", Forbidden, "forbidden_query"),
        ("SELECT * FROM evnts", InvalidInput, "invalid_query"),
        ("SELECT coutn(*) FROM events", InvalidInput, "invalid_query"),
        ("SELECT repeat('a', 4000 * 1000000::BIGINT)", Unprocessable, "query_memory_exceeded"),
        (
            "SELECT len(range(3000::BIGINT * 1000000)) FROM events",
            Unprocessable,
            "query_memory_exceeded",
        ),
        (
            "SELECT list(event || x) FROM events, range(1000000) a(x), range(100) b(y)",
            Unprocessable,
            "query_memory_exceeded",
        ),
        (
            "SELECT repeat('x', 1000000) || x FROM range(100000) t(x)",
            Unprocessable,
            "query_memory_exceeded",
        ),
    ],
)
def test_failure_is_told_in_its_own_words(
    node: Node, sql: str, kind: type[WeirError], code: str
) -> None:
    """Mistakes, refusals and exhausted memory each have their error; the pool goes on."""
    with pytest.raises(kind) as caught:
        node.ask(sql, tail=rows([{}]), row_limit=50_000)
    assert caught.value.code == code
    assert str(node.root) not in str(caught.value)
    assert node.answer("SELECT 1")["rows"] == [[1]]


@pytest.mark.parametrize(
    ("sql", "message", "hint", "position"),
    [
        ("SELECT coutn(*)", "There is no function 'coutn'.", "Did you mean 'count'?", 7),
        ("SELECT 1 FROM evnts", "There is no table 'evnts'.", "Did you mean 'events'?", 14),
        ("SELECT seq, evnt FROM events", "no column 'evnt'.", "Did you mean 'event'?", 12),
        ("SELECT 1 AS a, e.nope FROM events e", "no column 'nope' in 'e'.", "DESCRIBE", 17),
        ("SELECT sum(event) FROM events", "'sum' cannot take (TEXT).", "TRY_CAST", 7),
        ("SELECT '+', event + 1 FROM events", "'+' cannot take (TEXT, ", "TRY_CAST", 18),
        ("SELECT event FROM events GROUP BY seq", "'event' is neither", "GROUP BY", 7),
        ("SELECT seq FROM events a, events b", "in more than one table", "a.seq", 7),
        ("SELECT sum(event), sum(1) FROM events", "'sum' cannot take", "TRY_CAST", None),
    ],
)
def test_mistake_is_told_in_plain_words_with_its_place(
    node: Node, sql: str, message: str, hint: str, position: int | None
) -> None:
    """Unknown names and wrong arguments: what, where in the text as sent, and what to do."""
    with pytest.raises(InvalidInput) as caught:
        node.ask(sql)
    assert message in caught.value.message
    assert hint in str(caught.value.hint)
    assert caught.value.context.get("position") == position
    assert "andidate" not in str(caught.value)


def test_slot_is_given_up_however_it_is_left(node: Node) -> None:
    """Unused, after an error and after a result that is finished."""

    async def leave() -> list[int]:
        counts = []
        async with node.pool.slot(1):
            counts.append(node.pool.running_count)
        counts.append(node.pool.running_count)
        with pytest.raises(Unavailable):
            async with node.pool.slot(1):
                raise Unavailable("The loader does not answer.")
        counts.append(node.pool.running_count)
        snapshot, _ = snapshot_of([], None)
        async with node.pool.slot(1) as slot:
            result = await slot.run(
                QueryRequest(tenant_id=1, sql="SELECT 1"), [TableSnapshot(EVENTS, snapshot, None)]
            )
        counts.append(node.pool.running_count)
        result.finish()
        return [*counts, node.pool.running_count]

    assert node.loop.run_until_complete(leave()) == [1, 0, 0, 1, 0]


def test_deadline_holds_before_the_query_runs(make_node: Callable[..., Node]) -> None:
    """Who waits too long for a snapshot is told so, and its slot is another's."""
    node = make_node(query_timeout_s=0.05)

    async def wait_for_a_snapshot() -> None:
        async with node.pool.slot(1):
            await asyncio.Event().wait()

    with pytest.raises(TimedOut) as caught:
        node.loop.run_until_complete(wait_for_a_snapshot())
    assert caught.value.code == "query_timeout"
    assert node.pool.running_count == 0


def test_missing_file_is_unavailable_and_not_named(node: Node) -> None:
    """A file that cannot be read is no fault of the query, and paths stay inside."""
    file = node.write("gone.parquet", rows([{}]))
    (node.root / file.path).unlink()
    with pytest.raises(Unavailable) as caught:
        node.ask("SELECT * FROM events", files=[file])
    assert "gone" not in str(caught.value)


def test_query_past_its_deadline_is_killed_and_the_pool_goes_on(
    make_node: Callable[..., Node],
) -> None:
    """A query that works too long ends at the deadline with its worker."""
    node = make_node(query_timeout_s=1.0, query_workers=1)
    with pytest.raises(TimedOut) as caught:
        node.ask(SLOW)
    assert caught.value.code == "query_timeout"
    _await_an_answer(node)


def test_ndjson_past_its_deadline_ends_with_the_error(make_node: Callable[..., Node]) -> None:
    """After the first bytes the error is the last line; other formats break off."""
    streamed = (
        "SELECT repeat('x', 10000) FROM range(1000000) a(x), range(1000000) b(y)"
        # Fewer rows than the limit, found at once; then a search that takes for ever.
        " WHERE (x < 2048 AND y < 20) OR hash(x + y) = 1"
    )
    for timeout_s in (2.0, 8.0, 32.0):  # a busy machine may not come to the first bytes before
        node = make_node(query_timeout_s=timeout_s, query_workers=1)
        with contextlib.suppress(TimedOut):
            *lines, last = node.ask(streamed, format=Format.NDJSON, row_limit=50_000).splitlines()
            break
    assert lines
    assert json.loads(last)["error"] == "query_timeout"
    with pytest.raises(TimedOut):
        node.ask(streamed, format=Format.CSV, row_limit=50_000)


def test_many_rows_are_streamed_and_not_gathered(make_node: Callable[..., Node]) -> None:
    """A result larger than the worker's memory passes through it, when the reader keeps up."""
    node = make_node(query_timeout_s=300)
    sql = "SELECT repeat('x', 20000) AS wide FROM range(50000)"

    async def read() -> int:
        snapshot, _ = snapshot_of([], None)
        request = QueryRequest(tenant_id=1, sql=sql, format=Format.NDJSON, row_limit=50_000)
        async with node.pool.slot(1) as slot:
            result = await slot.run(request, [TableSnapshot(EVENTS, snapshot, None)])
        total = 0
        async for part in result.body():
            total += len(part)
        return total

    assert node.loop.run_until_complete(read()) == 50_000 * (20_000 + len('{"wide":""}\n'))


def test_no_more_queries_run_than_allowed(make_node: Callable[..., Node]) -> None:
    """The pool and each tenant have their limit; what waits too long is told whose doing it is."""
    node = make_node(
        query_workers=2,
        query_tenant_workers_max=1,
        query_queue_wait_s=0.2,
        query_timeout_s=120.0,
    )

    async def crowd() -> list[object]:
        slow = [
            asyncio.create_task(node.query(SLOW, tenant_id=1)),
            asyncio.create_task(node.query(SLOW, tenant_id=2)),
        ]
        await _until(lambda: node.pool.running_count == 2)
        late = await asyncio.gather(
            node.query("SELECT 1", tenant_id=1),
            node.query("SELECT 1", tenant_id=3),
            return_exceptions=True,
        )
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return [*late, await node.query("SELECT 1", tenant_id=1)]

    one, other, after = node.loop.run_until_complete(crowd())
    assert isinstance(one, LimitExceeded)
    assert (one.code, one.status, one.retry_after_s) == ("too_many_queries", 429, 1)
    assert isinstance(other, Unavailable)
    assert (other.code, other.status, other.retry_after_s) == ("queries_busy", 503, 1)
    assert isinstance(after, bytes)


def test_short_query_waits_for_one_long_one_at_most(make_node: Callable[..., Node]) -> None:
    """However many queries another tenant has waiting."""
    node = make_node(query_workers=1, query_queue_wait_s=30.0)
    long = "SELECT sum(hash(x)) FROM range(50000000) t(x)"

    async def crowd() -> int:
        others = [asyncio.create_task(node.query(long, tenant_id=1)) for _ in range(100)]
        await _until(lambda: node.pool.waiting_count > 50)
        done_before = sum(task.done() for task in others)
        await node.query("SELECT 1", tenant_id=2)
        done = sum(task.done() for task in others)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return done - done_before

    assert node.loop.run_until_complete(crowd()) <= 1
    assert (node.pool.running_count, node.pool.waiting_count) == (0, 0)


def test_full_queue_refuses_the_tenant_with_most_waiting(make_node: Callable[..., Node]) -> None:
    """Its newest query goes, for the one of another tenant, which is served."""
    node = make_node(query_workers=1, query_waiting_max=2)

    async def crowd() -> tuple[list[object], bytes]:
        async with node.pool.slot(9):
            many = [asyncio.create_task(node.query("SELECT 1", tenant_id=1)) for _ in range(3)]
            await _until(many[2].done)
            other = asyncio.create_task(node.query("SELECT 2", tenant_id=2))
            await _until(many[1].done)
        return await asyncio.gather(*many, return_exceptions=True), await other

    (served, *refused), other = node.loop.run_until_complete(crowd())
    assert isinstance(served, bytes)
    assert json.loads(other)["rows"] == [[2]]
    # None of it runs; it was the last, then it had the longest line.
    assert [getattr(each, "code", None) for each in refused] == ["too_many_queries", "queries_busy"]


def test_query_whose_client_left_does_not_get_its_turn(make_node: Callable[..., Node]) -> None:
    """It leaves the line; the one behind it runs."""
    node = make_node(query_workers=1)

    async def leave() -> bytes:
        async with node.pool.slot(1):
            leaving = asyncio.create_task(node.query("SELECT 1", tenant_id=2))
            await _until(lambda: node.pool.waiting_count == 1)
            staying = asyncio.create_task(node.query("SELECT 2", tenant_id=2))
            await _until(lambda: node.pool.waiting_count == 2)
            leaving.cancel()
        # Cancelled, but it has not run since: its line still holds it here.
        return await staying

    assert json.loads(node.loop.run_until_complete(leave()))["rows"] == [[2]]
    assert (node.pool.running_count, node.pool.waiting_count) == (0, 0)


def test_deadline_holds_while_a_query_waits_for_its_turn(make_node: Callable[..., Node]) -> None:
    """Whose deadline comes before its turn is told of the deadline."""
    node = make_node(query_workers=1, query_timeout_s=2.0)

    async def hold(tenant_id: int) -> None:
        async with node.pool.slot(tenant_id):
            await asyncio.Event().wait()

    async def wait() -> Sequence[object]:
        first = asyncio.create_task(hold(1))
        await _until(lambda: node.pool.running_count == 1)
        late = asyncio.create_task(node.query("SELECT 1", tenant_id=1))
        await _until(lambda: node.pool.waiting_count == 1)
        # It comes last and is served next, until its own deadline.
        second = asyncio.create_task(hold(2))
        return await asyncio.gather(first, late, second, return_exceptions=True)

    told = node.loop.run_until_complete(wait())
    assert [getattr(each, "code", None) for each in told] == ["query_timeout"] * 3
    assert (node.pool.running_count, node.pool.waiting_count) == (0, 0)


def test_query_waits_for_its_turn(make_node: Callable[..., Node]) -> None:
    """More queries than workers are served one after the other, not refused."""
    node = make_node(query_workers=1, query_queue_wait_s=20.0)

    async def crowd() -> list[bytes]:
        return await asyncio.gather(*(node.query("SELECT 1") for _ in range(5)))

    assert len(node.loop.run_until_complete(crowd())) == 5


def test_cancelled_query_ends_its_worker(make_node: Callable[..., Node]) -> None:
    """When the client goes away the work stops and the slot is free."""
    node = make_node(query_workers=1, query_spares=0)

    async def leave() -> None:
        task = asyncio.create_task(node.query(SLOW))
        await _until(lambda: any(map(_is_busy, _workers_of(node))))
        (worker,) = filter(_is_busy, _workers_of(node))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await _until(lambda: not _is_alive(worker))

    node.loop.run_until_complete(leave())
    assert node.pool.running_count == 0
    assert node.answer("SELECT 1")["rows"] == [[1]]


def test_death_of_the_fork_server_is_survived(make_node: Callable[..., Node]) -> None:
    """A new zygote takes the place of one that died; the next query is served."""
    node = make_node()
    first = node.pool.zygote_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    node.loop.run_until_complete(_until(lambda: node.pool.zygote_id not in {first, None}))
    assert node.answer("SELECT 1")["rows"] == [[1]]


def test_fork_server_has_one_thread(node: Node) -> None:
    """A fork copies only one: what it warms up by starts no other."""
    status = Path(f"/proc/{node.pool.zygote_id}/status").read_text()
    assert "Threads:\t1\n" in status


def test_spares_are_made_up_for_after_a_query(make_node: Callable[..., Node]) -> None:
    """Somewhat later while some are left, and all of them."""
    node = make_node(query_spares=2)
    node.loop.run_until_complete(_until(lambda: len(_workers_of(node)) >= 2))
    before = set(_workers_of(node))
    for _ in before:
        assert node.answer("SELECT 1")["rows"] == [[1]]
    node.loop.run_until_complete(_until(lambda: len(set(_workers_of(node)) - before) >= 2))


def test_death_of_a_spare_is_survived(make_node: Callable[..., Node]) -> None:
    """A spare that dies is replaced before anybody needs it."""
    node = make_node()
    spares = _workers_of(node)
    for worker in spares:
        os.kill(worker, signal.SIGKILL)
    node.loop.run_until_complete(_until(lambda: not any(map(_is_alive, spares))))
    assert node.answer("SELECT 1")["rows"] == [[1]]


def test_worker_that_dies_fails_its_query_only(make_node: Callable[..., Node]) -> None:
    """An unexpected end is reported as such, and the next query is served."""
    node = make_node(query_spares=0)

    async def crash() -> object:
        task = asyncio.create_task(node.query(SLOW))
        await _until(lambda: any(map(_is_busy, _workers_of(node))))
        (worker,) = filter(_is_busy, _workers_of(node))
        os.kill(worker, signal.SIGTERM)
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return outcome

    outcome = node.loop.run_until_complete(crash())
    assert type(outcome) is Internal
    assert outcome.status == 500
    assert node.answer("SELECT 1")["rows"] == [[1]]


def test_close_leaves_no_process_behind(make_node: Callable[..., Node]) -> None:
    """Zygote and workers end with the pool."""
    node = make_node()
    assert node.pool.zygote_id is not None
    family = [*_workers_of(node), node.pool.zygote_id]
    node.loop.run_until_complete(node.pool.close())
    node.loop.run_until_complete(_until(lambda: not any(map(_is_alive, family))))


def test_queries_of_one_moment_draw_different_random_numbers(node: Node) -> None:
    """Forked engines do not share their dice."""
    drawn = {node.answer("SELECT uuid(), random()")["rows"][0][0] for _ in range(3)}
    assert len(drawn) == 3


def test_request_and_job_are_small_for_many_files(node: Node) -> None:
    """A file list larger than a socket's buffer arrives whole."""
    file = node.write("many.parquet", rows([{}]))
    many = [msgspec.structs.replace(file, path="./" * (i % 500) + file.path) for i in range(500)]
    assert node.answer("SELECT count() FROM events", files=many)["rows"] == [[500]]


def test_api_process_does_not_load_the_engine() -> None:
    """Parser, engine and Arrow live in the workers: the api process stays small."""
    code = (
        "import sys, weir.server.api, weir.api.app, weir.api.run, weir.control.service;"
        "import weir.api.routes.script, weir.api.routes.ledger, weir.api.routes.queries;"
        "import weir.api.routes.traces, weir.loader.serve.client, weir.query.pool;"
        "assert not {'duckdb', 'pyarrow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _await_an_answer(node: Node) -> None:
    """Asks until a query is answered: a short deadline may be over before it has begun."""
    for _ in range(20):
        with contextlib.suppress(TimedOut):
            assert node.answer("SELECT 1")["rows"] == [[1]]
            return
    pytest.fail("no query was answered")


async def _until(holds: Callable[[], bool]) -> None:
    """Waits for a condition in other processes, which send no event; fails after two minutes."""
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110  # the kernel's tables cannot be awaited
            await asyncio.sleep(0.01)


def _workers_of(node: Node) -> list[int]:
    zygote = node.pool.zygote_id
    children = Path(f"/proc/{zygote}/task/{zygote}/children")
    return [int(child) for child in children.read_text().split()]


def _is_busy(process: int) -> bool:
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[11]
    return int(ticks) >= 10


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):  # gone before, or while it is read
        return False
    return state != "Z"
