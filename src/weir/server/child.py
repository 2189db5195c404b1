"""What every process of a node begins and ends with."""

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from weir.clock import SystemClock
from weir.errors import WeirError
from weir.node.board import Board
from weir.node.damage import note_damage
from weir.node.directory import Directory
from weir.node.process import end_with_parent, ignore_interrupts
from weir.server.run_folder import directory_of, prepare_run
from weir.settings import Settings, worker_count
from weir.storage.local import check_entry, make_directory, usable
from weir.telemetry import Happening, configure_logging, emit

if TYPE_CHECKING:
    import asyncio

LOCK_WAIT_S = 10.0
"""How long a predecessor that is just dying may hold its locks."""


def begin_child(name: str, settings: Settings, lifeline: int | None) -> tuple[Directory, Board]:
    """Ties this process to its parent, starts its log, and finds or makes what is shared.

    ``lifeline`` is the read end of the supervisor's pipe; None: the process runs alone.
    """
    end_with_parent(lifeline)
    ignore_interrupts()
    start_logging(name, settings)
    directory = directory_of(settings)
    check_entry(directory.root)
    if not directory.board.exists():
        with usable(directory.root):
            make_directory(directory.root)
        workers = worker_count(settings)
        return directory, prepare_run(directory, workers=workers, clock=SystemClock())
    return directory, Board.open(directory.board)


def start_logging(name: str, settings: Settings) -> None:
    """Begins the log of a process in the form that the settings and standard error ask for."""
    is_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    configure_logging(process=name, json=is_json, level=settings.log_level)


def run_loop(main: "Callable[[asyncio.Event], Awaitable[int]]", settings: Settings) -> int:
    """Runs ``main`` on an event loop; returns its exit code, 1 for a ``WeirError``.

    ``main`` gets an event that is set once this process is asked to stop.
    """
    import asyncio  # not above: the supervisor, before which nothing starts, has no event loop

    import uvloop

    async def run() -> int:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        return await main(stop)

    try:
        return uvloop.run(run())
    except WeirError as error:
        note_failure(error, settings)
        return 1


def note_failure(error: WeirError, settings: Settings) -> None:
    """Logs why a child ends; what no restart will help is left to the supervisor too."""
    emit(Happening.CHILD_FAILED, reason=error.code, message=str(error))
    note_damage(directory_of(settings), error)
