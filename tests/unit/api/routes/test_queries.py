"""SQL over HTTP: what is read from a request, what is answered, in which words."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Message, Scope

from tests.unit.query.rig import Node, rows, snapshot_of
from weir.api.app import build_app
from weir.api.routes.queries import query_routes
from weir.domain.registry import Principal
from weir.domain.snapshot import Snapshot
from weir.errors import Unauthenticated, Unavailable, WeirError
from weir.query.job import TableSnapshot
from weir.query.pool import QueryPool
from weir.query.request import Format, QueryRequest
from weir.query.result import QueryResult
from weir.settings import Settings

SQL = "SELECT event, count() FROM events GROUP BY event LIMIT 10"


def principal(*scopes: str) -> Principal:
    """Who asks, for project 7 of tenant 3."""
    return Principal(
        key_id=1,
        public_id="key",
        tenant_id=3,
        project_id=7,
        endpoint_id=1,
        scopes=frozenset(scopes),
        slot=0,
    )


def authenticate(request: Request) -> Principal:
    """The scopes stand where the key would."""
    scopes = request.headers.get("x-scopes", "query")
    if scopes == "none":
        raise Unauthenticated("API key required.")
    return principal(*scopes.split())


class Snapshots:
    """Gives three rows in a tail; remembers what was asked and which descriptors it gave."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.given: list[int] = []
        self.error: WeirError | None = None
        self.stalls = False

    async def snapshot(self, project_id: int) -> tuple[Snapshot, int | None]:
        self.asked.append(project_id)
        if self.error is not None:
            raise self.error
        if self.stalls:
            await asyncio.Event().wait()
        snapshot, tail_fd = snapshot_of([], rows([{"plan": "=pro"}] * 3))
        assert tail_fd is not None
        self.given.append(tail_fd)
        return snapshot, tail_fd


class Site:
    """The app over a real pool, and a client in the pool's loop."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.snapshots = Snapshots()
        self.app = app_of(node.pool, self.snapshots, node.settings)

    def send(self, method: str, **options: Any) -> httpx.Response:
        """One request."""

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, "/v1/query", **options)

        return self.node.loop.run_until_complete(exchange())

    def messages(self, target: str) -> list[Message]:
        """What the app sends to a server that takes trailers."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def ask() -> None:
            received: asyncio.Queue[Message] = asyncio.Queue()
            received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
            scope = scope_of(target)
            scope["extensions"] = {"http.response.trailers": {}}
            await self.app(scope, received.get, send)

        self.node.loop.run_until_complete(ask())
        return sent

    def get(self, sql: str, **parameters: object) -> httpx.Response:
        """A GET with these parameters."""
        return self.send("GET", params={"q": sql, **parameters})


