"""Rows become routes: what stands in the path of a request."""

import json
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from weir.api.app import build_app
from weir.api.routes.traces import TRACE
from weir.api.routing import route

Call = Callable[..., httpx.Response]


async def _tell(request: Request) -> Response:
    return JSONResponse(request.path_params)


@pytest.mark.parametrize(
    "event_id", ["a", "a/b", "a\nb", "\n", "a\r\nb", "a\n", "..", ".", "a b", "ü", "\u2028", "%2F"]
)
def test_id_in_a_path_is_any_text(call: Call, event_id: str) -> None:
    """Whatever a client may have given an event can be asked for."""
    app = build_app([route(TRACE, _tell)])
    segment = quote(event_id, safe="").replace(".", "%2E")
    reply = call(app, "GET", f"/v1/events/{segment}/trace")
    assert json.loads(reply.content) == {"event_id": event_id}


def test_path_with_more_behind_it_is_another(call: Call) -> None:
    """A line feed at its end is not passed over."""
    app = build_app([route(TRACE, _tell)])
    assert call(app, "GET", "/v1/events/a/trace%0A").status_code == 404
