"""``weir loader``: the tail, lake commits, expiry; the writer of the catalog."""

import signal
import threading
from collections.abc import Mapping

from weir.catalog.adapter import SqlCatalog
from weir.clock import SystemClock
from weir.dialects.table import dialects_by_code
from weir.errors import WeirError
from weir.loader.read.watch import Watch
from weir.loader.run import LoaderParts
from weir.loader.run import run_loader as load
from weir.node.board import Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.node.usage import UsageTable
from weir.server.child import begin_child, note_failure
from weir.server.run_folder import journal_of
from weir.settings import Settings, worker_count
from weir.storage.database import sqlite_url


def run_loader(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The loader: tail, lake commits, expiry; the catalog's writer. Returns its exit code."""

    directory, board = begin_child("loader", settings, lifeline_fd)
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
        note_failure(error, settings)
        return 1
    return 0


def _writers(directory: Directory, *, workers: int) -> Mapping[str, int]:
    return {journal_of(directory, worker).name: worker for worker in range(workers)}
