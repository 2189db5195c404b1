"""Requests that are not ingest, passed to the api process over its Unix socket, one by one.

Pooled proxies mix requests of many clients on one connection, so the choice is made for each
request. The answer streams through; its order among the connection's answers is kept by starting
a relayed request only when it is first in line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from weir.errors import Unavailable
from weir.ingest.addresses import client_behind
from weir.ingest.http.responses import CLOSE, KEEP_ALIVE, status_line
from weir.node.sockets import connect_unix
from weir.telemetry import Happening, emit

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from weir.domain.networks import Network
    from weir.ingest.http.exchange import Exchange

SLACK_S = 10.0
"""An answer begins at the latest so long after the slowest query must have ended."""

CLIENT_ADDRESS_HEADER = b"x-weir-client-address"

_NOT_FORWARDED = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"expect", b"content-length", CLIENT_ADDRESS_HEADER,
}  # fmt: skip
_NOT_RETURNED = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
"""Where an answer has no chunks, its trailers have no place, and their announcement goes too."""


class Relay:
    """The way to the api process."""

    __slots__ = ("_begins_within_s", "_loop", "_opening", "_path", "_trusted")

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        *,
        query_timeout_s: float,
        trusted: tuple[Network, ...],
    ) -> None:
        self._path = path
        self._loop = loop
        self._opening: set[asyncio.Task[None]] = set()
        self._begins_within_s = query_timeout_s + SLACK_S
        self._trusted = trusted

    def pass_on(self, exchange: Exchange) -> None:
        """Relays the request as soon as its answer may be written."""
        exchange.start = lambda: self._begin(exchange)
        exchange.connection.begin_when_first(exchange)

    def _begin(self, exchange: Exchange) -> None:
        try:
            upstream = connect_unix(self._path, timeout_s=0)
        except OSError as error:
            _refuse(exchange, type(error).__name__)
            return
        protocol = _Upstream(exchange, self._trusted, begins_within_s=self._begins_within_s)
        exchange.cancel = protocol.cancel
        # Never cancelled: an event loop that gives up here may begin a connection and not end it.
        opening = self._loop.create_task(self._open(protocol, upstream))
        self._opening.add(opening)  # the loop itself knows tasks by weak references alone
        opening.add_done_callback(self._opening.discard)

    async def _open(self, protocol: _Upstream, upstream: socket.socket) -> None:
        try:
            await self._loop.create_connection(lambda: protocol, sock=upstream)
        except OSError as error:
            upstream.close()
            protocol.fail(type(error).__name__)
        except asyncio.CancelledError:  # the worker ends
            upstream.close()
            raise


class _Upstream(asyncio.Protocol):
    """One relayed request: sends it, and passes the answer's parts to the client."""

    __slots__ = (
        "_begins_within_s",
        "_deadline",
        "_exchange",
        "_has_answer",
        "_headers",
        "_is_chunked",
        "_is_done",
        "_parser",
        "_trailers",
        "_transport",
        "_trusted",
    )

    def __init__(
        self, exchange: Exchange, trusted: tuple[Network, ...], *, begins_within_s: float
    ) -> None:
        self._exchange = exchange
        self._trusted = trusted
        self._begins_within_s = begins_within_s
        self._deadline: asyncio.TimerHandle | None = None
        self._parser: httptools.HttpResponseParser
        self._transport: asyncio.Transport | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._has_answer = False
        self._is_chunked = False
        self._is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport = cast("asyncio.Transport", transport)
        if self._is_done:  # the client has left already; the loop has yet to finish this
            asyncio.get_running_loop().call_soon(self._transport.abort)
            return
        self._exchange.connection.follow(self._transport)
        self._transport.write(_request_bytes(self._exchange, self._trusted))
        self._deadline = asyncio.get_running_loop().call_later(
            self._begins_within_s, self._break, "no answer in time"
        )

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break("malformed answer")

    def connection_lost(self, exc: Exception | None) -> None:
        del self._parser  # it leads back here: without it nothing waits for the collector
        if not self._is_done:
            self._break("connection lost")

    def cancel(self) -> None:
        """Ends the connection to the api process, which so learns that the client left."""
        self._let_go()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, reason: str) -> None:
        """The api process could not be reached."""
        if not self._is_done:
            self._let_go()
            _refuse(self._exchange, reason)

    def on_header(self, name: bytes, value: bytes) -> None:
        (self._trailers if self._has_answer else self._headers).append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        exchange = self._exchange
        self._has_answer = True
        self._stop_clock()
        has_length = any(name.lower() == b"content-length" for name, _ in self._headers)
        has_body = exchange.head.method != b"HEAD" and status not in (204, 304)
        self._is_chunked = has_body and not has_length and not exchange.head.is_old
        if has_body and not has_length and exchange.head.is_old:
            exchange.is_last = True
        dropped = _NOT_RETURNED if self._is_chunked else {*_NOT_RETURNED, b"trailer"}
        lines = [
            b"%s: %s\r\n" % (name, value)
            for name, value in self._headers
            if name.lower() not in dropped
        ]
        if self._is_chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if exchange.connection.ends_with(exchange):
            lines.append(CLOSE)
        elif exchange.head.is_old:
            lines.append(KEEP_ALIVE)
        exchange.connection.door.note_status(status)
        exchange.connection.stream(status_line(status) + b"".join(lines) + b"\r\n")
        if not has_body:
            self._finish()

    def on_body(self, body: bytes) -> None:
        if self._is_done:
            return
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if self._is_chunked else body
        self._exchange.connection.stream(chunk)

    def on_message_complete(self) -> None:
        if not self._is_done:
            self._finish()

    def _finish(self) -> None:
        self._let_go()
        if self._transport is not None:
            self._transport.close()
        self._exchange.connection.finish(self._exchange, self._last_chunk())

    def _last_chunk(self) -> bytes:
        """What ends a chunked answer: its trailers as they came; nothing for another one."""
        if not self._is_chunked:
            return b""
        lines = [b"%s: %s\r\n" % trailer for trailer in self._trailers]
        return b"0\r\n" + b"".join(lines) + b"\r\n"

    def _break(self, reason: str) -> None:
        self._let_go()
        if self._transport is not None:
            self._transport.abort()
        if self._has_answer:
            # The client must see that the body is not whole.
            emit(Happening.RELAY_FAILED, reason=reason)
            self._exchange.connection.abort()
        else:
            _refuse(self._exchange, reason)

    def _let_go(self) -> None:
        self._is_done = True
        self._stop_clock()
        self._exchange.cancel = None
        self._exchange.connection.follow(None)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refuse(exchange: Exchange, reason: str) -> None:
    emit(Happening.RELAY_FAILED, reason=reason)
    exchange.connection.door.refuse(
        exchange, Unavailable("The node cannot answer this now.", retry_after_s=1)
    )


def _request_bytes(exchange: Exchange, trusted: tuple[Network, ...]) -> bytes:
    body = exchange.body
    forwarded = exchange.head.headers.get(b"x-forwarded-for", b"")
    client = client_behind(exchange.connection.peer, forwarded, trusted=trusted)
    lines = [b"%s %s HTTP/1.1\r\n" % (exchange.head.method, exchange.head.target)]
    lines.extend(
        b"%s: %s\r\n" % (name, value)
        for name, value in exchange.head.headers.items()
        if name not in _NOT_FORWARDED
    )
    if b"host" not in exchange.head.headers:
        lines.append(b"host: localhost\r\n")
    lines.append(
        b"%s: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        % (CLIENT_ADDRESS_HEADER, client.encode(), len(body))
    )
    lines.append(body)
    return b"".join(lines)
