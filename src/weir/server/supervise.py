"""The supervisor's part of ``weir serve``: which children there are, and in what order they end."""

import os
import socket
import sys
from collections.abc import Callable

from weir.clock import Clock
from weir.engine import landlock
from weir.node.board import Board, Slot
from weir.node.damage import find_damage
from weir.node.directory import Directory
from weir.node.listening import url_of
from weir.node.supervisor import Role, Supervisor
from weir.server.child import start_logging
from weir.server.run_folder import directory_of
from weir.settings import Settings, as_environment, worker_count
from weir.telemetry import Happening, emit, forget_process, serve_metrics


def begin_serving(
    directory: Directory, settings: Settings, listener: socket.socket, warnings: list[str]
) -> None:
    """Starts the log and the metrics' port, and tells what of this platform is missing."""
    start_logging("supervisor", settings)
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


def supervise(settings: Settings, board: Board, listener: socket.socket, *, clock: Clock) -> None:
    """Runs the children until a stop signal; prints ``weir ready URL`` once all are ready.

    Raises what no restart will help (``node/damage.py``) when a child meets it before that.
    """
    workers = worker_count(settings)
    directory = directory_of(settings)
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


def _roles(board: Board, workers: int, listen_fd: int) -> list[Role]:
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
