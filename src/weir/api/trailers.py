"""Header fields behind a body (RFC 9110, 6.5), which uvicorn does not send by itself.

An app that finds ``http.response.trailers`` among the extensions of its scope may start a response
with ``trailers: True`` and send one message of that type after the last of the body. Source: the
extension's page of the ASGI specification.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

EXTENSION: Final = "http.response.trailers"


def takes_trailers(scope: MutableMapping[str, Any]) -> bool:
    """Whether a response to this request may have trailers: its body is sent in chunks."""
    return EXTENSION in (scope.get("extensions") or {})


class TrailersProtocol(HttpToolsProtocol):
    """uvicorn's connection, with trailers."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _with_trailers(app, cycle))  # type: ignore[arg-type]  # uvicorn has types of its own for the same


def _with_trailers(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        has_trailers = False

        async def send_with_trailers(message: Message) -> None:
            nonlocal has_trailers
            if message["type"] == EXTENSION and not cycle.disconnected:
                cycle.transport.write(_last_chunk(message["headers"]))
                cycle.chunked_encoding = False  # what ends the response writes no chunk of its own
                message = {"type": "http.response.body", "body": b""}
            elif message["type"] == "http.response.start":
                has_trailers = bool(message.get("trailers"))
            elif has_trailers:
                message = {**message, "more_body": True}
            await send(message)

        if scope["type"] == "http" and scope["method"] != "HEAD":
            scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: {}}
        await app(scope, receive, send_with_trailers)

    return run


def _last_chunk(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The chunk that ends a body, and the trailers behind it (RFC 9112, 7.1)."""
    return b"0\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n"
