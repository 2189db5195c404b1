"""``GET /openapi.json``: the description of every operation of the node."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.replies import json_reply
from weir.api.routing import route
from weir.domain.described import Body, DescribedOperation

EDGEMQ_PATH = "/openapi/edgemq-openapi.json"
"""Where EdgeMQ's clients look for the same document."""

DESCRIPTION = DescribedOperation(
    method="GET",
    path="/openapi.json",
    name="describe",
    summary="This description.",
    reply_words="An OpenAPI 3.1 document.",
    reply=Body(examples={}),
)


def description_routes(describe: Callable[[], object]) -> list[Route]:
    """The routes of the document that ``describe`` makes, in a thread: it may take a while."""

    async def show_description(_request: Request) -> Response:
        return json_reply(await run_in_threadpool(describe))

    return [
        route(DESCRIPTION, show_description),
        Route(EDGEMQ_PATH, show_description, methods=["GET"]),
    ]
