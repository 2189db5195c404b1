"""``/v1/query``: SQL over HTTP. A request is read, asked by ``query/ask.py``, streamed."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Send
from starlette.types import Scope as ConnectionScope

from weir.api.auth import Authenticate
from weir.api.operation import Operation
from weir.api.query_fields import SQL_EXAMPLE, QueryFields, read_query
from weir.api.reading import decode_object, read_body
from weir.api.replies import TRAILERS, takes_trailers
from weir.api.routing import route
from weir.domain.described import Body
from weir.domain.keys import Scope
from weir.errors import InvalidInput, WeirError
from weir.query.ask import SnapshotSource, ask
from weir.query.job import Meta
from weir.query.pool import QueryPool
from weir.query.request import CONTENT_TYPES, Format, QueryRequest
from weir.query.result import QueryResult

CLIENT_GONE: Final = 499
"""Seen by nobody: the client went away before the answer began."""
TRUNCATED: Final = "X-Weir-Truncated"
"""``true`` when the limit left rows out, else ``false``: a header where the end of the result is
known before its first byte leaves, else a trailer."""
LAST_WORDS_S: Final = 0.1
"""For what is left to write at the deadline: a client that does not read it in time gets no end."""


_QUERY_TEXTS = {
    Format.NDJSON: '{"event":"page_view","count":142857}\n{"event":"click","count":98204}\n',
    Format.CSV: "event,count\r\npage_view,142857\r\nclick,98204\r\n",
}
_QUERY_REPLY = Body(
    examples={
        "rows": {
            "columns": ["event", "count"],
            "rows": [["page_view", 142857], ["click", 98204]],
            "meta": {
                "elapsed_ms": 42,
                "rows": 2,
                "truncated": False,
                "rows_scanned": 241061,
                "bytes_scanned": 1893412,
                "watermark": "2026-11-20T12:00:01Z",
            },
        }
    },
    other_types={
        words.partition(";")[0]: _QUERY_TEXTS.get(kind, "")
        for kind, words in CONTENT_TYPES.items()
        if kind != Format.JSON
    },
)
_QUERY_HEADERS = {
    TRUNCATED: "`true` when there were more rows than `limit`, else `false`. A long result that is "
    "streamed has it as a trailer behind the body, announced in `Trailer`."
}
_QUERY_REFUSALS = {
    400: Body(
        examples={
            "no statement": {
                "error": "invalid_query",
                "message": "This is not a SELECT statement.",
                "position": 0,
            }
        }
    )
}
_QUERY_ERRORS = (400, 401, 403, 405, 422, 429, 431, 503, 504)
_QUERY_BY_BODY_ERRORS = (400, 401, 403, 405, 408, 413, 422, 429, 431, 503, 504)

QUERY = Operation(
    method="GET",
    path="/v1/query",
    name="query",
    summary="Run one SELECT over the project's events.",
    scope=Scope.QUERY,
    request=QueryFields,
    returns=dict[str, Any],
    reply_words="The result.",
    reply=_QUERY_REPLY,
    reply_headers=_QUERY_HEADERS,
    errors=_QUERY_ERRORS,
    refusals=_QUERY_REFUSALS,
)

QUERY_BY_BODY = Operation(
    method="POST",
    path="/v1/query",
    name="query_by_body",
    summary="Run one SELECT over the project's events; the parameters stand in the body.",
    scope=Scope.QUERY,
    body=Body(
        examples={"count": {"q": SQL_EXAMPLE, "format": "json", "limit": 10}},
    ),
    request=QueryFields,
    returns=dict[str, Any],
    reply_words="The result.",
    reply=_QUERY_REPLY,
    reply_headers=_QUERY_HEADERS,
    errors=_QUERY_BY_BODY_ERRORS,
    refusals=_QUERY_REFUSALS,
)


def query_routes(
    *,
    pool: QueryPool,
    snapshots: SnapshotSource,
    authenticate: Authenticate,
    rows_max: int,
    sql_bytes_max: int,
) -> list[Route]:
    """``GET`` and ``POST /v1/query``; a key with the scope ``query`` is needed."""

    async def start(query: QueryRequest, project_id: int) -> QueryResult:
        return (await ask(query, project_id=project_id, pool=pool, snapshots=snapshots)).result

    async def answer(request: Request) -> Response:
        principal = authenticate(request)
        principal.require(Scope.QUERY)
        asked = await _asked(request, sql_bytes_max)
        accept = request.headers.get("accept", "")
        query = read_query(asked, accept, tenant_id=principal.tenant_id, rows_max=rows_max)
        result = await _unless_gone(request, start(query, principal.project_id))
        return Response(status_code=CLIENT_GONE) if result is None else _QueryResponse(result)

    return [route(QUERY, answer), route(QUERY_BY_BODY, answer)]


class _QueryResponse(StreamingResponse):
    """Streams a result until its deadline, and ends its worker however the client behaves."""

    def __init__(self, result: QueryResult) -> None:
        super().__init__(result.body(), headers={"Content-Type": result.content_type})
        self._result = result

    async def __call__(self, scope: ConnectionScope, receive: Receive, send: Send) -> None:
        try:
            told = _truncated(self._result.meta)
            if told:
                self.headers[TRUNCATED] = told
            elif takes_trailers(scope):
                self.headers["Trailer"] = TRUNCATED
                send = self._with_trailer(send)
            async with asyncio.timeout_at(self._result.deadline + LAST_WORDS_S):
                await super().__call__(scope, receive, send)
        except (WeirError, TimeoutError):
            # The pool has told why. A return without an end makes the server break off.
            return
        finally:
            self._result.finish()

    def _with_trailer(self, send: Send) -> Send:
        """Ends the response with the trailer; with none when the result did not come to its end."""

        async def send_with_trailer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["trailers"] = True
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                told = _truncated(self._result.meta)
                headers = [(TRUNCATED.lower().encode(), told.encode())] if told else []
                await send({"type": TRAILERS, "headers": headers})

        return send_with_trailer


def _truncated(meta: Meta | None) -> str:
    """The value of the header, empty while nobody knows."""
    return "" if meta is None else "true" if meta.truncated else "false"


async def _asked(request: Request, sql_bytes_max: int) -> Mapping[str, object]:
    """The fields as sent, from the query string or a JSON body."""
    if request.method != "POST":
        return dict(request.query_params)
    # Room for a text of escapes only.
    body = await read_body(request, bytes_max=6 * sql_bytes_max + 4096)
    if not body:
        raise InvalidInput("The body is empty.", hint='Send {"q": "SELECT …"}.')
    return decode_object(body)


async def _unless_gone(
    request: Request, starting: Coroutine[None, None, QueryResult]
) -> QueryResult | None:
    """The started query; None when the client went away first, and the query with it."""
    query = asyncio.create_task(starting)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((query, gone), return_when=asyncio.FIRST_COMPLETED)
        if query.done():
            return query.result()
        return None
    finally:
        for task in (query, gone):
            task.cancel()
        await asyncio.wait((query, gone))
        if not query.cancelled():
            query.exception()


async def _gone(request: Request) -> None:
    """Returns when the client has gone away; only for a request whose body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
