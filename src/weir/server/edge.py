"""``weir edge``: one edge worker, the door and its journal."""

import asyncio
import gc
import os
from dataclasses import replace
from functools import partial
from typing import Protocol

from weir.clock import Clock, SystemClock
from weir.dialects.port import AdmissionLimits, RateLimits
from weir.dialects.table import HEALTH_ROUTES, ROUTES
from weir.domain.networks import parse_networks
from weir.ingest.addresses import Addresses
from weir.ingest.allowances import Allowances
from weir.ingest.authentication import Authentication
from weir.ingest.backfill import Backfill
from weir.ingest.counters import Counters
from weir.ingest.edge import Edge, serve_edge
from weir.ingest.http.credentials import Credentials
from weir.ingest.http.door import Door, Handlers
from weir.ingest.http.local import local_routes
from weir.ingest.http.refusals import HttpLimits
from weir.ingest.http.relay import Relay
from weir.ingest.http.routing import Routing
from weir.ingest.http.tls import Certificate
from weir.ingest.in_flight import InFlightBudget
from weir.ingest.intake import Intake, IntakeTerms, Journal
from weir.ingest.limits import LimitTable
from weir.ingest.overload import Overload
from weir.ingest.quota import CountedJournal, Quota
from weir.journal.absent import open_or_refuse
from weir.node.board import Board
from weir.node.listening import adopt, bind
from weir.node.process import raise_file_limit
from weir.node.registry import RegistryView
from weir.server.child import LOCK_WAIT_S, begin_child, run_loop
from weir.server.run_folder import directory_of, journal_of
from weir.settings import Settings
from weir.storage.local import while_locked
from weir.telemetry import Happening, emit

GARBAGE_THRESHOLD = 50_000
"""Objects made and not yet freed before an edge worker looks for cycles."""

PAGES = frozenset({b"/"})
"""Where events are posted and a browser finds the node's first page."""

FILES_RESERVED = 128
"""Open files that an edge worker needs besides its clients' connections."""


def run_edge(
    settings: Settings, *, worker: int, listen_fd: int | None, lifeline_fd: int | None
) -> int:
    """One edge worker: the door and its journal. Returns its exit code."""
    directory, board = begin_child(f"edge-{worker}", settings, lifeline_fd)
    settings = _within_file_limit(settings)
    clock = SystemClock()

    async def main(stop: asyncio.Event) -> int:
        loop = asyncio.get_running_loop()
        journal = while_locked(
            lambda: open_or_refuse(
                journal_of(directory, worker),
                quarantine=directory.quarantine,
                clock=clock,
                file_bytes=settings.journal_file_bytes,
                notify=loop.call_soon_threadsafe,
                defer=loop.call_soon,
            ),
            wait_s=LOCK_WAIT_S,
            clock=clock,
        )
        overload = Overload(
            directory.root,
            reserve_bytes=settings.disk_reserve_bytes,
            backlog_bytes=journal.backlog_bytes,
            backlog_bytes_max=settings.journal_backlog_bytes_max,
        )
        door = build_door(
            settings, board, loop, worker=worker, clock=clock, journal=journal, overload=overload
        )
        listener = bind(settings.host, settings.port) if listen_fd is None else adopt(listen_fd)
        certificate = Certificate.load(settings.tls_cert, settings.tls_key)
        _settle_garbage()
        edge = Edge(worker, door, journal, board, listener, certificate)
        return await serve_edge(edge, stop)

    return run_loop(main, settings)


class EdgeJournal(Journal, CountedJournal, Protocol):
    """What of a journal's writer a door's parts need together."""


def build_door(
    settings: Settings,
    board: Board,
    loop: asyncio.AbstractEventLoop,
    *,
    worker: int,
    clock: Clock,
    journal: EdgeJournal,
    overload: Overload,
) -> Door:
    """The door of a worker whose journal is open."""
    directory = directory_of(settings)
    registry = RegistryView(directory, board)
    trusted = parse_networks(settings.trusted_proxies)
    counters = Counters()
    rates = RateLimits(settings.rate_limit_requests, settings.rate_limit_events)
    limits = LimitTable(directory.limits, worker=worker, defaults=rates)
    in_flight = InFlightBudget(
        settings.in_flight_bytes_max,
        registry,
        partial(counters.note_saturated, "in_flight_bytes_max"),
    )
    allowances = Allowances(
        limits=limits,
        quota=Quota.open(directory.usage, worker=worker, journal=journal, clock=clock),
        overload=overload,
        backfill=Backfill(settings.backfill_bytes_per_s),
    )
    intake = Intake(
        loop=loop,
        clock=clock,
        journal=journal,
        allowances=allowances,
        counters=counters,
        in_flight=in_flight,
        terms=_intake_terms(settings),
    )
    authentication = Authentication(limits, docs_url=settings.docs_url)
    api = Relay(
        directory.api_socket, loop, query_timeout_s=settings.query_timeout_s, trusted=trusted
    )
    handlers = Handlers(
        routing=Routing(ROUTES, domain=settings.ingest_domain),
        credentials=Credentials(authentication, registry, trusted=trusted),
        intake=intake,
        local=local_routes(board, clock, HEALTH_ROUTES, node=settings.node, region=settings.region),
        relay=api.pass_on,
        pages=PAGES,
    )
    addresses = Addresses(connections_max=settings.connections_per_address_max, trusted=trusted)
    return Door(
        handlers,
        loop=loop,
        clock=clock,
        limits=_http_limits(settings),
        addresses=addresses,
        in_flight=in_flight,
        counters=counters,
    )


def _intake_terms(settings: Settings) -> IntakeTerms:
    admission = AdmissionLimits(
        settings.event_bytes_max, settings.json_depth_max, settings.shared_context_bytes_max
    )
    return IntakeTerms(admission, settings.inflated_bytes_max, os.urandom(4).hex())


def _http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(**{name: getattr(settings, name) for name in HttpLimits._fields})


def _settle_garbage() -> None:
    """Takes what start-up made out of the collector's sight and lets it look less often.

    A request leaves no cycles behind; looking for them after every few hundred costs it a tenth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def _within_file_limit(settings: Settings) -> Settings:
    """The settings with no more connections than files may be open, less what the rest needs."""

    room = max(1, raise_file_limit() - FILES_RESERVED)
    if room >= settings.connections_max:
        return settings
    emit(
        Happening.PLATFORM_WARNING,
        message="The limit of open files (ulimit -n) bounds the connections of a worker.",
        connections_max=room,
    )
    return replace(settings, connections_max=room)
