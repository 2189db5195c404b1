"""Serves the api process: one loop, the relayed app and the operator's app on a socket each."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Generator
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from weir.api.control_app import build_control_app
from weir.api.replies import TRAILERS
from weir.clock import Clock
from weir.control.service import ControlService
from weir.domain.times import MINUTE_US
from weir.errors import WeirError
from weir.node.board import Board, Slot
from weir.settings import Settings
from weir.telemetry import Happening, emit


class Served(NamedTuple):
    """What an api process serves, and on what.

    ``listeners`` are the listening Unix sockets of the relayed app and of the operator's; they
    are closed at the end. ``control`` has published the registry and stays open. ``workers`` is
    done once a query would find a worker.
    """

    app: Starlette
    control: ControlService
    listeners: tuple[socket.socket, socket.socket]
    workers: "asyncio.Future[None]"


async def serve_api(
    served: Served, *, board: Board, clock: Clock, settings: Settings, stop: asyncio.Event
) -> None:
    """Serves until ``stop`` is set, then lets open requests end for ``drain_timeout_s``.

    Both sockets are served at once, so that keys can be revoked; ``API_READY`` is 1 on the board
    from when there are workers for queries too. Raises what kept these from starting.
    """
    servers = [
        _Server(_config(served.app, settings)),
        _Server(_config(build_control_app(served.control), settings)),
    ]
    async with asyncio.TaskGroup() as tasks:
        for server, listener in zip(servers, served.listeners, strict=True):
            tasks.create_task(server.serve(sockets=[listener]))
        uptime = tasks.create_task(_keep_uptime(served.control, board, clock=clock))
        for server in servers:
            await server.accepting.wait()
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait((served.workers, stopping), return_when=asyncio.FIRST_COMPLETED)
        if served.workers.done() and served.workers.exception() is None:
            board.set(Slot.API_READY, 1)
            await stopping
            board.set(Slot.API_READY, 0)
        stopping.cancel()
        uptime.cancel()
        for server in servers:
            server.should_exit = True
    if served.workers.done():
        served.workers.result()


class _Server(uvicorn.Server):
    """Says when it accepts, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with the trailers that it does not send by itself."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        with_trailers: Any = _with_trailers(app, cycle)
        super()._start_asgi_task(cycle, with_trailers)


def _with_trailers(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        has_trailers = False

        async def send_with_trailers(message: Message) -> None:
            nonlocal has_trailers
            if message["type"] == TRAILERS and not cycle.disconnected:
                cycle.transport.write(_last_chunk(message["headers"]))
                cycle.chunked_encoding = False  # what ends the response writes no chunk of its own
                message = {"type": "http.response.body", "body": b""}
            elif message["type"] == "http.response.start":
                has_trailers = bool(message.get("trailers"))
            elif has_trailers:
                message = {**message, "more_body": True}
            await send(message)

        if scope["method"] != "HEAD":
            scope["extensions"] = {TRAILERS: {}}
        await app(scope, receive, send_with_trailers)

    return run


def _last_chunk(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The chunk that ends a body, and the trailers behind it (RFC 9112, 7.1)."""
    return b"0\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n"


def _config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=_Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # what is worth a line, Shield logs
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(settings.keepalive_timeout_s),
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),
    )


async def _keep_uptime(control: ControlService, board: Board, *, clock: Clock) -> None:
    """Counts each minute, and publishes a registry that could not be published before."""
    while True:
        try:
            board.set(Slot.UPTIME_PPM, await asyncio.to_thread(control.uptime.record))
            await asyncio.to_thread(control.publish_pending)
        except WeirError as error:
            emit(Happening.CONTROL_WRITE_FAILED, reason=error.code)
        await asyncio.sleep((MINUTE_US - clock.now_us() % MINUTE_US) / 1_000_000)
