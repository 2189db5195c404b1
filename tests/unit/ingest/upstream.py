"""A stand-in for the api process: answers on its socket as the path of a request asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from weir.node.sockets import listen_unix

FLOOD_PIECE = bytes(65536)


class Request(msgspec.Struct):
    """What arrived at the stand-in, as text so that it can be echoed."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: str


class Upstream:
    """One request a connection, as the relay promises.

    ``/echo`` tells what it got; ``/stream/N`` sends N chunks, ``/trailed/N`` trailers behind them;
    ``/sized`` sends a Content-Length;
    ``/none`` is a 204; ``/gone`` closes without a word; ``/torn`` dies midway; ``/garbage`` is no
    HTTP; ``/hang`` says nothing until ``let_go``; ``/flood`` sends until nobody takes it.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lost = threading.Semaphore(0)
        """Released once for every connection that the relay closed before its answer was whole."""
        self.flooded_bytes = 0
        self._let_go = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, path: Path) -> None:
        """Listens at the path of the api process."""
        self._server = await asyncio.start_unix_server(self._accept, sock=listen_unix(path))

    async def end(self) -> None:
        """Closes whatever is open."""
        self._let_go.set()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def let_go(self) -> None:
        """Lets the requests for ``/hang`` be answered; to be called on the loop."""
        self._let_go.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            request = await _read(reader)
            self.requests.append(request)
            name = request.target.partition("?")[0].split("/")[1]
            await self._answers().get(name, self._echo)(request, reader, writer)
            with suppress(ConnectionError):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.lost.release()
        finally:
            writer.close()

    def _answers(self) -> dict[str, _Answer]:
        return {
            "stream": self._stream,
            "trailed": self._trailed,
            "sized": self._sized,
            "none": self._none,
            "gone": self._gone,
            "torn": self._torn,
            "garbage": self._garbage,
            "hang": self._hang,
            "flood": self._flood,
        }

    async def _echo(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        body = b"" if request.method == "HEAD" else msgspec.json.encode(request)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Api: yes\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (len(msgspec.json.encode(request)), body)
        )

    async def _stream(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await _write_chunks(request, writer)
        writer.write(b"0\r\n\r\n")

    async def _trailed(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTrailer: X-Own, X-Other\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        await _write_chunks(request, writer)
        writer.write(b"0\r\nX-Own: known late\r\nX-Other: 2\r\n\r\n")

    async def _sized(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\n\r\nshort")

    async def _none(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def _gone(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Closes without an answer."""

    async def _torn(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")

    async def _garbage(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"no HTTP at all\r\n\r\n")

    async def _hang(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        gone = asyncio.ensure_future(reader.read())
        free = asyncio.ensure_future(self._let_go.wait())
        try:
            await asyncio.wait([gone, free], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ConnectionResetError
            await self._sized(request, reader, writer)
        finally:
            gone.cancel()
            free.cancel()

    async def _flood(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(FLOOD_PIECE), FLOOD_PIECE))
            await writer.drain()
            self.flooded_bytes += len(FLOOD_PIECE)


_Answer = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _write_chunks(request: Request, writer: asyncio.StreamWriter) -> None:
    for number in range(int(request.target.split("/")[2])):
        piece = b"%d " % number
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head[:-4].split("\r\n")
    method, target, _ = line.split(" ")
    headers = [(text.partition(": ")[0], text.partition(": ")[2]) for text in lines]
    length = int(dict(headers).get("content-length", "0"))
    body = await reader.readexactly(length)
    return Request(method, target, headers, body.decode("latin-1"))
