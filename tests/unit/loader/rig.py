"""A node's data with real journals, catalog and files, and a loader in a thread."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from weir.catalog.adapter import SqlCatalog
from weir.clock import SystemClock
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Draft, Frame, Place
from weir.domain.outcome import LedgerRow
from weir.domain.registry import Endpoint, Registry
from weir.errors import Conflict, InvalidInput
from weir.journal.writer import JournalWriter
from weir.lake.store import LocalStore
from weir.loader.build import Adapters, RunFiles, build_loader
from weir.loader.read.journals import LocalJournals
from weir.loader.read.watch import Watch
from weir.loader.run import Loader, run_loader
from weir.loader.serve.client import LoaderClient
from weir.loader.serve.wire import Status
from weir.loader.upkeep.merge_process import ProcessMerger
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView, publish_registry
from weir.node.usage import UsageTable
from weir.settings import Settings
from weir.storage.database import sqlite_url

START_US = 1_790_000_000_000_000
DEADLINE_S = 180.0


class RigClock:
    """A wall clock that moves when told to, and one microsecond at each look."""

    def __init__(self, now_us: int = START_US) -> None:
        self.us = now_us
        self._step_us = 1
        self._real = SystemClock()

    def now_us(self) -> int:
        """The set time, and a little more each time."""
        self.us += self._step_us
        return self.us

    def exactly(self, now_us: int) -> None:
        """Stands still at a time."""
        self.us, self._step_us = now_us, 0

    def run(self) -> None:
        """Moves at each look again."""
        self._step_us = 1

    def monotonic_s(self) -> float:
        """The real one: deadlines go on."""
        return self._real.monotonic_s()


def event(number: int, **fields: object) -> dict[str, object]:
    """A small event with an id of its own."""
    return {"event": "e", "event_id": f"id-{number}", "properties": {"n": number}, **fields}


class Crash(BaseException):
    """The process is gone: nothing after this point happened."""


class _Wire(Event, kw_only=True):
    properties: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()


_events = msgspec.json.Decoder(list[_Wire])


def decode(frame: Frame) -> Sequence[Event]:
    """A JSON array of events; ``poison`` breaks in several ways."""
    if frame.body == b"poison":
        raise RecursionError("too deep")
    try:
        return _events.decode(frame.body)
    except msgspec.MsgspecError as error:
        raise InvalidInput(str(error)) from error


Notify = Callable[[Callable[[], None]], None]
"""Has a function called, later or at once, in the thread that appends to a journal."""


def _at_once(function: Callable[[], None]) -> None:
    function()


JSON_DIALECT = Dialect(1, "json", frame_by_frame(decode))


class _Waiter:
    def __init__(self) -> None:
        self.told = threading.Event()
        self.received_at_us = 0

    def durable(self, received_at_us: int) -> None:
        self.received_at_us = received_at_us
        self.told.set()

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)


@dataclass(frozen=True)
class Wiring:
    """What a loader is made of; a test replaces some of it."""

    directory: Directory
    settings: Settings
    board: Board
    open_catalog: Callable[[], Any]
    clock: Any
    store: Any
    journals: Any
    dialects: Mapping[int, Dialect] = field(default_factory=lambda: {1: JSON_DIALECT})
    merger: Any = field(default_factory=ProcessMerger)
    open_watch: Callable[[], Watch] = Watch.forgetful

    def build(self, catalog: Any) -> Loader:
        """A loader over the catalog."""
        return build_loader(
            self.settings,
            Adapters(
                catalog=catalog,
                store=self.store,
                journals=self.journals,
                merger=self.merger,
                watch=self.open_watch(),
            ),
            RunFiles(
                board=self.board,
                registry=RegistryView(self.directory, self.board),
                usage=UsageTable.alone(),
                writers={},
            ),
            directory=self.directory,
            dialects=self.dialects,
            clock=self.clock,
        )

    def run(self, stop: threading.Event) -> None:
        """Loads until ``stop``."""
        run_loader(
            self.open_catalog,
            self.build,
            directory=self.directory,
            board=self.board,
            clock=self.clock,
            stop=stop,
        )


@dataclass
class Rig:
    """The parts of one node in a directory of its own."""

    directory: Directory
    clock: Any
    settings: Settings = field(default_factory=lambda: Settings(cut_age_s=3600, workers=1))
    writers: dict[int, JournalWriter] = field(default_factory=dict)
    wrap: Any = None
    """Changes what the next loader is made of."""

    def board(self) -> Board:
        """The node's board."""
        return Board.open(self.directory.board)

    def writer(self, worker: int, notify: Notify = _at_once) -> JournalWriter:
        """The open writer of a journal."""
        if worker not in self.writers:
            wait_until(lambda: self._open(worker, notify))  # the loader may be recovering it
        return self.writers[worker]

    def _open(self, worker: int, notify: Notify) -> bool:
        with contextlib.suppress(Conflict):
            self.writers[worker] = JournalWriter.open(
                self.directory.journal(worker),
                quarantine=self.directory.quarantine,
                clock=self.clock,
                file_bytes=1 << 20,
                notify=notify,
            )
        return worker in self.writers

    def write(
        self,
        events: Sequence[dict[str, Any]] | bytes,
        *,
        worker: int = 0,
        project: int = 1,
        key: int = 1,
        **fields: Any,
    ) -> int:
        """Writes one frame durably; its received time."""
        body = events if isinstance(events, bytes) else msgspec.json.encode(events)
        draft = Draft(
            place=Place(1, project, fields.get("endpoint", 7), key),
            dialect=fields.get("dialect", 1),
            dialect_version=1,
            event_count=fields.get("event_count", len(events)),
            refused_count=fields.get("refused_count", 0),
            flags=fields.get("flags", 0),
            meta=fields.get("meta", b""),
            body=body,
        )
        waiter = _Waiter()
        self.writer(worker).append(draft, waiter)
        assert waiter.told.wait(DEADLINE_S)
        return waiter.received_at_us

    def wiring(self) -> "Wiring":
        """What a loader is made of here."""
        wiring = Wiring(
            directory=self.directory,
            settings=self.settings,
            board=self.board(),
            open_catalog=self.open_catalog,
            clock=self.clock,
            store=LocalStore(self.directory.root),
            journals=LocalJournals(
                self.directory.journals, quarantine=self.directory.quarantine, clock=self.clock
            ),
        )
        return self.wrap(wiring) if self.wrap else wiring

    def open_catalog(self) -> SqlCatalog:
        """The catalog's adapter."""
        return SqlCatalog.open(sqlite_url(self.directory.catalog_db))

    @contextlib.contextmanager
    def running(self) -> Iterator["Running"]:
        """A loader in a thread; its end is awaited, and what ended it is raised."""
        stop = threading.Event()
        ended: list[BaseException] = []

        def run() -> None:
            try:
                self.wiring().run(stop)
            except BaseException as error:  # raised again below, in the test's thread
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        running = Running(LoaderClient(self.directory.loader_socket), thread)
        try:
            yield running
        finally:
            stop.set()
            thread.join(DEADLINE_S)
            running.client.close()
            if ended:
                raise ended[0]
            assert not thread.is_alive()

    def committed(self, project: int = 1) -> list[dict[str, Any]]:
        """The rows that the catalog's files hold, file by file."""
        catalog = self.open_catalog()
        files = [file for file in catalog.load().files if file.project_id == project]
        catalog.close()
        rows: list[dict[str, Any]] = []
        for file in files:
            table = pq.read_table(self.directory.root / file.path, partitioning=None)
            assert table.num_rows == file.row_count
            rows += table.to_pylist()
        return rows

    def ledger_total(self) -> LedgerRow:
        """The committed ledger, summed over everything."""
        catalog = self.open_catalog()
        rows = catalog.ledger(key_ids=None, from_minute=0, to_minute=2**40)
        catalog.close()
        names = LedgerRow.__struct_fields__[2:]
        return LedgerRow(0, 0, **{name: sum(getattr(r, name) for r in rows) for name in names})

    def file_names(self) -> set[str]:
        """Every file below lake, raw and dedup."""
        root = self.directory.root
        return {
            str(path.relative_to(root))
            for top in ("lake", "raw", "dedup")
            for path in (root / top).rglob("*")
            if path.is_file()
        }

    def close(self) -> None:
        """Closes the journals."""
        for writer in self.writers.values():
            writer.close()


