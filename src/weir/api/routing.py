"""Rows become Starlette routes."""

import re
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.auth import Authenticate
from weir.api.operation import Asked, Operation, Reply, Verb
from weir.api.reading import read_request
from weir.api.replies import json_reply
from weir.control.service import ControlService
from weir.domain.described import DescribedOperation
from weir.domain.registry import Principal

Routes = list[Route]


def route(operation: DescribedOperation, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    """The route of a row whose function reads the request and writes the response itself."""
    # An id may hold a slash: a parameter ends where the rest of the path begins.
    path = operation.path.replace("}", ":path}")
    made = Route(path, answer, methods=[operation.method], name=operation.name)
    # And a line feed, which Starlette's own pattern of a path leaves out.
    made.path_regex = re.compile(made.path_regex.pattern.removesuffix("$") + r"\Z", re.DOTALL)
    return made


def keyed_route(
    operation: Operation[Asked, Reply],
    run: Callable[[Principal, Asked], Awaitable[Reply]],
    authenticate: Authenticate,
) -> Route:
    """The route of a row for whoever has its scope: ``run`` gets the principal and the request."""
    scope = operation.scope
    assert scope is not None, "a row for keys names its scope"

    async def answer(request: Request) -> Response:
        principal = authenticate(request)
        principal.require(scope)
        reply = await run(principal, await read_request(request, operation))
        return json_reply(reply, status=operation.status)

    return route(operation, answer)


def verb_route(verb: Verb[Asked, Reply], control: ControlService) -> Route:
    """The route of an operator's verb over one open control service."""

    async def answer(request: Request) -> Response:
        asked = await read_request(request, verb)
        reply = await run_in_threadpool(verb.run, control, asked)
        return json_reply(reply, status=verb.status)

    return route(verb, answer)