def app_of(pool: QueryPool, snapshots: Snapshots, settings: Settings) -> Starlette:
    """The api's app with the query routes alone."""
    return build_app(
        query_routes(
            pool=pool,
            snapshots=snapshots,
            authenticate=authenticate,
            rows_max=settings.query_rows_max,
            sql_bytes_max=settings.query_sql_bytes_max,
        )
    )


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One pool for the module."""
    settings = Settings(query_workers=2, query_spares=1, query_memory_bytes=512 << 20)
    node = Node(tmp_path_factory.mktemp("node"), settings)
    yield node
    node.close()


@pytest.fixture
def site(shared_node: Node) -> Site:
    """A fresh app over it."""
    return Site(shared_node)


def test_documented_example_is_answered(site: Site) -> None:
    """The documented request gives the documented shape."""
    reply = site.get(SQL)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    assert body["columns"] == ["event", "count"]
    assert body["rows"] == [["click", 3]]
    assert set(body["meta"]) == {
        *("elapsed_ms", "rows", "truncated"),
        *("rows_scanned", "bytes_scanned", "watermark"),
    }


def test_post_takes_the_same_fields(site: Site) -> None:
    """A JSON body instead of a query string."""
    fields = {"q": "SELECT seq FROM events ORDER BY 1", "format": "ndjson", "limit": 2, "meta": 1}
    reply = site.send("POST", json=fields)
    assert reply.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert lines[:2] == [{"seq": 0}, {"seq": 1}]
    assert lines[2]["meta"]["truncated"] is True


@pytest.mark.parametrize(
    ("named", "accept", "expected"),
    [
        (None, "*/*", "application/json"),
        ("json", "text/csv", "application/json"),
        ("csv", "*/*", "text/csv; charset=utf-8"),
        ("CSV", "*/*", "text/csv; charset=utf-8"),
        (None, "text/csv", "text/csv; charset=utf-8"),
        (None, "application/x-ndjson;q=0.9, */*", "application/x-ndjson"),
        (None, "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        (None, "application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        (None, "image/png", "application/json"),
    ],
)
def test_format_is_named_or_accepted(
    site: Site, named: str | None, accept: str, expected: str
) -> None:
    """The parameter wins over the header; JSON is the default."""
    parameters = {"q": "SELECT 1"} | ({} if named is None else {"format": named})
    reply = site.send("GET", params=parameters, headers={"accept": accept})
    assert (reply.status_code, reply.headers["content-type"]) == (200, expected)


def test_safe_csv_is_asked_for(site: Site) -> None:
    """Formulas are disarmed on request only."""
    sql = "SELECT DISTINCT properties.plan FROM events"
    assert site.get(sql, format="csv", safe=1).text == "plan\r\n'=pro\r\n"
    assert site.get(sql, format="csv").text == "plan\r\n=pro\r\n"


@pytest.mark.parametrize("kind", list(Format))
def test_header_says_whether_rows_were_cut_off(site: Site, kind: Format) -> None:
    """In every format, for the default limit too, whose rows are more than is sent at once."""
    sql = "SELECT range AS n, repeat('x', 1000) AS text FROM range({})"
    for rows_found, limit, told in ((1001, 1000, "true"), (1000, 1000, "false"), (1001, 1, "true")):
        parameters = {} if limit == 1000 else {"limit": limit}
        reply = site.get(sql.format(rows_found), format=kind, **parameters)
        assert reply.status_code == 200
        assert reply.headers["x-weir-truncated"] == told
        assert "trailer" not in reply.headers
    assert site.get("SELECT 1 WHERE false", format=kind).headers["x-weir-truncated"] == "false"
    assert "x-weir-truncated" not in site.get("SELEC", format=kind).headers


@pytest.mark.parametrize(("limit", "told"), [(9000, b"true"), (9999, b"false")])
def test_trailer_says_what_the_head_could_not_know(site: Site, limit: int, told: bytes) -> None:
    """Announced in the head, and sent behind the body, where the server can."""
    target = f"/v1/query?format=csv&limit={limit}&q=SELECT+repeat('x',100)+FROM+range(9999)"
    start, *parts, trailers = site.messages(target)
    headers = dict(start["headers"])
    assert start["trailers"] is True
    assert headers[b"trailer"] == b"X-Weir-Truncated"
    assert b"x-weir-truncated" not in headers
    assert b"".join(part["body"] for part in parts).count(b"\r\n") == limit + 1
    assert trailers == {
        "type": "http.response.trailers",
        "headers": [(b"x-weir-truncated", told)],
    }


def test_server_without_trailers_is_sent_none(site: Site) -> None:
    """Nor are they announced."""
    reply = site.get("SELECT repeat('x', 100) FROM range(9999)", format="csv", limit=9000)
    assert (reply.status_code, reply.text.count("\r\n")) == (200, 9001)
    assert not {"trailer", "x-weir-truncated"} & set(reply.headers)


@pytest.mark.parametrize("limit", ["0", "-1", "50001"])
def test_limit_out_of_range_is_422(site: Site, limit: str) -> None:
    """From 1 to the node's greatest."""
    reply = site.get("SELECT 1", limit=limit)
    assert reply.status_code == 422
    assert reply.json()["error"] == "limit_out_of_range"
    assert site.snapshots.asked == []


@pytest.mark.parametrize("limit", ["1", "50000"])
def test_limit_at_the_edge_is_taken(site: Site, limit: str) -> None:
    """Both ends belong to the range."""
    assert site.get("SELECT 1", limit=limit).status_code == 200


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"q": "SELECT 1", "limit": "many"},
        {"q": "SELECT 1", "format": "xml"},
        {"q": "SELECT 1", "safe": "perhaps"},
        {"q": "SELECT 1", "lmit": "5"},
    ],
)
def test_unreadable_parameters_are_400(site: Site, parameters: dict[str, str]) -> None:
    """A missing, mistyped or unknown field."""
    reply = site.send("GET", params=parameters)
    assert reply.status_code == 400
    assert reply.json()["error"] == "invalid_request"
    assert site.snapshots.asked == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", 'The body is empty. Send {"q": "SELECT \u2026"}.'),
        (b"[]", "The body must be a JSON object."),
        (b"{", "The body is not valid JSON: Input data was truncated."),
        (b"{}", "q is missing. It holds the SQL."),
        (b'{"q": 5}', "q must be a text, the SQL."),
    ],
)
def test_unreadable_body_is_400(site: Site, body: bytes, words: str) -> None:
    """A body that is no object of fields, and the words for it."""
    reply = site.send("POST", content=body)
    assert (reply.status_code, reply.json()["message"]) == (400, words)


