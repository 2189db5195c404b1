"""Serves the api process: one loop, the relayed app and the operator's app on a socket each."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Generator

import uvicorn
from starlette.applications import Starlette

from weir.api.control_app import build_control_app
from weir.api.trailers import TrailersProtocol
from weir.clock import Clock
from weir.control.service import ControlService
from weir.domain.times import MINUTE_US
from weir.errors import WeirError
from weir.node.board import Board, Slot
from weir.settings import Settings
from weir.telemetry import Happening, emit


async def serve_api(
    app: Starlette,
    *,
    control: ControlService,
    listeners: tuple[socket.socket, socket.socket],
    board: Board,
    clock: Clock,
    settings: Settings,
    stop: asyncio.Event,
) -> None:
    """Serves until ``stop`` is set, then lets open requests end for ``drain_timeout_s``.

    ``listeners`` are the listening Unix sockets of the relayed app and of the operator's; they
    are closed at the end. ``control`` has published the registry and stays open. ``API_READY``
    is 1 on the board while both sockets are served.
    """
    relayed, operators = listeners
    servers = [
        _Server(_config(app, settings)),
        _Server(_config(build_control_app(control), settings)),
    ]
    async with asyncio.TaskGroup() as tasks:
        for server, listener in zip(servers, (relayed, operators), strict=True):
            tasks.create_task(server.serve(sockets=[listener]))
        uptime = tasks.create_task(_keep_uptime(control, board, clock=clock))
        for server in servers:
            await server.accepting.wait()
        board.set(Slot.API_READY, 1)
        await stop.wait()
        board.set(Slot.API_READY, 0)
        uptime.cancel()
        for server in servers:
            server.should_exit = True


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


def _config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=TrailersProtocol,
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
