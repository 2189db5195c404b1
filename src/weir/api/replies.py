"""Replies of the api process: JSON, and errors in the shape that clients of the door know."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weir.errors import WeirError, failure_of

_encode = msgspec.json.Encoder().encode


def json_reply(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON reply."""
    return Response(_encode(value), status, headers, media_type="application/json")


def error_reply(_request: Request, error: Exception) -> Response:
    """``{"error": code, "message": text}``, and ``details`` where there are some."""
    assert isinstance(error, WeirError), "registered for WeirError alone"
    value: dict[str, object] = {"error": error.code, "message": str(error)}
    if error.details:
        value["details"] = error.details
    return json_reply(value, status=error.status, headers=error_headers(error))


def operator_error_reply(_request: Request, error: Exception) -> Response:
    """The whole error, for the operator's own tools: it is raised there as it was raised here."""
    assert isinstance(error, WeirError), "registered for WeirError alone"
    return json_reply(failure_of(error), status=error.status, headers=error_headers(error))


def error_headers(error: WeirError) -> dict[str, str]:
    """``WWW-Authenticate`` with 401 (RFC 9110, 11.6.1), ``Retry-After`` where a time is known."""
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers
