"""The door: from a complete request to a frame in the journal, and from its sync to the answer.

One instance per edge worker. What is decided about a request's events is the dialect's
(``admission.Admit``, pure); here stands what a server must do around it: who is asking, limits,
encodings, overload, CORS, and what is not ingest at all.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import parse_qs

from weir.dialects.port import Limits, Reply, Submission, Usage
from weir.dialects.replies import encode_reply, render_error
from weir.domain.frame import Draft, FrameFlag
from weir.domain.networks import parse_networks
from weir.errors import Internal, NotFound, Unavailable, WeirError
from weir.ingest.addresses import Addresses
from weir.ingest.authentication import Callers, Known
from weir.ingest.backfill import Backfill
from weir.ingest.counters import NOBODY
from weir.ingest.encodings import ADMIT_ON_LOOP_BYTES_MAX, encoding_of
from weir.ingest.fair_queue import Turns
from weir.ingest.http.cors import cors_headers, preflight_headers
from weir.ingest.http.credentials import brings_body_unknown, is_keyless
from weir.ingest.http.head import HeadMemory
from weir.ingest.http.responses import (
    CLOSE,
    KEEP_ALIVE,
    date_line,
    header_line,
    render_empty,
    render_json,
)
from weir.ingest.http.routing import Routing
from weir.ingest.in_flight import GUESTS, Room, no_room
from weir.ingest.judging import Judged, inflate_small, judge, text_of
from weir.ingest.limits import usage_headers
from weir.ingest.offload import Aside
from weir.telemetry import Happening, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from weir.clock import Clock
    from weir.dialects.port import Admission, IngestRoute
    from weir.ingest.counters import Tally
    from weir.ingest.http.exchange import Exchange, Visitor
    from weir.ingest.limits import LimitTable
    from weir.ingest.overload import Gate
    from weir.ingest.quota import Quota
    from weir.node.registry import RegistryView
    from weir.settings import Settings

TURN_BYTES_MIN = 8192
"""Size above which judging a body takes long enough (some 50 µs) to be done in turn."""


class Waiter(Protocol):
    """What the journal tells of a frame."""

    def durable(self, received_at_us: int) -> None: ...

    def failed(self, error: Exception) -> None: ...


class Journal(Protocol):
    """What the door needs of the journal's writer."""

    def append(self, draft: Draft, waiter: Waiter) -> None: ...


class Parts(NamedTuple):
    """What a door is made of."""

    settings: Settings
    clock: Clock
    registry: RegistryView
    journal: Journal
    limits: LimitTable
    quota: Quota
    gate: Gate
    tally: Tally
    routes: Mapping[bytes, IngestRoute]
    local: Mapping[bytes, Callable[[], Reply]]
    """Paths that the worker answers itself, for GET and HEAD."""
    relay: Callable[[Exchange], None]


