"""What a node says of itself: ``GET /`` where to read on, ``GET /openapi.json`` every operation.

``/`` is a page for a browser and JSON for everything else.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from weir import __version__
from weir.api.pages import HEADERS, front_page, wants_page
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


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself, and where more is to be found."""

    name: str
    version: str
    description: str
    """The path of the OpenAPI document."""
    ready: str
    """The path that says whether the node is ready."""
    documentation: str
    """Where the operator sends people."""


FRONT: Final = DescribedOperation(
    method="GET",
    path="/",
    name="front",
    summary="That Weir runs here, and where to read on.",
    reply_words="It does. A page where `Accept` names `text/html`, as browsers do.",
    reply=Body(
        examples={
            "running": {
                "name": "weir",
                "version": "0.1.0",
                "description": "/openapi.json",
                "ready": "/readyz",
                "documentation": "https://weir.example/docs",
            }
        },
        other_types={"text/html": "<!doctype html>…"},
    ),
)


def front_routes(*, docs_url: str) -> list[Route]:
    """The route of ``/``; ``docs_url`` is where error messages send people too."""
    page = front_page(docs_url=docs_url)
    told = Front(
        name="weir",
        version=__version__,
        description="/openapi.json",
        ready="/readyz",
        documentation=docs_url,
    )

    async def show(request: Request) -> Response:
        if wants_page(method=request.method, accept=request.headers.get("Accept", "")):
            return HTMLResponse(page, headers=HEADERS)
        return json_reply(told, headers={"Vary": "Accept"})

    return [route(FRONT, show)]
