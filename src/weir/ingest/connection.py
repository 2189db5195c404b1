"""One client's connection: HTTP/1 over httptools, requests in, answers out in request order.

No task and no future per request. A request is handed to the door when it is complete; what the
door answers is written when every earlier request of the connection has been answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from weir.errors import InvalidInput, LimitExceeded, Unavailable, WeirError
from weir.ingest.body import BodyTooLarge
from weir.ingest.exchange import Exchange
from weir.ingest.head import HEAD_BYTES_MAX, NO_HEAD, Head
from weir.ingest.responses import CONTINUE

if TYPE_CHECKING:
    from weir.ingest.door import Door

LINGER_S = 2.0
"""How long an early refusal waits for the client to stop sending, so that it is read."""

HEAD_SLACK_BYTES = 262144
"""One read of the socket: it may hold the end of one request and the start of the next."""


class HeadersTooLarge(LimitExceeded):
    """Request line or headers over their limits."""

    status = 431
    default_code = "headers_too_large"


class TargetTooLong(LimitExceeded):
    """The request target is over its limit."""

    status = 414
    default_code = "target_too_long"


class RequestTimeout(LimitExceeded):
    """The request did not arrive whole in time."""

    status = 408
    default_code = "request_timeout"


class Connection(asyncio.Protocol):
    """The protocol object that the event loop makes for every accepted socket."""

    __slots__ = (
        "_current",
        "_discards_until",
        "_head_bytes",
        "_head_fed",
        "_header_count",
        "_headers",
        "_idle_since",
        "_is_deaf",
        "_is_held",
        "_is_paused",
        "_last_head",
        "_line",
        "_parser",
        "_receiving_since",
        "_refusal",
        "_source",
        "_target",
        "_transport",
        "_waiting",
        "_write_blocked_since",
        "door",
        "peer",
    )

    def __init__(self, door: Door) -> None:
        self.door = door
        self.peer = ""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._line: deque[Exchange] = deque()
        self._waiting: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._refusal: WeirError | None = None
        self._head_bytes = 0
        self._head_fed = 0
        self._header_count = 0
        self._headers: dict[bytes, bytes] = {}
        self._target = b""
        self._is_deaf = False
        """Whatever still arrives is not listened to: the answers under way are the last."""
        self._is_held = False
        self._is_paused = False
        self._last_head: Head | None = None
        """Of the last request that was complete in what was just read."""
        self._receiving_since: float | None = None
        self._idle_since = door.loop_time()
        self._discards_until: float | None = None
        self._write_blocked_since: float | None = None
        self._source: asyncio.Transport | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        if not self.door.enter(self):
            self._refuse_early(Unavailable("Too many connections.", retry_after_s=1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.door.leave(self)
        abandoned = [*self._line, *([self._current] if self._current else [])]
        self._line.clear()
        self._waiting.clear()
        for exchange in abandoned:
            self.door.release(exchange)
            if exchange.cancel is not None:
                exchange.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
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
        if self._refusal is not None and not self._is_deaf:
            self._refuse_early(self._refusal)
        elif self._current is None:
            self._receiving_since = None
            if end > 3 and self._last_head is not None:
                self._remember(data, end)
        elif self._current.head is NO_HEAD:
            self._head_fed += len(data)
            self._check_head()

    def eof_received(self) -> bool:
        # A half-closed client still reads what it asked for.
        if self._line or self._waiting:
            last = (self._waiting or self._line)[-1]
            last.is_last = True
            return True
        return False

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

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._current = Exchange(self)
        self._target = b""
        self._headers = {}
        self._head_bytes = 0
        self._head_fed = 0
        self._header_count = 0

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self.door.settings.target_bytes_max:
            self._refusal = TargetTooLong("The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value)
        headers = self._headers
        key = name.lower()
        if key not in headers:
            headers[key] = value
        elif key in _SINGLE:
            self._refusal = InvalidInput(f"The header {key.decode('latin-1')} is repeated.")
        else:
            headers[key] += b", " + value

    def on_headers_complete(self) -> None:
        exchange = self._current
        assert exchange is not None
        head = exchange.head = Head(
            self._parser.get_method(),
            self._target,
            self._target.partition(b"?")[0],
            self._headers,
            self._parser.get_http_version() != "1.1",
        )
        self._check_head()
        if not head.is_old and b"host" not in head.headers:
            self._refusal = InvalidInput("The Host header is missing.")
        length = head.content_length
        if length is not None and length > self.door.settings.body_bytes_max:
            self._refusal = self._body_too_large()
        expectation = head.headers.get(b"expect")
        if expectation is not None:
            self._expect(head, expectation)

    def on_body(self, body: bytes) -> None:
        exchange = self._current
        assert exchange is not None
        if self._refusal is not None:
            return
        exchange.body_bytes += len(body)
        if exchange.body_bytes > self.door.settings.body_bytes_max:
            self._refusal = self._body_too_large()
            return
        if not self.door.reserve(len(body)):
            self._refusal = Unavailable("The node is overloaded.", retry_after_s=1)
            exchange.body_bytes -= len(body)
            return
        exchange.parts.append(body)

    def on_message_complete(self) -> None:
        exchange = self._current
        assert exchange is not None
        if self._refusal is not None:
            return
        self._current = None
        self._receiving_since = None
        if self._is_deaf:
            self.door.release(exchange)
            return
        if not self._parser.should_keep_alive():
            exchange.is_last = True
            self._is_deaf = True
        self._last_head = exchange.head
        self._enqueue(exchange)

    # What the door calls.

    @property
    def is_idle(self) -> bool:
        return not self._line and self._current is None

    def hold(self) -> None:
        """The request just taken is worked on elsewhere: later ones wait, to keep their order."""
        self._is_held = True

    def unhold(self) -> None:
        """The inverse of ``hold``; takes the requests that waited."""
        self._is_held = False
        while self._waiting and not self._is_held:
            self.door.take(self._waiting.popleft())

    def finish(self, exchange: Exchange, output: bytes) -> None:
        """The exchange's answer is complete; ``output`` is what of it was not yet written."""
        self.door.release(exchange)
        exchange.output = output
        if self._transport is None or self._line[0] is not exchange:
            return
        self._flush()
        if self._is_paused and len(self._line) < self.door.settings.pipelined_requests_max:
            self._resume()

    def begin_when_first(self, exchange: Exchange) -> None:
        """Calls ``exchange.start`` at once or when the earlier requests are answered."""
        if self._line[0] is exchange:
            self._start(exchange)

    def stream(self, output: bytes) -> None:
        """Writes a part of the answer of the first exchange in line."""
        if self._transport is not None:
            self._transport.write(output)

    def follow(self, source: asyncio.Transport | None) -> None:
        """Streams from ``source`` only as fast as the client reads; None: no longer."""
        self._source = source
        if source is not None and self._write_blocked_since is not None:
            source.pause_reading()

    def close_when_idle(self) -> None:
        """For a draining node: close now if nothing is under way, else after the answers."""
        if self.is_idle and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Ends what took too long; called about twice a second."""
        settings = self.door.settings
        if self._transport is None:
            return
        if self._discards_until is not None:
            if now > self._discards_until:
                self._transport.close()
        elif self._receiving_since is not None:
            if now - self._receiving_since > settings.receive_timeout_s:
                self._refuse_early(RequestTimeout("The request did not arrive in time."))
        elif self._write_blocked_since is not None:
            if now - self._write_blocked_since > settings.receive_timeout_s:
                self._transport.abort()
        elif self.is_idle and now - self._idle_since > settings.keepalive_timeout_s:
            self._transport.close()

    # Below here: how.

    def _feed(self, data: bytes) -> None:
        self._last_head = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stop_listening()
        except httptools.HttpParserError:
            self._refusal = self._refusal or InvalidInput("The request is not valid HTTP/1.1.")

    def _remember(self, data: bytes, end: int) -> None:
        """Keeps the head of a request that was alone in what was read, and whole."""
        head = self._last_head
        if head is not None and head.content_length == len(data) - end:
            self.door.heads.remember(data[:end], head)

    def _take_known(self, head: Head, body: bytes) -> None:
        """A whole request whose head was parsed before."""
        exchange = Exchange(self)
        exchange.head = head
        if not self.door.reserve(len(body)):
            self._current = exchange
            self._refuse_early(Unavailable("The node is overloaded.", retry_after_s=1))
            return
        exchange.body_bytes = len(body)
        exchange.parts = [body]
        self._enqueue(exchange)

    def _enqueue(self, exchange: Exchange) -> None:
        self._line.append(exchange)
        if len(self._line) >= self.door.settings.pipelined_requests_max:
            self._pause()
        if self._is_held:
            self._waiting.append(exchange)
        else:
            self.door.take(exchange)

    def _flush(self) -> None:
        line = self._line
        transport = self._transport
        assert transport is not None
        while line and line[0].output is not None:
            exchange = line.popleft()
            output = exchange.output
            if output:
                transport.write(output)
            if exchange.is_last:
                self._end()
                return
        if line and line[0].start is not None:
            self._start(line[0])
        if not line:
            self._idle_since = self.door.loop_time()

    def _start(self, exchange: Exchange) -> None:
        start = exchange.start
        if start is not None:
            exchange.start = None
            start()

    def _end(self) -> None:
        assert self._transport is not None
        if self._refusal is None:
            self._transport.close()
            return
        # The client may still be sending: closing now would reset the answer away.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._discards_until = self.door.loop_time() + LINGER_S

    def _stop_listening(self) -> None:
        """After an Upgrade the bytes have another meaning, so that none more is parsed."""
        self._is_deaf = True
        if self._line:
            self._line[-1].is_last = True
        elif self._transport is not None:
            self._transport.close()

    def _refuse_early(self, error: WeirError) -> None:
        self._refusal = error
        self._is_deaf = True
        self._receiving_since = None
        exchange = self._current or Exchange(self)
        self._current = None
        exchange.is_last = True
        self._line.append(exchange)
        self.door.refuse(exchange, error)

    def _expect(self, head: Head, expectation: bytes) -> None:
        if expectation.lower() != b"100-continue":
            self._refusal = ExpectationFailed("This expectation cannot be met.")
        elif self._refusal is None and not head.is_old and not self._line:
            self.stream(CONTINUE)

    def _check_head(self) -> None:
        settings = self.door.settings
        fed_max = settings.header_bytes_max + settings.target_bytes_max + HEAD_SLACK_BYTES
        if (
            self._header_count > settings.header_count_max
            or self._head_bytes > settings.header_bytes_max
            or self._head_fed > fed_max
        ):
            self._refusal = HeadersTooLarge("The request's headers are too large.")

    def _body_too_large(self) -> BodyTooLarge:
        limit = self.door.settings.body_bytes_max
        return BodyTooLarge(f"The body is larger than {limit} bytes.")

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None and self._write_blocked_since is None:
            self._is_paused = False
            self._transport.resume_reading()


class ExpectationFailed(WeirError):
    """An Expect header other than 100-continue."""

    status = 417
    default_code = "expectation_failed"


_SINGLE = {
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"authorization",
    b"x-api-key",
    b"content-encoding",
    b"content-type",
    b"expect",
}
