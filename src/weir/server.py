"""Wires the processes of a node; the only place that knows every part.

``serve`` is the supervisor; ``run_edge``, ``run_loader`` and ``run_api`` are its children, and
can each be started alone on the same directory.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weir.catalog.month_usage import used_in_month
from weir.clock import Clock, SystemClock
from weir.domain.month import month_of
from weir.errors import Unavailable, WeirError
from weir.node.board import Board, Slot
from weir.node.damage import find_damage, note_damage
from weir.node.databases import check_databases
from weir.node.directory import Directory
from weir.node.listening import LISTEN_BACKLOG, adopt, bind, url_of
from weir.node.node_file import check_own, read_node, write_node
from weir.node.process import end_with_parent, ignore_interrupts, raise_file_limit
from weir.node.usage import UsageTable, create_usage_table
from weir.settings import Settings, as_environment, worker_count
from weir.storage.local import FileLock, make_directory, make_root, usable, while_locked

LOCK_WAIT_S = 10.0
GARBAGE_THRESHOLD = 50_000
"""Objects made and not yet freed before an edge worker looks for cycles."""

FILES_RESERVED = 128
"""Open files that an edge worker needs besides its clients' connections."""


if TYPE_CHECKING:
    from starlette.routing import Route

    from weir.ingest.limits import LimitTable
    from weir.loader.serve.client import LoaderClient
    from weir.node.registry import RegistryView
    from weir.node.supervisor import Role
    from weir.query.pool import QueryPool


def serve(settings: Settings, *, warnings: list[str]) -> int:
    """Runs a node until SIGTERM or SIGINT; prints ``weir ready URL`` once; returns the exit code.

    Raises ``Conflict`` when another node holds the directory or the address, or the directory holds
    something else; ``Corrupt`` when a database is found damaged before the node was ready.
    """
    from weir.ingest.http.tls import Certificate

    Certificate.load(settings.tls_cert, settings.tls_key)
    settings = _with_absolute_files(settings)
    directory = _directory_of(settings)
    clock = SystemClock()
    check_own(directory)
    # In a new directory a start that is refused leaves nothing behind.
    listener = None if directory.root.exists() else bind(settings.host, settings.port)
    make_root(directory.root)
    lock = FileLock(directory.node_lock, purpose="The data directory is in use")
    with usable(directory.root):
        lock.acquire()
    node = read_node(directory)
    check_databases(directory)
    listener = listener or bind(settings.host, settings.port)
    if not settings.docs_url:
        description = f"{url_of(listener, settings)}/openapi.json"
        settings = replace(settings, docs_url=description)
    with usable(directory.root):
        board = prepare_run(directory, workers=worker_count(settings), clock=clock)
    # Read by the metrics' library when it is first imported, here and in the children.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.metrics)
    _begin_serving(directory, settings, listener, warnings)
    with usable(directory.root):
        write_node(directory, url=url_of(listener, settings), epoch=node.epoch)
    _supervise(settings, board, listener, clock=clock)
    return 0


def _begin_serving(
    directory: Directory, settings: Settings, listener: socket.socket, warnings: list[str]
) -> None:
    from weir.engine import landlock
    from weir.telemetry import Happening, emit, serve_metrics

    _start_logging("supervisor", settings)
    for warning in warnings:
        emit(Happening.SETTINGS_WARNING, warning=warning)
    if sys.platform != "linux":
        emit(Happening.PLATFORM_WARNING, platform=sys.platform)
    elif not landlock.version():
        emit(
            Happening.PLATFORM_WARNING,
            message="The kernel has no Landlock: queries are kept from files by the engine alone.",
        )
    url = url_of(listener, settings)
    emit(Happening.NODE_STARTING, directory=str(directory.root), url=url)
    serve_metrics(settings.metrics_port)


def _supervise(settings: Settings, board: Board, listener: socket.socket, *, clock: Clock) -> None:
    from weir.node.supervisor import Supervisor
    from weir.telemetry import Happening, emit

    workers = worker_count(settings)
    directory = _directory_of(settings)
    url = url_of(listener, settings)
    edge_slots = [Slot.EDGE_READY + worker for worker in range(workers)]
    waiting_for: list[int] = [Slot.API_READY, Slot.LOADER_READY, *edge_slots]

    def announce_once() -> bool:
        if not waiting_for:
            return True
        if all(board.get(slot) for slot in waiting_for):
            waiting_for.clear()
            emit(Happening.NODE_READY, url=url, children=supervisor.pids)
            sys.stdout.write(f"weir ready {url}\n")
            sys.stdout.flush()
            return True
        # What is found later keeps the node up: the other parts serve on.
        return find_damage(directory) is None

    environment = {**os.environ, **as_environment(settings)}
    supervisor = Supervisor(
        _roles(board, workers, listener.fileno()), environment=environment, clock=clock
    )
    supervisor.start()
    supervisor.watch(announce_once)
    damage = find_damage(directory) if waiting_for else None
    emit(Happening.NODE_STOPPING)
    board.set(Slot.DRAINING, 1)
    # Clients that come now are refused at once, as soon as the workers have closed theirs too.
    listener.close()
    # Events first, then what makes them queryable, so that the last cut holds them all.
    supervisor.stop([name for name in supervisor.names if name.startswith("edge-")])
    supervisor.stop(["loader", "api"])
    emit(Happening.NODE_STOPPED)
    if damage is not None:
        raise damage


