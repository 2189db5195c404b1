"""Replies of the api process: JSON, and errors in the shape that clients of the door know."""

from collections.abc import Mapping, MutableMapping
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weir.errors import WeirError, failure_of

TRAILERS: Final = "http.response.trailers"
"""The ASGI extension, and its message, for header fields behind a body (RFC 9110, 6.5)."""

_encode = msgspec.json.Encoder().encode


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as clients see it; ``position`` is a character's place in the SQL of a query."""

    error: Annotated[str, msgspec.Meta(description="A stable code.")]
    message: str
    details: list[dict[str, Any]] = []
    position: int | msgspec.UnsetType = msgspec.UNSET


def json_reply(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON reply."""
    return Response(_encode(value), status, headers, media_type="application/json")


def error_reply(_request: Request, error: Exception) -> Response:
    """An error as clients see it, with the status and the headers that belong to it."""
    assert isinstance(error, WeirError), "registered for WeirError alone"
    position = error.context.get("position")
    refusal = Error(
        error=error.code,
        message=str(error),
        details=error.details or [],
        position=position if isinstance(position, int) else msgspec.UNSET,
    )
    return json_reply(refusal, status=error.status, headers=error_headers(error))


def operator_error_reply(_request: Request, error: Exception) -> Response:
    """The whole error, for the operator's own tools: it is raised there as it was raised here.

    Its code stands in ``error`` too, where every other route and earlier versions have it.
    """
    assert isinstance(error, WeirError), "registered for WeirError alone"
    value = {"error": error.code, **asdict(failure_of(error))}
    return json_reply(value, status=error.status, headers=error_headers(error))


def error_headers(error: WeirError) -> dict[str, str]:
    """``WWW-Authenticate`` with 401 (RFC 9110, 11.6.1), ``Retry-After`` where a time is known."""
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers


def takes_trailers(scope: MutableMapping[str, Any]) -> bool:
    """Whether the reply to this request may have trailers: its body is sent in chunks.

    It starts with ``trailers: True`` then, and one ``TRAILERS`` message follows the last of its
    body.
    """
    return TRAILERS in (scope.get("extensions") or {})