@dataclass
class Running:
    """A loader that runs, asked over its socket."""

    client: LoaderClient
    thread: threading.Thread

    def cut(self) -> Status:
        """Everything durable is in the lake."""
        return asyncio.run(self.client.cut())

    def status(self) -> Status:
        """How it stands."""
        return asyncio.run(self.client.status())

    def ledger(self, **asked: Any) -> tuple[LedgerRow, ...]:
        """Counts over all time."""
        whole = {"key_ids": None, "from_minute": 0, "to_minute": 2**40}
        return asyncio.run(self.client.ledger(**(whole | asked)))

    def snapshot_files(self, project: int = 1) -> tuple[tuple[str, ...], pa.Table]:
        """The paths of a snapshot's files, and its tail."""
        shared = asyncio.run(self.client.snapshot(project))
        snapshot = shared.snapshot
        paths = tuple(file.path for file in snapshot.files)
        if shared.descriptor is None:
            assert snapshot.tail_row_count == snapshot.tail_byte_count == 0
            return paths, None
        try:
            content = os.pread(shared.descriptor, snapshot.tail_byte_count, 0)
        finally:
            os.close(shared.descriptor)
        assert len(content) == snapshot.tail_byte_count
        table = pa.ipc.open_stream(content).read_all()
        assert table.num_rows == snapshot.tail_row_count
        return paths, table

    def wait_for_rows(self, count: int, project: int = 1) -> pa.Table:
        """Waits until the project's tail has so many rows."""
        wait_until(lambda: self._tail_rows(project) == count)
        return self.snapshot_files(project)[1]

    def wait_for_in_flight(self, count: int) -> None:
        """Waits until so many events are read and not committed."""
        wait_until(lambda: sum(row.in_flight for row in self.ledger()) == count)

    def _tail_rows(self, project: int) -> int:
        tail = self.snapshot_files(project)[1]
        return 0 if tail is None else int(tail.num_rows)


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, up to the deadline."""
    pause = threading.Event()
    for _ in range(int(DEADLINE_S / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("the condition never held")


def make_rig(root: Path, clock: Any, **settings: Any) -> Rig:
    """A fresh node with a registry that names endpoint 7."""
    directory = Directory(root)
    directory.run.mkdir(parents=True)
    board = Board.create(directory.board)
    registry = Registry(1, {}, {}, {}, {7: Endpoint(7, 1, "e-7")})
    publish_registry(directory, board, registry)
    board.set(Slot.LOADER_READY, 0)
    rig = Rig(directory, clock)
    return replace(rig, settings=replace_settings(rig.settings, settings))


def replace_settings(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Settings with some values changed."""
    return replace(settings, **changes)
