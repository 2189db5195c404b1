"""TLS accept: what an accepted socket is until its client has shaken hands.

It counts as a connection from the first moment, costs nothing dear before the client has said
something, and has as long as the head of a request. A client that speaks plain HTTP is told so.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from weir.errors import InvalidInput, WeirError
from weir.ingest.addresses import address_of
from weir.ingest.http.connection import QUIET_S, Connection

if TYPE_CHECKING:
    import ssl

    from weir.ingest.http.door import Door

HANDSHAKE = 0x16
"""The first byte that a TLS client sends: the record type of a handshake (RFC 8446, 5.1)."""


class TlsAccept(asyncio.Protocol):
    """The protocol object of an accepted socket; a ``Connection`` takes its place."""

    __slots__ = ("_context", "_handshake", "_since", "_transport", "door", "peer")

    def __init__(self, door: Door, context: ssl.SSLContext) -> None:
        self.door = door
        self.peer = ""
        self._context = context
        self._since = door.loop_time()
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = address_of(transport)
        if self.door.enter(self) is not None:
            # To tell it why would take a handshake, which is what a flood would want.
            self.abort()

    def data_received(self, data: bytes) -> None:
        if data[0] == HANDSHAKE:
            self._shake_hands(data)
        elif data[:1].isalpha():
            self._answer_plainly()
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)

    # What the edge and the door call.

    def sweep(self, now: float) -> None:
        """Ends a handshake that takes too long."""
        if now - self._since > self.door.limits.receive_timeout_s:
            self.abort()

    def close_when_idle(self, now: float) -> None:
        """Closes a client that has said nothing for a while; one that has begun may go on."""
        if self._handshake is None and now - self._since > QUIET_S:
            self.abort()

    def give_up(self, error: WeirError) -> None:
        """Drops the connection, with the node: before the handshake nothing can be said."""
        self.abort()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self._handshake is not None:
            self._handshake.cancel()  # else it would end as if it had succeeded
        if self._transport is not None:
            self._transport.abort()

    # Below here: how.

    def _shake_hands(self, first: bytes) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._handshake = loop.create_task(self._let_in(self._transport))
        # Nothing more is read until TLS has taken over. Then comes first what was read already:
        # in the turn of the loop behind the one in which that task begins, before any reading.
        self._transport.pause_reading()
        loop.call_soon(loop.call_soon, _feed, self._transport, first)

    async def _let_in(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        connection = Connection(self.door)
        transport = None
        try:
            with suppress(OSError):  # it left, or was no TLS, or too old: nobody to tell
                transport = await loop.start_tls(
                    plain,
                    connection,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=self.door.limits.receive_timeout_s,
                )
        finally:
            self.door.leave(self)
        if transport is not None:
            connection.connection_made(transport)

    def _answer_plainly(self) -> None:
        assert self._transport is not None
        self.door.leave(self)
        connection = Connection(self.door)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.refuse_and_close(
            InvalidInput("This is plain HTTP, and the port speaks TLS.", hint="Use https://.")
        )


def _feed(transport: asyncio.Transport, received: bytes) -> None:
    """Hands bytes to a protocol as the transport would have done."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    rest = memoryview(received)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        taken = min(len(buffer), len(rest))
        buffer[:taken] = rest[:taken]
        protocol.buffer_updated(taken)
        rest = rest[taken:]
