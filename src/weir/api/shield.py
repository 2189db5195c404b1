"""What every reply of the api process has, and what a failure inside looks like from outside."""

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weir.telemetry import Happening, emit

_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_FAILURE = msgspec.json.encode(
    {"error": "internal", "message": "The node failed to answer; its log says why."}
)


class Shield:
    """Wraps an app: security headers on each reply; a bug becomes a 500 without details.

    The log gets the kind of the error and the place where it was raised, not its words, which may
    hold what a client sent. A reply that had begun is broken off.
    """

    __slots__ = ("_app",)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_shielded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with_headers(message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, send_shielded)
        except ClientDisconnect:
            return
        except Exception as error:  # the last place where a bug can be answered
            emit(Happening.REQUEST_FAILED, reason=type(error).__name__, place=_place(error))
            if not begun:
                await _send_failure(send_shielded)


def _with_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name for name, _ in headers}
    return [*headers, *(header for header in _HEADERS if header[0] not in names)]


def _place(error: Exception) -> str:
    frame = error.__traceback__
    place = ""
    while frame is not None:
        place = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place


async def _send_failure(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_FAILURE)).encode()),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _FAILURE})
