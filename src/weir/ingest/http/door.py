"""The door: which part of an edge worker a request is for, and the bytes of its answer.

One instance per edge worker. An ingest request gets its route, its sender and its body from the
head here and is the intake's then (``ingest/intake.py``), until it is answered or refused. What is
not ingest is relayed to the api process, but for the paths that the worker answers itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weir.dialects.replies import render_error
from weir.domain.frame import FrameFlag
from weir.errors import Internal, NotFound, Unavailable, WeirError
from weir.ingest.encodings import encoding_of
from weir.ingest.http.head import HeadMemory, is_backfill, wants_server_time
from weir.ingest.http.refusals import MethodNotAllowed
from weir.ingest.http.responses import (
    CLOSE,
    KEEP_ALIVE,
    cors_headers,
    date_line,
    header_line,
    preflight_headers,
    render_empty,
    render_json,
    window_headers,
)
from weir.ingest.in_flight import UNKNOWN_SENDER
from weir.telemetry import Happening, emit

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from weir.clock import Clock
    from weir.dialects.port import IngestRoute, Reply
    from weir.ingest.addresses import Addresses
    from weir.ingest.authentication import Sender
    from weir.ingest.counters import Counters
    from weir.ingest.http.credentials import Credentials
    from weir.ingest.http.exchange import ClientSocket, Exchange
    from weir.ingest.http.refusals import HttpLimits
    from weir.ingest.http.routing import Routing
    from weir.ingest.in_flight import InFlightBudget
    from weir.ingest.intake import Intake


class Handlers(NamedTuple):
    """Who handles the requests of a door, and where each of them goes."""

    routing: Routing
    credentials: Credentials
    intake: Intake
    local: Mapping[bytes, Callable[[], Reply]]
    """Paths that the worker answers itself, for GET and HEAD."""
    relay: Callable[[Exchange], None]
    pages: frozenset[bytes] = frozenset()
    """Paths of ingest routes at which GET and HEAD are relayed: a browser asks for a page there."""


class Door:
    """One edge worker's requests, all connections together."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        limits: HttpLimits,
        addresses: Addresses,
        in_flight: InFlightBudget,
        counters: Counters,
    ) -> None:
        self.limits = limits
        self.loop_time = loop.time
        self.is_draining = False
        self.connections: set[ClientSocket] = set()
        self.heads = HeadMemory()
        self._addresses = addresses
        self._handlers = handlers
        self._routes = handlers.routing.by_path
        self._intake = handlers.intake
        self._credentials = handlers.credentials
        self._counters = counters
        self._now_us = clock.now_us
        self._in_flight = in_flight
        # Asked for every request: without a call between.
        self.reserve = in_flight.reserve
        self.release = in_flight.release
        self._date = b""
        self.tick()

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of all bodies being handled."""
        return self._in_flight.bytes_in_flight

    # Connections.

    def enter(self, client: ClientSocket) -> Unavailable | None:
        """Counts one more connection until it leaves, or returns what refuses it."""
        if len(self.connections) >= self.limits.connections_max:
            self._counters.note_saturated("connections_max")
            return Unavailable("Too many connections.", retry_after_s=1)
        if not self._addresses.enter(client.peer):
            self._counters.note_saturated("connections_per_address_max")
            return Unavailable("Too many connections from this address.", retry_after_s=1)
        self.connections.add(client)
        return None

    def leave(self, client: ClientSocket) -> None:
        """The connection is gone, if it was let in; a second time changes nothing."""
        if client in self.connections:
            self.connections.remove(client)
            self._addresses.leave(client.peer)

    def tick(self) -> None:
        """Renews the date of answers, and has the intake look around; called once a second."""
        self._date = date_line(self._now_us() // 1_000_000)
        self._intake.tick()

    # Requests.

    def check_head(self, exchange: Exchange) -> None:
        """Raises what refuses an ingest request by its head, before its body is counted.

        For any other request it decides whose bytes in flight the body will be.
        """
        head = exchange.head
        route = self._route(exchange)
        now_us = self._now_us()
        if route is not None and head.method in route.methods:
            if self._credentials.may_stand_in_body(head, route):
                exchange.tenant_id = UNKNOWN_SENDER
                return
            sender = self._credentials.sender_of(exchange, route, now_us=now_us)
            exchange.tenant_id = sender.place.tenant_id
        elif self._credentials.brings_body_unknown(head, now_us=now_us):
            exchange.tenant_id = UNKNOWN_SENDER

    def take(self, exchange: Exchange) -> None:
        """Handles a complete request; it is answered by ``answer`` or ``refuse``, now or later."""
        try:
            route = self._route(exchange)
            if route is not None:
                self._take_ingest(exchange, route)
                return
            local = self._handlers.local.get(exchange.head.path)
            if local is None:
                self._take_other(exchange)
            elif exchange.head.method in _READING:
                self.answer(exchange, local())
            else:
                exchange.extra_headers += b"Allow: GET, HEAD\r\n"
                self.answer(exchange, _METHOD_NOT_ALLOWED)
        except Exception as error:  # a bug must not leave the client, and the next, waiting
            emit(Happening.REQUEST_FAILED, reason=type(error).__name__)
            self.refuse(exchange, Internal("The node failed to handle this request."))

    def _route(self, exchange: Exchange) -> IngestRoute | None:
        route = self._routes.get(exchange.head.path)
        if route is None:
            route, exchange.endpoint = self._handlers.routing.choose(exchange.head)
        exchange.route = route
        return route

    def _take_other(self, exchange: Exchange) -> None:
        exchange.route = meant = self._handlers.routing.meant_by(exchange.head.path)
        if meant is None:
            self._handlers.relay(exchange)
        elif exchange.head.method == b"OPTIONS":  # else a page would not see the answer
            self._preflight(exchange, meant)
        else:
            error = NotFound("There is nothing at this path.", hint=f"Use {meant.path}")
            self.refuse(exchange, error)

    def _take_ingest(self, exchange: Exchange, route: IngestRoute) -> None:
        head = exchange.head
        if head.method == b"OPTIONS":
            self._preflight(exchange, route)
            return
        if head.method not in route.methods:
            self._take_other_method(exchange, route)
            return
        sender: Sender | None = None
        now_us = self._now_us()
        try:
            sender = self._credentials.sender_of(exchange, route, now_us=now_us)
            if b"?" in head.target:
                asks_server_time = wants_server_time(head.target)
                exchange.flags = FrameFlag.SERVER_TS if asks_server_time else FrameFlag.NONE
                exchange.in_backfill = is_backfill(head.target)
            self._intake.begin(exchange, route, sender, now_us=now_us)
            if route.read_body is not None:
                exchange.parts = [route.read_body(head.target, exchange.body)]
            body = exchange.body
            encoding = encoding_of(head.headers.get(b"content-encoding"), body)
            self._intake.take(exchange, route, sender, body, encoding)
        except WeirError as error:
            if sender is None:
                self.refuse(exchange, error)
            else:
                self._intake.refuse(exchange, route, sender, error)

    def _take_other_method(self, exchange: Exchange, route: IngestRoute) -> None:
        has_page = exchange.head.path in self._handlers.pages
        if has_page and exchange.head.method in _READING:
            exchange.route = None  # whatever is answered is no answer to events
            self._handlers.relay(exchange)
            return
        methods = (*route.methods, *(_READING if has_page else ()), b"OPTIONS")
        exchange.extra_headers += b"Allow: %s\r\n" % b", ".join(methods)
        self.answer(exchange, _METHOD_NOT_ALLOWED)

    # Answers.

    def note_status(self, status: int) -> None:
        """Counts an answer that another part of the door wrote."""
        self._counters.count_status(status)

    def answer(self, exchange: Exchange, reply: Reply) -> None:
        """Sends a complete answer."""
        self._counters.count_status(reply.status)
        head = exchange.head
        headers = exchange.extra_headers
        if exchange.window is not None:
            headers = window_headers(exchange.window) + headers
        if exchange.connection.ends_with(exchange):
            headers += CLOSE
        elif head.is_old:
            headers += KEEP_ALIVE
        if exchange.route is not None and b"origin" in head.headers:
            headers += cors_headers(head)
        output = render_json(
            reply.status,
            reply.body,
            date=self._date,
            headers=headers,
            is_head=head.method == b"HEAD",
        )
        exchange.connection.finish(exchange, output)

    def refuse(self, exchange: Exchange, error: WeirError) -> None:
        """Sends an error in the shape of the route's dialect."""
        if error.retry_after_s is not None:
            exchange.extra_headers += header_line("Retry-After", error.retry_after_s)
        route = exchange.route
        reply = (route.render_error if route else render_error)(error)
        if reply.status == 401:
            exchange.extra_headers += b"WWW-Authenticate: Bearer\r\n"
        self.answer(exchange, reply)

    def refuse_unread(self, exchange: Exchange, error: WeirError) -> None:
        """Sends an error about a request that was not received whole."""
        self._route(exchange)
        self.refuse(exchange, error)

    def _preflight(self, exchange: Exchange, route: IngestRoute) -> None:
        self._counters.count_status(204)
        headers = preflight_headers(exchange.head, b", ".join((*route.methods, b"OPTIONS")))
        if exchange.connection.ends_with(exchange):
            headers += CLOSE
        output = render_empty(204, date=self._date, headers=headers)
        exchange.connection.finish(exchange, output)


_READING = (b"GET", b"HEAD")

_METHOD_NOT_ALLOWED = render_error(MethodNotAllowed())
"""In the node's own shape, whatever the dialect."""
