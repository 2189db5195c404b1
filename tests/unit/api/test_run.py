"""The api process: two sockets, readiness, uptime, an end that lets requests end."""

import asyncio
import contextlib
import http.client
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.unit.api.conftest import started
from weir.api.app import build_app
from weir.api.replies import takes_trailers
from weir.api.run import Served, serve_api
from weir.control import uptime
from weir.control.records import KeyRequest
from weir.control.service import ControlService
from weir.errors import Unavailable
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.sockets import connect_unix, listen_unix
from weir.settings import Settings

LOOPS = [None, uvloop.new_event_loop]


def get(
    directory: Directory, path: str, *, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """One request over the relayed socket."""
    with contextlib.closing(http.client.HTTPConnection("weir")) as connection:
        connection.sock = connect_unix(directory.api_socket, timeout_s=120)
        connection.request(method, path)
        with connection.getresponse() as reply:
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return reply.status, headers, reply.read()


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_both_sockets_are_served_while_the_board_says_ready(
    serve: Any, directory: Directory, board: Board, loop_factory: Any
) -> None:
    """Readiness is told once they accept and taken back at the end."""
    with serve(build_app([]), loop_factory=loop_factory):
        status, headers, _ = get(directory, "/openapi.json")
        assert status == 200
        assert "server" not in headers
        assert stat.S_IMODE(directory.control_socket.stat().st_mode) == 0o600
        connect_unix(directory.control_socket, timeout_s=5).close()
    assert board.get(Slot.API_READY) == 0
    with pytest.raises(OSError, match="refused"):
        connect_unix(directory.api_socket, timeout_s=1)


def test_head_has_no_body_on_the_wire(serve: Any, directory: Directory) -> None:
    """The connection stays in step."""
    with serve(build_app([])):
        raw = connect_unix(directory.api_socket, timeout_s=120)
        raw.sendall(b"HEAD /openapi.json HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: raw.recv(65536), b""))
        raw.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"\r\n\r\n")


def test_broken_off_reply_does_not_look_whole(serve: Any, directory: Directory) -> None:
    """The client sees that bytes are missing."""

    async def break_off(_request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            raise LookupError

        return StreamingResponse(parts())

    with (
        serve(build_app([Route("/break-off", break_off)])),
        pytest.raises(http.client.IncompleteRead),
    ):
        get(directory, "/break-off")


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_trailers_stand_behind_the_last_chunk(
    serve: Any, directory: Directory, loop_factory: Any
) -> None:
    """Of a response that asks for them, none of a HEAD's; the connection stays in step."""

    class Trailed(Response):
        async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
            takes = takes_trailers(scope)
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send({**start, "trailers": takes})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await send({"type": "http.response.body", "body": b"last"})
            if takes:
                await send({"type": "http.response.trailers", "headers": [(b"x-late", b"yes")]})

    async def trailed(_request: Request) -> Response:
        return Trailed()

    app = build_app([Route("/trailed", trailed)])
    asked = b"%s /trailed HTTP/1.1\r\nHost: weir\r\n%s\r\n"
    with serve(app, loop_factory=loop_factory):
        raw = connect_unix(directory.api_socket, timeout_s=120)
        raw.sendall(asked % (b"GET", b"") + asked % (b"HEAD", b""))
        raw.sendall(asked % (b"GET", b"Connection: close\r\n"))
        received = b"".join(iter(lambda: raw.recv(65536), b""))
        raw.close()
    body = b"5\r\nfirst\r\n4\r\nlast\r\n0\r\nx-late: yes\r\n\r\n"
    assert received.count(body) == 2
    assert received.count(b"x-late") == 2
    assert received.count(b"HTTP/1.1 200") == 3
    assert received.endswith(body)


def test_uptime_stands_on_the_board(serve: Any, board: Board) -> None:
    """The first minute is counted at once."""
    with serve(build_app([])):
        wait_for(lambda: board.get(Slot.UPTIME_PPM) == 1_000_000)


def test_disk_that_fails_does_not_end_the_process(
    serve: Any,
    directory: Directory,
    service: ControlService,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is logged, and requests go on."""

    def fail(*_: object, **__: object) -> int:
        raise Unavailable("No.", code="control_unavailable")

    monkeypatch.setattr(uptime.Uptime, "record", fail)
    logged: list[str] = []
    with serve(build_app([])):
        assert get(directory, "/openapi.json")[0] == 200

        def told() -> bool:
            logged.extend(capfd.readouterr())
            return "control_write_failed" in "".join(logged)

        wait_for(told)
        assert service.keys.create(KeyRequest())


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_open_request_ends_before_the_process(
    serve: Any, directory: Directory, board: Board, loop_factory: Any
) -> None:
    """A stop takes no new requests and lets the open one have its answer."""
    begun, go_on = threading.Event(), threading.Event()

    async def slow(_request: Request) -> Response:
        begun.set()
        await asyncio.to_thread(go_on.wait, 120)
        return PlainTextResponse("done")

    with ThreadPoolExecutor(2) as pool:
        with serve(build_app([Route("/slow", slow)]), loop_factory=loop_factory):
            answer = pool.submit(get, directory, "/slow")
            assert begun.wait(120)

            def release() -> None:
                wait_for(lambda: board.get(Slot.API_READY) == 0)
                go_on.set()

            pool.submit(release)
        assert answer.result(timeout=120)[2] == b"done"


def test_failed_server_ends_the_process(
    directory: Directory, board: Board, service: ControlService, clock: Any
) -> None:
    """A listener that cannot be served is an error, not a silent half."""

    async def main() -> None:
        closed, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        closed.close()
        with other:
            await serve_api(
                Served(build_app([]), service, (closed, other), started()),
                board=board,
                clock=clock,
                settings=Settings(),
                stop=asyncio.Event(),
            )

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    assert board.get(Slot.API_READY) == 0


def test_both_sockets_are_served_before_there_are_query_workers(
    directory: Directory, board: Board, service: ControlService, clock: Any
) -> None:
    """Keys can be revoked at once; readiness is told when a query would find a worker."""

    async def main() -> list[int]:
        stop = asyncio.Event()
        workers = asyncio.get_running_loop().create_future()
        listeners = listen_unix(directory.api_socket), listen_unix(directory.control_socket)
        served = Served(build_app([]), service, listeners, workers)
        serving = asyncio.create_task(
            serve_api(served, board=board, clock=clock, settings=Settings(), stop=stop)
        )
        status, _, _ = await asyncio.to_thread(get, directory, "/openapi.json")
        await asyncio.to_thread(connect_unix(directory.control_socket, timeout_s=120).close)
        seen = [status, board.get(Slot.API_READY)]
        workers.set_result(None)
        await asyncio.to_thread(wait_for, lambda: board.get(Slot.API_READY) == 1)
        stop.set()
        await serving
        return seen

    assert asyncio.run(main()) == [200, 0]
    assert board.get(Slot.API_READY) == 0


def test_workers_that_cannot_start_end_the_process(
    directory: Directory, board: Board, service: ControlService, clock: Any
) -> None:
    """The supervisor hears of it and tries again; readiness was never told."""

    async def main() -> None:
        workers = asyncio.get_running_loop().create_future()
        workers.set_exception(Unavailable("No worker could be started."))
        listeners = listen_unix(directory.api_socket), listen_unix(directory.control_socket)
        await serve_api(
            Served(build_app([]), service, listeners, workers),
            board=board,
            clock=clock,
            settings=Settings(),
            stop=asyncio.Event(),
        )

    with pytest.raises(Unavailable):
        asyncio.run(main())
    assert board.get(Slot.API_READY) == 0


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits for a condition, two minutes at most."""
    pause = threading.Event()
    for _ in range(12000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("the condition did not come true")
