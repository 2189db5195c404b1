"""``weir edge``: one edge worker, the door and its journal."""

import asyncio
import gc
from dataclasses import replace

from weir.clock import SystemClock
from weir.dialects.port import RateLimits
from weir.dialects.table import routes_by_path
from weir.ingest.counters import Tally
from weir.ingest.edge import Edge, serve_edge
from weir.ingest.http.door import Door, Parts
from weir.ingest.http.local import local_routes
from weir.ingest.http.relay import Relay
from weir.ingest.http.tls import Certificate
from weir.ingest.limits import LimitTable
from weir.ingest.overload import Gate
from weir.ingest.quota import Quota
from weir.journal.absent import open_or_refuse
from weir.node.directory import Directory
from weir.node.listening import adopt, bind
from weir.node.process import raise_file_limit
from weir.node.registry import RegistryView
from weir.server.child import LOCK_WAIT_S, begin_child, run_loop
from weir.server.run_folder import journal_of
from weir.settings import Settings
from weir.storage.local import while_locked
from weir.telemetry import Happening, emit

GARBAGE_THRESHOLD = 50_000
"""Objects made and not yet freed before an edge worker looks for cycles."""

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
        parts = Parts(
            settings=settings,
            clock=clock,
            registry=RegistryView(directory, board),
            journal=journal,
            limits=_limit_table(settings, directory, worker=worker),
            quota=Quota.open(directory.usage, worker=worker, journal=journal, clock=clock),
            gate=Gate(
                directory.root,
                reserve_bytes=settings.disk_reserve_bytes,
                backlog_bytes=journal.backlog_bytes,
                backlog_bytes_max=settings.journal_backlog_bytes_max,
            ),
            tally=Tally(),
            routes=routes_by_path(),
            local=local_routes(board, settings, clock),
            relay=Relay(directory.api_socket, loop, settings).pass_on,
        )
        listener = bind(settings.host, settings.port) if listen_fd is None else adopt(listen_fd)
        certificate = Certificate.load(settings.tls_cert, settings.tls_key)
        _settle_garbage()
        edge = Edge(worker, Door(parts, loop), journal, board, listener, certificate)
        return await serve_edge(edge, stop)

    return run_loop(main, settings)


def _limit_table(settings: Settings, directory: Directory, *, worker: int) -> LimitTable:

    defaults = RateLimits(settings.rate_limit_requests, settings.rate_limit_events)
    return LimitTable(directory.limits, worker=worker, defaults=defaults)


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
