"""``weir loader``: the tail, lake commits, expiry; the writer of the catalog."""

import signal
import threading
from collections.abc import Mapping

from weir.catalog.adapter import SqlCatalog
from weir.clock import Clock, SystemClock
from weir.dialects.table import dialects_by_code
from weir.errors import WeirError
from weir.lake.store import LocalStore
from weir.loader.build import Adapters, RunFiles, build_loader
from weir.loader.memory import allocate_by_system
from weir.loader.ports import Catalog
from weir.loader.read.journals import LocalJournals
from weir.loader.read.watch import Watch
from weir.loader.run import Loader
from weir.loader.run import run_loader as load
from weir.loader.upkeep.merge_process import ProcessMerger
from weir.node.board import Slot
from weir.node.directory import Directory
from weir.node.process import give_memory_back
from weir.node.registry import RegistryView
from weir.node.usage import UsageTable
from weir.server.child import begin_child, note_failure
from weir.server.run_folder import journal_of
from weir.settings import Settings, worker_count
from weir.storage.database import sqlite_url


def run_loader(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The loader: tail, lake commits, expiry; the catalog's writer. Returns its exit code."""
    directory, board = begin_child("loader", settings, lifeline_fd)
    give_memory_back()
    allocate_by_system()
    clock = SystemClock()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    shared = RunFiles(
        board=board,
        registry=RegistryView(directory, board),
        usage=UsageTable.open(directory.usage),
        writers=_writers(directory, workers=worker_count(settings)),
    )

    def build(catalog: Catalog) -> Loader:
        adapters = _local_adapters(directory, catalog, clock, exit_code=board.get(Slot.LOADER_EXIT))
        return build_loader(
            settings,
            adapters,
            shared,
            directory=directory,
            dialects=dialects_by_code(),
            clock=clock,
        )

    try:
        load(
            lambda: SqlCatalog.open(sqlite_url(directory.catalog_db)),
            build,
            directory=directory,
            board=board,
            clock=clock,
            stop=stop,
        )
    except WeirError as error:
        note_failure(error, settings)
        return 1
    return 0


def _local_adapters(
    directory: Directory, catalog: Catalog, clock: Clock, *, exit_code: int
) -> Adapters:
    """Journals and lake on the node's own disk; ``exit_code`` is the last loader's."""
    return Adapters(
        catalog=catalog,
        store=LocalStore(directory.root),
        journals=LocalJournals(directory.journals, quarantine=directory.quarantine, clock=clock),
        merger=ProcessMerger(),
        watch=Watch.open(directory.working, directory.crashes, exit_code=exit_code),
    )


def _writers(directory: Directory, *, workers: int) -> Mapping[str, int]:
    return {journal_of(directory, worker).name: worker for worker in range(workers)}
