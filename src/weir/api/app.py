"""The app behind the door's relay: queries, the ledger, the description of the API."""

from collections.abc import Mapping, Sequence
from functools import cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route

from weir.api.pages import HEADERS, missing_page, wants_page
from weir.api.replies import Error, error_reply, json_reply
from weir.api.routes.description import description_routes
from weir.api.shield import Shield
from weir.errors import InvalidInput, NotFound, WeirError
from weir.ingest.http.refusals import MethodNotAllowed

_REFUSALS: Mapping[int, WeirError] = {
    error.status: error
    for error in (NotFound("There is nothing at this path."), MethodNotAllowed())
}


def build_app(routes: Sequence[Route]) -> Starlette:
    """An app of ``routes`` and ``/openapi.json``.

    Every error is ``{"error": code, "message": text}``; a browser that opens a path that is none
    gets a page. What the door lets through is bounded by the door, so there are no limits of
    requests here.
    """
    app = Starlette(
        routes=[*routes, *description_routes(_description)],
        middleware=[Middleware(Shield)],
        exception_handlers={WeirError: error_reply, HTTPException: http_error_reply},
    )
    app.router.redirect_slashes = False
    return app


def http_error_reply(request: Request, error: Exception) -> Response:
    """Starlette's own refusals as JSON; ``OPTIONS`` on a known path is told its methods."""
    assert isinstance(error, HTTPException), "registered for HTTPException alone"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    accept = request.headers.get("Accept", "")
    if error.status_code == 404 and wants_page(method=request.method, accept=accept):
        return HTMLResponse(missing_page(), 404, headers=HEADERS)
    refusal = _REFUSALS.get(error.status_code) or InvalidInput(error.detail)
    value = Error(error=refusal.code, message=refusal.message)
    return json_reply(value, status=error.status_code, headers=headers)


@cache
def _description() -> dict[str, object]:
    # Imported here: a node that nobody asks for it loads no descriptions of dialects.
    from weir.api.openapi import describe_api
    from weir.api.table import OPERATIONS

    return describe_api(OPERATIONS)


def _methods(request: Request) -> list[str]:
    """Every method of every route with the request's path: a path may have several routes."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    at_path = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({"OPTIONS"}.union(*(route.methods or () for route in at_path)))
