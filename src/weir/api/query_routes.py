"""``/v1/query``: SQL over HTTP. Reads the request, asks for a snapshot, runs, streams back."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Final, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weir.api.auth import Authenticate
from weir.api.replies import error_headers, json_reply
from weir.domain import keys
from weir.domain.registry import Principal
from weir.domain.snapshot import Snapshot
from weir.errors import InvalidInput, Unprocessable, WeirError
from weir.query.pool import QueryPool, QueryResult
from weir.query.request import CONTENT_TYPES, ROWS_DEFAULT, Format, QueryRequest
from weir.settings import Settings

CLIENT_GONE: Final = 499
"""Seen by nobody: the client went away before the answer began."""

_FORMATS_BY_TYPE = {
    content_type.partition(";")[0]: kind for kind, content_type in CONTENT_TYPES.items()
}
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


class SnapshotSource(Protocol):
    """Who knows what a project's query may read."""

    async def snapshot(self, project_id: int) -> tuple[Snapshot, int | None]:
        """The snapshot and its tail's descriptor, which becomes the caller's to close."""
        ...


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a query, alike in a query string and in a JSON body."""

    q: str
    format: str | None = None
    limit: int = ROWS_DEFAULT
    safe: bool | int = False
    meta: bool | int = False


def query_routes(
    *,
    pool: QueryPool,
    snapshots: SnapshotSource,
    authenticate: Authenticate,
    settings: Settings,
) -> list[Route]:
    """``GET`` and ``POST /v1/query``; a key with the scope ``query`` is needed."""

    async def start(query: QueryRequest, project_id: int) -> QueryResult:
        snapshot, tail_fd = await snapshots.snapshot(project_id)
        try:
            return await pool.run(query, snapshot, tail_fd)
        finally:
            if tail_fd is not None:
                os.close(tail_fd)

    async def answer(request: Request) -> Response:
        try:
            principal = authenticate(request)
            principal.require(keys.Scope.QUERY)
            asked = await _asked(request, settings)
            query = _query_request(asked, request, principal, settings)
            result = await _unless_gone(request, start(query, principal.project_id))
        except WeirError as error:
            return _refusal(error)
        return Response(status_code=CLIENT_GONE) if result is None else _QueryResponse(result)

    return [
        Route("/v1/query", answer, methods=["GET"], name="query"),
        Route("/v1/query", answer, methods=["POST"], name="query_by_body"),
    ]


class _QueryResponse(StreamingResponse):
    """Streams a result and ends its worker, whether or not the client stays to the end."""

    def __init__(self, result: QueryResult) -> None:
        super().__init__(result.body(), headers={"Content-Type": result.content_type})
        self._result = result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except WeirError:
            # The pool has told why. A return without an end makes the server break off.
            return
        finally:
            self._result.finish()


async def _asked(request: Request, settings: Settings) -> Asked:
    try:
        if request.method == "POST":
            body = await _body(request, bytes_max=6 * settings.query_sql_bytes_max + 4096)
            return msgspec.json.decode(body, type=Asked)
        fields = dict(request.query_params)
        flags = {name: _FLAGS.get(fields[name]) for name in ("safe", "meta") if name in fields}
        return msgspec.convert(fields | flags, Asked, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The query cannot be read: {error}.") from None


async def _body(request: Request, *, bytes_max: int) -> bytes:
    """The body; ``bytes_max`` leaves room for a text of escapes only."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise InvalidInput("The request body is too long.", code="payload_too_large")
    return bytes(body)


def _query_request(
    asked: Asked, request: Request, principal: Principal, settings: Settings
) -> QueryRequest:
    if not 1 <= asked.limit <= settings.query_rows_max:
        raise Unprocessable(
            f"limit must be from 1 to {settings.query_rows_max}.", code="limit_out_of_range"
        )
    return QueryRequest(
        tenant_id=principal.tenant_id,
        sql=asked.q,
        format=_format(asked.format, request.headers.get("accept", "")),
        row_limit=asked.limit,
        safe=bool(asked.safe),
        with_meta=bool(asked.meta),
    )


def _format(named: str | None, accept: str) -> Format:
    """The named format, else the first that the client accepts by name, else JSON."""
    if named:
        try:
            return Format(named.lower())
        except ValueError:
            known = ", ".join(Format)
            raise InvalidInput(f"format must be one of {known}.") from None
    for part in accept.split(","):
        kind = _FORMATS_BY_TYPE.get(part.partition(";")[0].strip().lower())
        if kind is not None:
            return kind
    return Format.JSON


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
