"""``/v1/query``: SQL over HTTP. A request is read, asked by ``query/ask.py``, streamed."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weir.api.auth import Authenticate
from weir.api.query_fields import read_query
from weir.api.replies import error_headers, json_reply
from weir.domain import keys
from weir.errors import InvalidInput, WeirError
from weir.ingest.http.refusals import body_too_large
from weir.query.ask import SnapshotSource, ask
from weir.query.pool import QueryPool
from weir.query.request import QueryRequest
from weir.query.result import QueryResult
from weir.settings import Settings

CLIENT_GONE: Final = 499
"""Seen by nobody: the client went away before the answer began."""
LAST_WORDS_S: Final = 0.1
"""For what is left to write at the deadline: a client that does not read it in time gets no end."""


def query_routes(
    *,
    pool: QueryPool,
    snapshots: SnapshotSource,
    authenticate: Authenticate,
    settings: Settings,
) -> list[Route]:
    """``GET`` and ``POST /v1/query``; a key with the scope ``query`` is needed."""

    async def start(query: QueryRequest, project_id: int) -> QueryResult:
        return (await ask(query, project_id=project_id, pool=pool, snapshots=snapshots)).result

    async def answer(request: Request) -> Response:
        try:
            principal = authenticate(request)
            principal.require(keys.Scope.QUERY)
            asked = await _asked(request, settings)
            accept = request.headers.get("accept", "")
            query = read_query(
                asked, accept, tenant_id=principal.tenant_id, rows_max=settings.query_rows_max
            )
            result = await _unless_gone(request, start(query, principal.project_id))
        except WeirError as error:
            return _refusal(error)
        return Response(status_code=CLIENT_GONE) if result is None else _QueryResponse(result)

    return [
        Route("/v1/query", answer, methods=["GET"], name="query"),
        Route("/v1/query", answer, methods=["POST"], name="query_by_body"),
    ]


class _QueryResponse(StreamingResponse):
    """Streams a result until its deadline, and ends its worker however the client behaves."""

    def __init__(self, result: QueryResult) -> None:
        super().__init__(result.body(), headers={"Content-Type": result.content_type})
        self._result = result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout_at(self._result.deadline + LAST_WORDS_S):
                await super().__call__(scope, receive, send)
        except (WeirError, TimeoutError):
            # The pool has told why. A return without an end makes the server break off.
            return
        finally:
            self._result.finish()


async def _asked(request: Request, settings: Settings) -> Mapping[str, object]:
    """The fields as sent, from the query string or a JSON body."""
    if request.method != "POST":
        return dict(request.query_params)
    body = await _body(request, bytes_max=6 * settings.query_sql_bytes_max + 4096)
    if not body:
        raise InvalidInput("The body is empty.", hint='Send {"q": "SELECT …"}.')
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.ValidationError:
        raise InvalidInput("The body must be a JSON object.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not valid JSON: {error}.") from None


async def _body(request: Request, *, bytes_max: int) -> bytes:
    """The body; ``bytes_max`` leaves room for a text of escapes only."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise body_too_large(bytes_max)
    return bytes(body)


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


def _refusal(error: WeirError) -> Response:
    """The error, with the place in the SQL where it is known."""
    value: dict[str, object] = {"error": error.code, "message": str(error)}
    if error.context.get("position") is not None:
        value["position"] = error.context["position"]
    return json_reply(value, status=error.status, headers=error_headers(error))
