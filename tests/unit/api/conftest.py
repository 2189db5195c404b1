"""A node's control state with two projects, the registry as the app sees it, and a client."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from weir.api.run import Served, serve_api
from weir.control.service import ControlService
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.node.sockets import listen_unix
from weir.settings import Settings
from weir.storage.local import make_directory

NOON_US = 1_795_176_000_000_000


class ManualClock:
    """A wall clock that moves when told; its timers run."""

    def __init__(self) -> None:
        self.us = NOON_US
        self._loop = asyncio.new_event_loop()
        self._loop.close()

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        return self._loop.time()


@pytest.fixture
def clock() -> ManualClock:
    """Stands at noon of 2026-11-20, UTC, until ``us`` is changed."""
    return ManualClock()


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """An empty node directory with ``run`` in it."""
    made = Directory(tmp_path / "node")
    make_directory(made.run)
    return made


@pytest.fixture
def board(directory: Directory) -> Board:
    """A fresh board."""
    return Board.create(directory.board)


@pytest.fixture
def service(directory: Directory, board: Board, clock: ManualClock) -> Iterator[ControlService]:
    """An open control service after its first run."""
    with contextlib.closing(ControlService.open(directory, clock=clock, board=board)) as opened:
        yield opened


@pytest.fixture
def view(directory: Directory, board: Board) -> RegistryView:
    """The registry as the api process reads it."""
    return RegistryView(directory, board)


@pytest.fixture
def call() -> Callable[..., httpx.Response]:
    """Sends one request to an ASGI app and returns its reply."""

    def send(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
                return await client.request(method, path, **options)

        return asyncio.run(exchange())

    return send


@pytest.fixture
def serve(
    directory: Directory, board: Board, service: ControlService, clock: ManualClock
) -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Serves an app and the operator's app in a thread while the context is open."""

    @contextlib.contextmanager
    def running(
        app: Starlette, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> Iterator[None]:
        listeners = listen_unix(directory.api_socket), listen_unix(directory.control_socket)
        entered: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        async def main() -> None:
            stop = asyncio.Event()
            entered.append((asyncio.get_running_loop(), stop))
            await serve_api(
                Served(app, service, listeners, started()),
                board=board,
                clock=clock,
                settings=Settings(drain_timeout_s=60),
                stop=stop,
            )

        def run() -> None:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(main())

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: board.get(Slot.API_READY) == 1)
        try:
            yield
        finally:
            loop, stop = entered[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join(timeout=120)

    return running


def started() -> "asyncio.Future[None]":
    """Query workers that are there."""
    workers = asyncio.get_running_loop().create_future()
    workers.set_result(None)
    return workers


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, two minutes at most."""
    pause = threading.Event()
    for _ in range(12000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("the condition did not come true")