def test_oversized_body_is_refused_while_it_is_read(site: Site) -> None:
    """A body is not gathered beyond what a query can need."""
    reply = site.send("POST", content=b'{"q":"' + b"x" * (1 << 20) + b'"}')
    assert (reply.status_code, reply.json()["error"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("sql", "status", "code", "position"),
    [
        ("SELECT a frm b c", 400, "invalid_query", 13),
        ("SELECT nope FROM events", 400, "invalid_query", 7),
        ("SELECT * FROM evnts", 400, "invalid_query", 14),
        ("SELECT " + "1" * 70_000, 400, "invalid_query", None),
        ("SELECT current_setting('threads')", 403, "forbidden_query", 7),
        ("DROP TABLE events", 403, "forbidden_query", None),
        ("SELECT repeat('a', 4000 * 1000000::BIGINT)", 422, "query_memory_exceeded", None),
    ],
)
def test_refusal_has_its_status_and_place(
    site: Site, sql: str, status: int, code: str, position: int | None
) -> None:
    """Each kind of failure as the reference says."""
    reply = site.send("POST", json={"q": sql})
    body = reply.json()
    assert (reply.status_code, body["error"]) == (status, code)
    assert body["message"]
    assert body.get("position") == position


def test_key_is_needed_and_its_scope(site: Site) -> None:
    """401 without a key, 403 without the scope; nothing is asked of the loader."""
    for scopes, status in (("none", 401), ("ingest metrics", 403)):
        reply = site.send("GET", params={"q": "SELECT 1"}, headers={"x-scopes": scopes})
        assert reply.status_code == status
    assert site.snapshots.asked == []


def test_project_comes_from_the_key(site: Site) -> None:
    """The snapshot is the credential's project's."""
    site.get("SELECT 1")
    assert site.snapshots.asked == [7]


def test_tail_descriptor_is_closed(site: Site) -> None:
    """Whether the query succeeds or not."""
    for sql in ("SELECT 1", "SELECT nope FROM events"):
        site.get(sql)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(site.snapshots.given[-1])


def test_loader_that_does_not_answer_is_503(site: Site) -> None:
    """What the source raises is the reply."""
    site.snapshots.error = Unavailable("The loader does not answer.", retry_after_s=1)
    reply = site.get("SELECT 1")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


def test_query_that_finds_no_slot_asks_nothing_of_the_loader(tmp_path: Path) -> None:
    """429 comes before the snapshot is taken, not after."""
    settings = Settings(
        query_workers=1, query_queue_wait_s=0.0, query_spares=1, query_memory_bytes=512 << 20
    )
    node = Node(tmp_path, settings)
    site = Site(node)
    slot = node.pool.slot(3)
    try:
        node.loop.run_until_complete(slot.__aenter__())
        reply = site.get("SELECT 1")
        node.loop.run_until_complete(slot.__aexit__(None, None, None))
        after = site.get("SELECT 1")
    finally:
        node.close()
    assert (reply.status_code, reply.json()["error"]) == (429, "too_many_queries")
    assert after.status_code == 200
    assert site.snapshots.asked == [7]


def test_deadline_is_504(tmp_path: Path) -> None:
    """Before the first byte the status says so; NDJSON says so in its last line."""
    settings = Settings(query_timeout_s=1.0, query_spares=1, query_memory_bytes=512 << 20)
    node = Node(tmp_path, settings)
    slow = "SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE hash(x + y) = 1"
    try:
        reply = Site(node).get(slow)
    finally:
        node.close()
    assert (reply.status_code, reply.json()["error"]) == (504, "query_timeout")


def test_loader_that_stalls_is_504(tmp_path: Path) -> None:
    """The deadline runs while the snapshot is waited for; the slot is free afterwards."""
    settings = Settings(query_timeout_s=0.3, query_spares=1, query_memory_bytes=512 << 20)
    node = Node(tmp_path, settings)
    site = Site(node)
    site.snapshots.stalls = True
    try:
        reply = site.get("SELECT 1")
    finally:
        node.close()
    assert (reply.status_code, reply.json()["error"]) == (504, "query_timeout")
    assert node.pool.running_count == 0


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_client_that_does_not_read_is_left_at_the_deadline(tmp_path: Path, kind: str) -> None:
    """Its worker ends, its slot is free, and the answer is broken off, not ended."""
    sql = "SELECT+repeat('x',1000)+FROM+range(50000)"
    target = f"/v1/query?limit=50000&format={kind}&q={sql}"
    for timeout_s in (1.5, 6.0, 24.0):  # a busy machine may not come to the first bytes before
        sent, running_count = _sent_to_nobody(tmp_path, target, timeout_s)
        if sent[0]["status"] == 200:
            break
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"] is True
    assert running_count == 0


def _sent_to_nobody(root: Path, target: str, timeout_s: float) -> tuple[list[Message], int]:
    """What was sent before a client that takes no rows, and the queries that run afterwards."""
    settings = Settings(query_timeout_s=timeout_s, query_spares=1, query_memory_bytes=512 << 20)
    node = Node(root, settings)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body") and sent[0]["status"] == 200:
            await asyncio.Event().wait()

    async def serve() -> None:
        received: asyncio.Queue[Message] = asyncio.Queue()
        received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        app = app_of(node.pool, Snapshots(), settings)
        async with asyncio.timeout(60):
            await app(scope_of(target), received.get, send)

    try:
        node.loop.run_until_complete(serve())
    finally:
        node.close()
    return sent, node.pool.running_count


class StalledPool:
    """A pool whose queries start or stream for ever, and tell when they were ended."""

    def __init__(self, *, starts: bool) -> None:
        self.starts = starts
        self.ended = asyncio.Event()

    @asynccontextmanager
    async def slot(self, _tenant_id: int) -> AsyncIterator[Self]:
        yield self

    async def run(self, _request: QueryRequest, _tables: Sequence[TableSnapshot]) -> QueryResult:
        if self.starts:
            return cast("QueryResult", StalledResult(self.ended))
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


class StalledResult:
    """One part, and then nothing."""

    content_type = "text/csv"
    deadline = float("inf")
    meta = None

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    async def body(self) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    def finish(self) -> None:
        self._ended.set()


def scope_of(target: str) -> Scope:
    """A GET as uvicorn describes it."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
    }


@pytest.mark.parametrize("starts", [False, True])
def test_client_that_goes_away_ends_its_query(*, starts: bool) -> None:
    """Before the first byte and after it."""

    async def leave() -> None:
        pool = StalledPool(starts=starts)
        app = app_of(cast("QueryPool", pool), Snapshots(), Settings())
        received: asyncio.Queue[Message] = asyncio.Queue()
        received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        sent: asyncio.Queue[Message] = asyncio.Queue()
        serving = asyncio.create_task(app(scope_of("/v1/query?q=SELECT+1"), received.get, sent.put))
        async with asyncio.timeout(60):
            while starts and (await sent.get()).get("body") != b"first":
                pass
            received.put_nowait({"type": "http.disconnect"})
            await pool.ended.wait()
            await serving

    asyncio.run(leave())


class BrokenResult(StalledResult):
    """One part, and then an error."""

    async def body(self) -> AsyncIterator[bytes]:
        yield b"first"
        raise WeirError("late")


class BrokenPool(StalledPool):
    """Its answers break."""

    async def run(self, *_arguments: object) -> QueryResult:
        return cast("QueryResult", BrokenResult(self.ended))


def test_broken_answer_is_broken_off() -> None:
    """An error after the first byte never looks like a whole answer, nor has it trailers."""

    async def ask() -> list[Message]:
        pool = BrokenPool(starts=True)
        app = app_of(cast("QueryPool", pool), Snapshots(), Settings())
        received: asyncio.Queue[Message] = asyncio.Queue()
        received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = scope_of("/v1/query?q=SELECT+1")
        scope["extensions"] = {"http.response.trailers": {}}
        await app(scope, received.get, send)
        assert pool.ended.is_set()
        return sent

    sent = asyncio.run(ask())
    assert sent[-1] == {"type": "http.response.body", "body": b"first", "more_body": True}