class Door:
    """One edge worker's requests, all connections together."""

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = parts.settings
        self.loop_time = loop.time
        self.is_draining = False
        self.connections: set[Visitor] = set()
        trusted = parse_networks(parts.settings.trusted_proxies)
        self._addresses = Addresses(
            connections_max=parts.settings.connections_per_address_max, trusted=trusted
        )
        self._parts = parts
        self._aside: Aside[Judged | WeirError] = Aside(loop)
        self._turns = Turns(loop)
        self._routing = Routing(parts.routes, domain=parts.settings.ingest_domain)
        self._routes = self._routing.by_path
        self._registry = parts.registry
        self._journal = parts.journal
        self._gate = parts.gate
        self._quota = parts.quota
        self._accepted = parts.quota.accepted
        self._now_us = parts.clock.now_us
        self._limits = Limits(
            parts.settings.event_bytes_max,
            parts.settings.json_depth_max,
            parts.settings.shared_context_bytes_max,
        )
        self.callers = Callers(
            parts.registry,
            parts.limits,
            docs_url=parts.settings.docs_url,
            trusted=trusted,
        )
        self._backfill = Backfill(parts.settings.backfill_bytes_per_s)
        self._saturated: set[str] = set()
        self._room = Room(
            parts.settings.in_flight_bytes_max,
            parts.registry,
            partial(self._note_saturation, "in_flight_bytes_max"),
        )
        # Asked for every request: without a call between.
        self.reserve = self._room.reserve
        self.release = self._room.release
        self._worker = os.urandom(4).hex()
        self._taken_count = 0
        self.heads = HeadMemory()
        self._date = b""
        self.tick()

    @property
    def bytes_in_flight(self) -> int:
        """Of all bodies being handled."""
        return self._room.bytes_in_flight

    # Connections.

    def enter(self, visitor: Visitor) -> Unavailable | None:
        """Counts one more connection until it leaves, or gives what refuses it."""
        if len(self.connections) >= self.settings.connections_max:
            self._note_saturation("connections_max")
            return Unavailable("Too many connections.", retry_after_s=1)
        if not self._addresses.enter(visitor.peer):
            self._note_saturation("connections_per_address_max")
            return Unavailable("Too many connections from this address.", retry_after_s=1)
        self.connections.add(visitor)
        return None

    def leave(self, visitor: Visitor) -> None:
        """The connection is gone, if it was let in; a second time changes nothing."""
        if visitor in self.connections:
            self.connections.remove(visitor)
            self._addresses.leave(visitor.peer)

    def tick(self) -> None:
        """Once a second: what is not worth doing for every request."""
        self._date = date_line(self._now_us() // 1_000_000)
        self._saturated.clear()
        self._gate.look()
        self._quota.turn(self._now_us())
        self._room.tidy()
        self._parts.tally.hand_on(self._append_tally)

    def _note_saturation(self, limit: str) -> None:
        """Tells of a limit that refuses clients, once between two ticks."""
        if limit not in self._saturated:
            self._saturated.add(limit)
            emit(Happening.EDGE_SATURATED, limit=limit)

    def _append_tally(self, draft: Draft) -> None:
        try:
            self._journal.append(draft, NOBODY)
        except Unavailable as error:  # the journal has died: the worker is about to end
            NOBODY.failed(error)

    # Requests.

    def take(self, exchange: Exchange) -> None:
        """A complete request; its answer comes now or later through ``answer`` or ``refuse``."""
        try:
            route = self._routes.get(exchange.head.path) or self._routing.choose(exchange)
            if route is not None:
                exchange.route = route
                self._take_ingest(exchange, route)
                return
            local = self._parts.local.get(exchange.head.path)
            if local is None:
                self._take_other(exchange)
            elif exchange.head.method in (b"GET", b"HEAD"):
                self.answer(exchange, local())
            else:
                exchange.extra_headers += b"Allow: GET, HEAD\r\n"
                self.answer(exchange, _METHOD_NOT_ALLOWED)
        except Exception as error:  # a bug must not leave the client, and the next, waiting
            self._fail(exchange, error)

    def _take_other(self, exchange: Exchange) -> None:
        exchange.route = meant = self._routing.meant_by(exchange.head.path)
        if meant is None:
            self._parts.relay(exchange)
        elif exchange.head.method == b"OPTIONS":  # else a page would not see the answer
            self._preflight(exchange, meant)
        else:
            error = NotFound("There is nothing at this path.", hint=f"Use {meant.path}")
            self.refuse(exchange, error)

    def note_status(self, status: int) -> None:
        """Counts an answer that another part of the door wrote."""
        self._parts.tally.count_status(status)

    def answer(self, exchange: Exchange, reply: Reply) -> None:
        """Sends a complete answer."""
        self._parts.tally.count_status(reply.status)
        head = exchange.head
        headers = exchange.extra_headers
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
        usage = error.context.get("usage")
        if isinstance(usage, Usage):
            exchange.extra_headers = usage_headers(usage)
        if error.retry_after_s is not None:
            exchange.extra_headers += header_line("Retry-After", error.retry_after_s)
        route = exchange.route
        reply = (route.render_error if route else render_error)(error)
        if reply.status == 401:
            exchange.extra_headers += b"WWW-Authenticate: Bearer\r\n"
        self.answer(exchange, reply)

    def refuse_unread(self, exchange: Exchange, error: WeirError) -> None:
        """Sends an error about a request that was not received whole."""
        exchange.route = self._routes.get(exchange.head.path) or self._routing.choose(exchange)
        self.refuse(exchange, error)

    def _fail(self, exchange: Exchange, error: Exception) -> None:
        emit(Happening.REQUEST_FAILED, reason=type(error).__name__)
        self.refuse(exchange, Internal("The node failed to handle this request."))

    # Ingest.

    def check_in(self, exchange: Exchange) -> None:
        """Raises what refuses an ingest request by its head, before its body takes room.

        Tells of any other whether its body has to do with the guests' room.
        """
        head = exchange.head
        route = exchange.route = self._routes.get(head.path) or self._routing.choose(exchange)
        if route is not None and head.method in route.methods:
            if route.find_key is not None and is_keyless(head):
                exchange.tenant_id = GUESTS
                return
            known = self.callers.recognize(exchange, self._now_us())
            exchange.tenant_id = known.place.tenant_id
        elif brings_body_unknown(
            head, self._registry.current(), self.callers.tokens, now_us=self._now_us()
        ):
            exchange.tenant_id = GUESTS

    def _take_ingest(self, exchange: Exchange, route: IngestRoute) -> None:
        if exchange.head.method == b"OPTIONS":
            self._preflight(exchange, route)
            return
        if exchange.head.method not in route.methods:
            exchange.extra_headers += b"Allow: %s\r\n" % b", ".join((*route.methods, b"OPTIONS"))
            self.answer(exchange, _METHOD_NOT_ALLOWED)
            return
        known: Known | None = None
        now_us = self._now_us()
        try:
            known = self.callers.recognize(exchange, now_us)
            if exchange.tenant_id == GUESTS:
                self._room.adopt(exchange, known.place.tenant_id)
            if self._room.bytes_in_flight > self._room.watched_bytes and not exchange.tenant_id:
                self._room.claim(exchange, known.place.tenant_id)
            if not self._gate.is_open:
                self._gate.check(known.principal.tenant_id)
            if b"?" in exchange.head.target:
                self._backfill.check(
                    exchange.head.target, is_open=self._gate.is_open, now_us=now_us
                )
            if known.is_limited or route.rates:
                count = self._parts.limits.count_request
                exchange.extra_headers = count(known.principal, route.rates, now_us=now_us)
            if route.read_body is not None:
                exchange.parts = [route.read_body(exchange.head.target, exchange.body)]
            body = exchange.body
            encoding = encoding_of(exchange.head.headers.get(b"content-encoding"), body)
            small = body if encoding == "identity" else inflate_small(encoding, body)
            if small is None or len(small) > ADMIT_ON_LOOP_BYTES_MAX:
                self._judge_aside(exchange, route, known, encoding)
                return
            if small is not body:
                self._hold_inflated(exchange, known, small)
            small = text_of(route, small)
            if len(small) > TURN_BYTES_MIN and not self._turns.take():
                self._await_turn(exchange, route, known, small)
                return
            admission = route.admit(self._submission(exchange, small))
            self._store(exchange, route, known, small, admission)
        except WeirError as error:
            self._refuse_events(exchange, route, known, error)

    def _await_turn(
        self, exchange: Exchange, route: IngestRoute, known: Known, body: bytes
    ) -> None:
        def go_on() -> None:
            with self._taken_up(exchange, route, known):
                admission = route.admit(self._submission(exchange, body))
                self._store(exchange, route, known, body, admission)

        exchange.put_off()
        self._turns.wait(known.place.tenant_id, go_on)

    @contextmanager
    def _taken_up(self, exchange: Exchange, route: IngestRoute, known: Known) -> Generator[None]:
        """What was put off goes on: whatever it ends with is answered, and the line moves on."""
        exchange.is_away = False
        try:
            yield
        except WeirError as error:
            self._refuse_events(exchange, route, known, error)
        except Exception as error:  # as in ``take``
            self._fail(exchange, error)
        finally:
            exchange.connection.unhold()

    def _submission(self, exchange: Exchange, body: bytes) -> Submission:
        self._taken_count += 1
        content_type = exchange.head.headers.get(b"content-type")
        return Submission(body, self._limits, self._worker, self._taken_count, content_type)

    def _store(
        self,
        exchange: Exchange,
        route: IngestRoute,
        known: Known,
        body: bytes,
        admission: Admission,
    ) -> None:
        taken = admission.event_count
        if not taken:
            self._count_refused(route, known, admission.refused_count)
            self._tell_window(exchange, route, known)
            self.answer(exchange, admission.reply)
            return
        if known.is_metered or known.quota or route.rates:
            self._count_events(exchange, route, known, taken)
        target = exchange.head.target
        place = known.place
        draft = Draft(
            place,
            route.dialect.code,
            route.dialect_version,
            taken,
            admission.refused_count,
            _flags_of(target) if b"?" in target else 0,
            admission.meta,
            admission.body or body,
        )
        exchange.reply = admission.reply
        if b"?" in target:
            self._backfill.spend(target, len(body))
        self._journal.append(draft, exchange)
        self._accepted[place.tenant_id] += taken
        self._gate.shares.note(place.tenant_id, len(body))
        self._parts.tally.count_taken(
            route.dialect.name, taken, admission.refused_count, body_bytes=len(body)
        )

    def _judge_aside(
        self, exchange: Exchange, route: IngestRoute, known: Known, encoding: str
    ) -> None:
        received = exchange.body

        def go_on(done: asyncio.Future[Judged | WeirError]) -> None:
            with self._taken_up(exchange, route, known):
                judged = done.result()
                if isinstance(judged, WeirError):
                    self._refuse_events(exchange, route, known, judged)
                    return
                if judged.body is not received:
                    self._hold_inflated(exchange, known, judged.body)
                self._store(exchange, route, known, judged.body, judged.admission)

        exchange.put_off()
        bytes_max = self.settings.inflated_bytes_max
        submission = self._submission(exchange, received)
        work = partial(judge, route, submission, encoding, bytes_max)
        self._aside.run(known.place.tenant_id, work, go_on)

    def _hold_inflated(self, exchange: Exchange, known: Known, body: bytes) -> None:
        """A small body may become a large one, and is held until it is on disk."""
        if not exchange.tenant_id:
            self._room.claim(exchange, known.place.tenant_id)
        if not self.reserve(len(body), exchange.tenant_id):
            raise no_room()
        exchange.body_bytes += len(body)

    def _count_events(
        self, exchange: Exchange, route: IngestRoute, known: Known, events: int
    ) -> None:
        now_us = self._now_us()
        if known.quota:
            self._quota.check(known.place.tenant_id, events, known.quota, now_us=now_us)
        told = self._parts.limits.count_events(
            known.principal, known.tenant, events, route.rates, now_us=now_us
        )
        if told and not exchange.extra_headers:
            exchange.extra_headers = told

    def _tell_window(self, exchange: Exchange, route: IngestRoute, known: Known) -> None:
        """An answer to events that were not counted tells their sender's window all the same."""
        if exchange.extra_headers or not (known.is_limited or route.rates):
            return
        usage = self._parts.limits.look(
            known.principal, known.tenant, route.rates, now_us=self._now_us()
        )
        if usage is not None:
            exchange.extra_headers = usage_headers(usage)

    def _refuse_events(
        self, exchange: Exchange, route: IngestRoute, known: Known | None, error: WeirError
    ) -> None:
        if known is not None:
            refused = error.context.get("refused_count", 1)
            self._count_refused(route, known, refused if isinstance(refused, int) else 1)
            self._tell_window(exchange, route, known)
        self.refuse(exchange, error)

    def _count_refused(self, route: IngestRoute, known: Known, events: int) -> None:
        self._parts.tally.count_refused(
            route.dialect.name,
            key_id=known.principal.key_id,
            events=events,
            now_us=self._now_us(),
        )

    def _preflight(self, exchange: Exchange, route: IngestRoute) -> None:
        self._parts.tally.count_status(204)
        headers = preflight_headers(exchange.head, b", ".join((*route.methods, b"OPTIONS")))
        if exchange.connection.ends_with(exchange):
            headers += CLOSE
        output = render_empty(204, date=self._date, headers=headers)
        exchange.connection.finish(exchange, output)


_METHOD_NOT_ALLOWED = encode_reply(
    405, {"error": "method_not_allowed", "message": "The path does not take this method."}
)


def _flags_of(target: bytes) -> int:
    query = parse_qs(target.partition(b"?")[2].decode("latin-1"))
    asked = query.get("server_ts", ["0"])[-1] in ("1", "true")
    return FrameFlag.SERVER_TS if asked else FrameFlag.NONE
