"""One client's connection: HTTP/1 over httptools, requests in, answers out in request order.

No task and no future per request. A request is handed to the door when it is complete; what the
door answers is written when every earlier request of the connection has been answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from weir.errors import InvalidInput, WeirError
from weir.ingest.addresses import address_of
from weir.ingest.http.exchange import Exchange
from weir.ingest.http.head import HEAD_BYTES_MAX, NO_HEAD, Head, without_upgrade
from weir.ingest.http.pipeline import Pipeline
from weir.ingest.http.reading import HeadReader
from weir.ingest.http.receive_rate import ReceiveRate, receive_rate
from weir.ingest.http.refusals import RequestTimeout, body_too_large, headers_too_large
from weir.ingest.http.responses import CONTINUE
from weir.ingest.in_flight import UNKNOWN_SENDER, overloaded

if TYPE_CHECKING:
    from weir.ingest.http.door import Door

LINGER_S = 2.0
"""How long an early refusal waits for the client to stop sending, so that it is read."""

QUIET_S = 0.5
"""Without a request for so long, a client of a draining node is taken to be idle."""

HEAD_SLACK_BYTES = 262144
"""One read of the socket: it may hold the end of one request and the start of the next."""


class Connection(asyncio.Protocol):
    """The protocol object that the event loop makes for every accepted socket."""

    __slots__ = (
        "_arrived_bytes",
        "_current",
        "_ends_at",
        "_expects_continue",
        "_head_fed",
        "_idle_since",
        "_ignores_input",
        "_is_paused",
        "_last_head",
        "_parser",
        "_pipeline",
        "_reading",
        "_receiving_since",
        "_refusal",
        "_source",
        "_transport",
        "_write_blocked_since",
        "door",
        "peer",
    )

    def __init__(self, door: Door) -> None:
        self.door = door
        self.peer = ""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._pipeline = Pipeline(door.take)
        self._current: Exchange | None = None
        self._refusal: WeirError | None = None
        self._head_fed = 0
        self._reading = HeadReader(door.limits)
        self._ignores_input = False
        """Whatever still arrives is not listened to: the answers under way are the last."""
        self._expects_continue = False
        """The client waits for a 100, which may leave only behind the earlier answers."""
        self._is_paused = False
        self._last_head: Head | None = None
        """The head of the last request that was complete in what was just read."""
        self._receiving_since: float | None = None
        """When the window began that the request being received is in (see ``receive_rate``)."""
        self._arrived_bytes = 0
        """Bytes of that request's body that had arrived before the window began."""
        self._idle_since = door.loop_time()
        self._ends_at: float | None = None
        """When the connection is dropped, whatever has not left by then."""
        self._write_blocked_since: float | None = None
        self._source: asyncio.Transport | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = address_of(transport)
        refusal = self.door.enter(self)
        if refusal is not None:
            self.refuse_and_close(refusal)
            self._close()  # a flood of such is not to be waited for

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        del self._parser  # it leads back here: without it nothing waits for the collector
        self.door.leave(self)
        abandoned = [*self._pipeline.drop(), *([self._current] if self._current else [])]
        self._current = None
        for exchange in abandoned:
            if not exchange.will_finish:
                self.door.release(exchange)
            cancel, exchange.cancel, exchange.start = exchange.cancel, None, None
            if cancel is not None:
                cancel()

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        is_boundary = self._current is None
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4 if is_boundary else 3
        if end > 3:
            known = self.door.heads.recall(data[:end])
            if known is not None and known.body_bytes == len(data) - end:
                self._take_known(known.head, data[end:])
                return
        if self._receiving_since is None:
            self._receiving_since = self.door.loop_time()
        self._feed(data)
        if self._refusal is not None and not self._ignores_input:
            self.refuse_and_close(self._refusal)
        elif self._current is None:
            self._receiving_since = None
            if end > 3 and self._last_head is not None:
                self._remember(data, end)
        else:
            self._note_unfinished(len(data))

    def eof_received(self) -> bool:
        # A half-closed client still reads what it asked for. But one that waits for a relayed
        # answer has most likely left, and its query must not go on for nobody.
        line = self._pipeline.exchanges
        if not line or line[0].cancel is not None:
            return False
        line[-1].is_last = True
        self._receiving_since = None
        # With TLS nothing can be sent to a client that has closed its side.
        return self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._write_blocked_since = self.door.loop_time()
        self._pause()
        if self._source is not None:
            self._source.pause_reading()

    def resume_writing(self) -> None:
        self._write_blocked_since = None
        self._resume()
        if self._source is not None:
            self._source.resume_reading()

    # What the parser calls; an error raised here ends the parsing and is answered.

    def on_message_begin(self) -> None:
        self._current = Exchange(self)
        self._arrived_bytes = 0
        self._expects_continue = False
        self._reading = HeadReader(self.door.limits)
        self._head_fed = 0

    def on_url(self, url: bytes) -> None:
        self._reading.add_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reading.add_header(name, value)

    def on_headers_complete(self) -> None:
        exchange = self._current
        assert exchange is not None
        version = self._parser.get_http_version()
        head = self._reading.complete(self._parser.get_method(), version=version)
        exchange.head = head
        self._reading.check(head, version=version)
        self.door.check_head(exchange)
        if self._head_fed:  # it came in parts; the body has time of its own
            self._receiving_since = self.door.loop_time()
        if b"expect" in head.headers and not head.is_old:
            self._go_ahead()

    def on_body(self, body: bytes) -> None:
        exchange = self._current
        assert exchange is not None
        if exchange.body_bytes + len(body) > self.door.limits.body_bytes_max:
            raise body_too_large(self.door.limits.body_bytes_max)
        if not self.door.reserve(len(body), exchange.tenant_id):
            raise overloaded()
        exchange.add(body)

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return  # see _feed
        exchange = self._current
        assert exchange is not None
        self._current = None
        self._expects_continue = False  # the body came unasked
        self._receiving_since = None
        if self._ignores_input:
            self.door.release(exchange)
            return
        if not self._parser.should_keep_alive():
            exchange.is_last = True
            self._ignores_input = True
        self._last_head = None if exchange.tenant_id == UNKNOWN_SENDER else exchange.head
        self._enqueue(exchange)

    # What the door calls.

    @property
    def is_idle(self) -> bool:
        return not self._pipeline.exchanges and self._current is None

    def pause_requests(self) -> None:
        """Keeps later requests waiting, in order, because the one just taken is decided later."""
        self._pipeline.pause_requests()

    def resume_requests(self) -> None:
        """Takes the requests that waited since ``pause_requests``."""
        self._pipeline.resume_requests()

    def finish(self, exchange: Exchange, output: bytes) -> None:
        """Ends the exchange's answer; ``output`` is what of it was not yet written."""
        self.door.release(exchange)
        if exchange.output is not None:
            return
        exchange.output = output
        if self._transport is None or not self._pipeline.is_next(exchange):
            return
        self._flush(self._transport)
        waiting = len(self._pipeline.exchanges)
        if self._is_paused and waiting < self.door.limits.pipelined_requests_max:
            self._resume()

    def ends_with(self, exchange: Exchange) -> bool:
        """Whether this is the connection's last answer, so that it has to say so.

        On a draining node it is when nothing later was received; from then on nothing is.
        """
        line = self._pipeline.exchanges
        if self.door.is_draining and line and line[-1] is exchange:
            exchange.is_last = self._ignores_input = exchange.is_last or self._current is None
        return exchange.is_last

    def begin_when_first(self, exchange: Exchange) -> None:
        """Calls ``exchange.start`` at once or when the earlier requests are answered."""
        self._pipeline.begin_when_first(exchange)

    def stream(self, output: bytes) -> None:
        """Writes a part of the answer of the first exchange in line."""
        if self._transport is not None:
            self._pipeline.exchanges[0].has_begun = True
            self._transport.write(output)

    def follow(self, source: asyncio.Transport | None) -> None:
        """Streams from ``source`` only as fast as the client reads; None: no longer."""
        self._source = source
        if source is not None and self._write_blocked_since is not None:
            source.pause_reading()

    def close_when_idle(self, now: float) -> None:
        """Closes a client that has been quiet for a while, because the node drains.

        One that is busy learns from its next answer that it is the last; closing between two of
        its requests would reset the second.
        """
        is_quiet = self.is_idle and now - self._idle_since > QUIET_S
        if is_quiet and self._transport is not None and self._ends_at is None:
            self._close()

    def give_up(self, error: WeirError) -> None:
        """Ends with the node: refuses a relayed request without an answer, breaks all else."""
        first = self._pipeline.exchanges[0] if self._pipeline.exchanges else None
        if first is None or first.cancel is None or first.has_begun:
            self.abort()
            return
        first.cancel()
        first.cancel = None
        self.door.refuse(first, error)
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Ends what took too long; called about twice a second."""
        limits = self.door.limits
        if self._transport is None:
            return
        if self._ends_at is not None:
            if now > self._ends_at:
                self._transport.abort()
        elif self._write_blocked_since is not None:
            if now - self._write_blocked_since > limits.receive_timeout_s:
                self._transport.abort()
        elif self._receiving_since is not None:
            if not self._is_paused:
                self._check_rate(now - self._receiving_since)
        elif self.is_idle and now - self._idle_since > limits.keepalive_timeout_s:
            self._close()

    def refuse_and_close(self, error: WeirError) -> None:
        """Answers with an error instead of reading on; the answer is the connection's last."""
        self._refusal = error
        self._ignores_input = True
        self._receiving_since = None
        exchange = self._current or Exchange(self)
        self._current = None
        exchange.is_last = True
        self._pipeline.exchanges.append(exchange)
        self.door.refuse_unread(exchange, error)

    # Below here: how.

    def _feed(self, received: bytes) -> None:
        self._last_head = None
        rest = memoryview(received)
        try:
            while rest:
                rest = self._parse(rest)
        except httptools.HttpParserCallbackError as failure:
            error = failure.__context__
            if not isinstance(error, WeirError):
                raise
            self._refusal = error.without_frames()
        except httptools.HttpParserError:
            self._refusal = InvalidInput("The request is not valid HTTP/1.1.")
        except WeirError as error:
            self._refusal = error.without_frames()

    def _parse(self, received: memoryview) -> memoryview:
        """Returns what is to be parsed next: nothing, or a request that had asked for an upgrade.

        The parser leaves off behind a head with Upgrade, also when a body follows (curl --http2
        sends such), and would take the body for the other protocol. So the request is read again
        as if it had not asked.
        """
        try:
            self._parser.feed_data(received)
        except httptools.HttpParserUpgrade as upgrade:
            asking = self._current
            assert asking is not None
            if asking.head.method == b"CONNECT":
                raise InvalidInput("This is no proxy: CONNECT is not answered.") from None
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(without_upgrade(asking.head))
            return received[upgrade.args[0] :]
        return received[:0]

    def _check_rate(self, elapsed_s: float) -> None:
        limits = self.door.limits
        arrived_bytes = self._current.body_bytes if self._current else 0
        rate = receive_rate(
            elapsed_s,
            arrived_bytes - self._arrived_bytes,
            window_s=limits.receive_timeout_s,
            bytes_per_s_min=limits.body_bytes_per_s_min,
        )
        if rate is ReceiveRate.TOO_SLOW:
            self.refuse_and_close(RequestTimeout("The request did not arrive in time."))
        elif rate is ReceiveRate.KEPT:
            self._receiving_since = self.door.loop_time()
            self._arrived_bytes = arrived_bytes

    def _note_unfinished(self, bytes_read: int) -> None:
        """A request is not yet whole: its time runs, and its head may not go on for ever."""
        if self._receiving_since is None:
            self._receiving_since = self.door.loop_time()
        assert self._current is not None
        if self._current.head is not NO_HEAD:
            return
        limits = self.door.limits
        self._head_fed += bytes_read
        bound = limits.header_bytes_max + limits.target_bytes_max + HEAD_SLACK_BYTES
        if self._head_fed > bound:
            self.refuse_and_close(headers_too_large())

    def _remember(self, received: bytes, end: int) -> None:
        """Keeps the head of a request that was alone in what was read, and whole."""
        head = self._last_head
        if head is not None and head.content_length == len(received) - end:
            self.door.heads.remember(received[:end], head)

    def _take_known(self, head: Head, body: bytes) -> None:
        """A whole request whose head was parsed before."""
        exchange = Exchange(self)
        exchange.head = head
        if not self.door.reserve(len(body)):
            self._current = exchange
            self.refuse_and_close(overloaded())
            return
        exchange.body_bytes = len(body)
        exchange.parts = [body]
        self._enqueue(exchange)

    def _enqueue(self, exchange: Exchange) -> None:
        pipeline = self._pipeline
        pipeline.exchanges.append(exchange)
        if len(pipeline.exchanges) >= self.door.limits.pipelined_requests_max:
            self._pause()
        pipeline.begin(exchange)

    def _flush(self, transport: asyncio.Transport) -> None:
        """Writes the answers whose turn it is, and what is due once none is waited for."""
        if self._pipeline.flush(transport) is not None:
            self._end()
        elif not self._pipeline.exchanges:
            self._idle_since = self.door.loop_time()
            if self._expects_continue:
                self._expects_continue = False
                transport.write(CONTINUE)

    def _end(self) -> None:
        if self._refusal is None:
            self._close()
            return
        # The client may still be sending: closing now would reset the answer away.
        assert self._transport is not None
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._ends_at = self.door.loop_time() + LINGER_S
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def _close(self) -> None:
        """Closes once everything has left; a client that does not read it has limited time."""
        assert self._transport is not None
        self._ends_at = self.door.loop_time() + self.door.limits.receive_timeout_s
        self._transport.close()

    def _go_ahead(self) -> None:
        """Tells a client that asked first to send the body, once the earlier answers have left."""
        if self._pipeline.exchanges:
            self._expects_continue = True
        elif self._transport is not None:
            self._transport.write(CONTINUE)

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None and self._write_blocked_since is None:
            self._is_paused = False
            self._transport.resume_reading()
            if self._receiving_since is not None:
                self._receiving_since = self.door.loop_time()
