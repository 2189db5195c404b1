"""Serves the api process: one loop, the relayed app and the operator's app on a socket each."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Generator
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette

from weir.api.control_app import build_control_app
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


def _config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http="httptools",
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