def _note_failure(error: WeirError, settings: Settings) -> None:
    """Logs why a child ends; a damaged database is left to the supervisor too."""
    from weir.telemetry import Happening, emit

    emit(Happening.CHILD_FAILED, reason=error.code, message=str(error))
    note_damage(_directory_of(settings), error)


def _roles(board: Board, workers: int, listen_fd: int) -> list["Role"]:
    from weir.node.supervisor import Role
    from weir.telemetry import forget_process

    def cleared(slot: int) -> Callable[[int, int], None]:
        def clear(pid: int, _exit_code: int) -> None:
            board.set(slot, 0)
            forget_process(pid)

        return clear

    def loader_gone(pid: int, exit_code: int) -> None:
        board.set(Slot.LOADER_EXIT, exit_code)
        cleared(Slot.LOADER_READY)(pid, exit_code)

    edges = [
        Role(
            f"edge-{worker}",
            ["edge", "--worker", str(worker), "--listen-fd", str(listen_fd)],
            [listen_fd],
            cleared(Slot.EDGE_READY + worker),
        )
        for worker in range(workers)
    ]
    return [
        Role("api", ["api"], [], cleared(Slot.API_READY)),
        Role("loader", ["loader"], [], loader_gone),
        *edges,
    ]


def run_edge(
    settings: Settings, *, worker: int, listen_fd: int | None, lifeline_fd: int | None
) -> int:
    """One edge worker: the door and its journal. Returns its exit code."""
    from weir.dialects.table import routes_by_path
    from weir.ingest.counters import Tally
    from weir.ingest.edge import Edge, serve_edge
    from weir.ingest.http.door import Door, Parts
    from weir.ingest.http.local import local_routes
    from weir.ingest.http.relay import Relay
    from weir.ingest.http.tls import Certificate
    from weir.ingest.overload import Gate
    from weir.ingest.quota import Quota
    from weir.journal.absent import open_or_refuse
    from weir.node.registry import RegistryView

    directory, board = _begin_child(f"edge-{worker}", settings, lifeline_fd)
    settings = _within_file_limit(settings)
    clock = SystemClock()

    async def main(stop: asyncio.Event) -> int:
        loop = asyncio.get_running_loop()
        journal = while_locked(
            lambda: open_or_refuse(
                _journal_of(directory, worker),
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

    return _run_loop(main, settings)


def _limit_table(settings: Settings, directory: Directory, *, worker: int) -> "LimitTable":
    from weir.dialects.port import RateLimits
    from weir.ingest.limits import LimitTable

    defaults = RateLimits(settings.rate_limit_requests, settings.rate_limit_events)
    return LimitTable(directory.limits, worker=worker, defaults=defaults)


def run_api(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The api process: queries, the ledger, the operator's socket; ``control.db``'s writer."""
    from weir.api.app import build_app
    from weir.api.run import serve_api
    from weir.api.token_routes import token_routes
    from weir.control.service import ControlService
    from weir.loader.serve.client import LoaderClient
    from weir.node.registry import RegistryView
    from weir.node.sockets import listen_unix
    from weir.query.pool import QueryPool

    directory, board = _begin_child("api", settings, lifeline_fd)
    clock = SystemClock()

    async def main(stop: asyncio.Event) -> int:
        pool = QueryPool(settings=settings, root=directory.root, clock=clock)
        workers = asyncio.create_task(pool.start())
        control = await asyncio.to_thread(
            lambda: ControlService.open(
                directory,
                clock=clock,
                board=board,
                url=read_node(directory).url or None,
                wait_s=LOCK_WAIT_S,
            )
        )
        loader = LoaderClient(directory.loader_socket, clock=clock)
        registry = RegistryView(directory, board)
        routes = _api_routes(settings, registry, pool, loader, control.key_names)
        routes += token_routes(
            registry,
            control.token_signer,
            clock=clock,
            per_minute=settings.token_exchanges_per_minute,
        )
        await workers
        await serve_api(
            build_app(routes),
            control=control,
            listeners=(
                listen_unix(directory.api_socket, backlog=LISTEN_BACKLOG),
                listen_unix(directory.control_socket),
            ),
            board=board,
            clock=clock,
            settings=settings,
            stop=stop,
        )
        await pool.close()
        control.close()
        return 0

    return _run_loop(main, settings)


def _api_routes(
    settings: Settings,
    registry: "RegistryView",
    pool: "QueryPool",
    loader: "LoaderClient",
    key_names: Callable[[int], Mapping[int, str]],
) -> list["Route"]:
    from weir.api.auth import authenticator
    from weir.api.browser_routes import browser_routes
    from weir.api.ledger_routes import ledger_routes
    from weir.api.query_routes import query_routes
    from weir.api.trace_routes import TraceParts, trace_routes

    clock = SystemClock()
    authenticate = authenticator(registry, clock=clock, docs_url=settings.docs_url)
    traced = TraceParts(
        pool,
        loader,
        loader,
        authenticate,
        key_names,
        slug_of=lambda project_id: registry.current().projects[project_id].slug,
        root=_directory_of(settings).root,
    )
    return [
        *query_routes(pool=pool, snapshots=loader, authenticate=authenticate, settings=settings),
        *ledger_routes(
            loader,
            authenticate=authenticate,
            key_names=key_names,
            clock=clock,
            settings=settings,
        ),
        *trace_routes(traced),
        *browser_routes(),
    ]


def run_loader(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The loader: tail, lake commits, expiry; the catalog's writer. Returns its exit code."""
    import threading

    from weir.catalog.adapter import SqlCatalog
    from weir.dialects.table import dialects_by_code
    from weir.loader.read.watch import Watch
    from weir.loader.run import LoaderParts
    from weir.loader.run import run_loader as load
    from weir.node.registry import RegistryView
    from weir.storage.database import sqlite_url

    directory, board = _begin_child("loader", settings, lifeline_fd)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    parts = LoaderParts(
        directory=directory,
        settings=settings,
        board=board,
        registry=RegistryView(directory, board),
        dialects=dialects_by_code(),
        open_catalog=lambda: SqlCatalog.open(sqlite_url(directory.catalog_db)),
        clock=SystemClock(),
        usage=UsageTable.open(directory.usage),
        writers=_writers(directory, workers=worker_count(settings)),
        open_watch=lambda: Watch.open(
            directory.working, directory.crashes, exit_code=board.get(Slot.LOADER_EXIT)
        ),
    )
    try:
        load(parts, stop)
    except WeirError as error:
        _note_failure(error, settings)
        return 1
    return 0


def _journal_of(directory: Directory, worker: int) -> Path:
    """The journal that a worker writes in this life of the node."""
    return directory.journal(worker, epoch=read_node(directory).epoch)


def _writers(directory: Directory, *, workers: int) -> Mapping[str, int]:
    return {_journal_of(directory, worker).name: worker for worker in range(workers)}


def prepare_run(directory: Directory, *, workers: int, clock: Clock) -> Board:
    """A new ``run/``: what a node's processes share lives there from start to stop."""
    import shutil

    from weir.ingest.limits import create_limit_table

    shutil.rmtree(directory.run, ignore_errors=True)
    make_directory(directory.run)
    make_directory(directory.metrics)
    create_limit_table(directory.limits, workers=workers)
    month = month_of(clock.now_us())
    used: Mapping[int, int] = {}
    with contextlib.suppress(Unavailable):  # the loader meets it too, and tells
        used = used_in_month(directory.catalog_db, month)
    create_usage_table(directory.usage, workers=workers, month=month, used=used)
    return Board.create(directory.board)


def _directory_of(settings: Settings) -> Directory:
    return Directory(Path(settings.data_dir).resolve())


def _with_absolute_files(settings: Settings) -> Settings:
    """Paths that mean the same in every process of the node."""
    if not settings.tls_cert:
        return settings
    cert, key = (str(Path(path).resolve()) for path in (settings.tls_cert, settings.tls_key))
    return replace(settings, tls_cert=cert, tls_key=key)


def _begin_child(name: str, settings: Settings, lifeline: int | None) -> tuple[Directory, Board]:
    end_with_parent(lifeline)
    ignore_interrupts()
    _start_logging(name, settings)
    directory = _directory_of(settings)
    if not directory.board.exists():
        make_directory(directory.root)
        workers = worker_count(settings)
        return directory, prepare_run(directory, workers=workers, clock=SystemClock())
    return directory, Board.open(directory.board)


def _settle_garbage() -> None:
    """Takes what start-up made out of the collector's sight and lets it look less often.

    A request leaves no cycles behind; looking for them after every few hundred costs it a tenth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def _within_file_limit(settings: Settings) -> Settings:
    """The settings with no more connections than files may be open, less what the rest needs."""
    from weir.telemetry import Happening, emit

    room = max(1, raise_file_limit() - FILES_RESERVED)
    if room >= settings.connections_max:
        return settings
    emit(
        Happening.PLATFORM_WARNING,
        message="The limit of open files (ulimit -n) bounds the connections of a worker.",
        connections_max=room,
    )
    return replace(settings, connections_max=room)


def _start_logging(name: str, settings: Settings) -> None:
    from weir.telemetry import configure_logging

    is_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    configure_logging(process=name, json=is_json, level=settings.log_level)


def _run_loop(main: Callable[[asyncio.Event], Awaitable[int]], settings: Settings) -> int:
    import uvloop

    async def run() -> int:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        return await main(stop)

    try:
        return uvloop.run(run())
    except WeirError as error:
        _note_failure(error, settings)
        return 1
