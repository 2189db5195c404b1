"""The loader: reads the journals, holds the tail, commits the lake, answers on its socket.

One thread reads and decides; one at a time commits (``committer.py``); the service's threads
answer. What is in memory can be lost at any moment: the journals hold it until the catalog does.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from weir.clock import Clock
from weir.domain.event import Dialect
from weir.domain.frame import Frame
from weir.domain.outcome import MINUTE_US
from weir.errors import Unavailable
from weir.lake.records import CatalogState, Intent
from weir.lake.store import LocalStore
from weir.loader.commit.catalog import Catalog
from weir.loader.commit.committer import Committer, Ports
from weir.loader.commit.cut import CutLimits, CutReason, decide_cut, is_full, plan_cut
from weir.loader.commit.writing import LakeStore
from weir.loader.read.journals import JournalSource, LocalJournals
from weir.loader.read.meter import Meter
from weir.loader.read.portions import Portion, Portions
from weir.loader.read.replay_queue import ReplayPorts, Replays
from weir.loader.read.rounds import RoundReader
from weir.loader.read.watch import Watch
from weir.loader.serve.answers import AnswerPorts, Answers
from weir.loader.serve.demand import Demand
from weir.loader.serve.service import Service
from weir.loader.tail.dedup import find_duplicates
from weir.loader.tail.view import View
from weir.loader.upkeep.compaction import Compaction, CompactionPorts, Merger
from weir.loader.upkeep.gauges import show_disk
from weir.loader.upkeep.hold import RemovalHold
from weir.loader.upkeep.merge_process import ProcessMerger
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.node.usage import UsageTable
from weir.settings import Settings
from weir.storage.local import FileLock, make_directory, while_locked
from weir.telemetry import TAIL_BYTES, Happening, emit

POLL_S = 0.04
"""How often idle journals are looked at: part of the time until an event is visible."""

LOCK_PATIENCE_S = 5.0
"""How long a predecessor may take to die."""

REGISTRY_PATIENCE_S = 10.0
"""How long a first registry is waited for; without it rows carry numbers for endpoint names."""

LAST_CUT_S = 10.0
"""How long the cut at the end may take; what it does not finish, the next start does."""

GAUGES_S = 1.0
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class LoaderParts:
    """What a loader is made of. ``open_catalog`` is called once the loader's lock is held.

    Without ``store``, ``journals`` or ``merger`` those of the directory are used; without
    ``usage`` nobody is told what tenants have used. ``writers`` are the workers of ``usage`` by
    the journals that they write.
    """

    directory: Directory
    settings: Settings
    board: Board
    registry: RegistryView
    dialects: Mapping[int, Dialect]
    open_catalog: Callable[[], Catalog]
    clock: Clock
    store: LakeStore | None = None
    journals: JournalSource | None = None
    merger: Merger | None = None
    usage: UsageTable = field(default_factory=UsageTable.alone)
    writers: Mapping[str, int] = field(default_factory=dict)
    open_watch: Callable[[], Watch] = Watch.forgetful


def run_loader(parts: LoaderParts, stop: threading.Event) -> None:
    """Loads until ``stop``, then cuts a last time and returns.

    ``Conflict`` when another process holds the loader's lock (``locked``) or has taken over
    (``fenced``).
    """
    lock = FileLock(parts.directory.loader_lock, purpose="Loader")
    while_locked(lock.acquire, wait_s=LOCK_PATIENCE_S, clock=parts.clock, given_up=stop.is_set)
    try:
        _await_registry(parts, stop)
        catalog = parts.open_catalog()
        epoch = catalog.take_over()
        loader = Loader(parts, catalog, epoch=epoch, state=catalog.load())
        make_directory(parts.directory.run)
        try:
            with ExitStack() as served:
                # Nobody is answered before what was acknowledged earlier has been read again.
                loader.run(
                    stop,
                    when_caught_up=lambda: served.callback(
                        Service(parts.directory.loader_socket, loader.answers).close
                    ),
                )
        finally:
            loader.close()
            catalog.close()
    finally:
        lock.release()


class Loader:
    """The state of a running loader: ``run`` has one thread, ``answers`` any."""

    __slots__ = (
        "_board",
        "_catalog",
        "_clock",
        "_demand",
        "_gauges_at_s",
        "_intent",
        "_limits",
        "_meter",
        "_parts",
        "_pause",
        "_portions",
        "_readers",
        "_replays",
        "_settings",
        "_short_of_memory",
        "_ticket",
        "_view",
        "_watch",
        "_when_caught_up",
        "answers",
        "committer",
        "compaction",
    )

    def __init__(
        self, parts: LoaderParts, catalog: Catalog, *, epoch: int, state: CatalogState
    ) -> None:
        store = parts.store or LocalStore(parts.directory.root)
        journals = parts.journals or LocalJournals(
            parts.directory.journals, quarantine=parts.directory.quarantine, clock=parts.clock
        )
        self._parts = parts
        self._board, self._clock, self._settings = parts.board, parts.clock, parts.settings
        self._catalog = catalog
        self._limits = CutLimits(parts.settings.cut_age_s, parts.settings.tail_bytes_max)
        self._view = View(state, store.locate)
        self._meter = self._open_meter(catalog)
        self._replays = self._open_replays(store)
        self._readers = RoundReader(journals, state.journals, parts.clock)
        self._watch = parts.open_watch()
        self._watch.forget_below(state.journals)
        hold = RemovalHold(parts.clock)
        ports = Ports(catalog, store, journals, parts.board, parts.clock, parts.settings, hold)
        self.committer = Committer(ports, self._view, epoch=epoch, explained_before=state.explained)
        self._portions: Portions | None = None
        """A round of which some is not in the tail yet."""
        self._short_of_memory = False
        """A frame did not fit beside the tail: nothing is read until the tail is in the lake."""
        self._demand = Demand()
        # Never set. Waiting on ``stop`` itself would hold its lock while a signal sets it.
        self._pause = threading.Event()
        self.answers = Answers(
            AnswerPorts(
                *(catalog, self._view, self._readers, self._demand, hold, self._replays),
                ledger_lock=self.committer.ledger_lock,
                read_raw=store.read,
                dialects=parts.dialects,
                clock=parts.clock,
                settings=parts.settings,
            )
        )
        self._when_caught_up: Callable[[], object] | None = None
        self._ticket = 0
        self._intent = state.intent
        self._gauges_at_s = 0.0
        self._board.set(Slot.COMMIT_ID, state.commit_id)
        strays = set(store.names("dedup")) - {each.path for each in state.sidecars}
        at_once = tuple(each.path for each in state.removals if not each.due_us)
        self.committer.clean_up(at_once, sorted(strays))
        self.compaction = Compaction(
            CompactionPorts(
                catalog,
                store,
                parts.merger or ProcessMerger(),
                parts.clock,
                parts.settings,
                hold,
                root=str(parts.directory.root),
                spill=str(parts.directory.spill),
            ),
            self._view,
            epoch=epoch,
            removals=[each for each in state.removals if each.due_us],
        )

    def run(self, stop: threading.Event, *, when_caught_up: Callable[[], object]) -> None:
        """Reads and cuts until ``stop``, then finishes.

        ``when_caught_up`` is called once, when everything that was durable at the start is read.
        """
        self._when_caught_up = when_caught_up
        while not stop.is_set():
            if self.step():
                self._pause.wait(POLL_S)
        self._finish()

    def close(self) -> None:
        """Gives back what queries read the tail from; nobody asks any more."""
        self.compaction.stop()
        self._view.close()
        self._watch.close()

    def _open_meter(self, catalog: Catalog) -> Meter:
        parts = self._parts
        now_us = self._clock.now_us()
        return Meter(parts.usage, catalog.usage, writers=parts.writers, now_us=now_us)

    def _open_replays(self, store: LakeStore) -> Replays:
        ports = ReplayPorts(
            *(self._catalog, self._view, store, self._parts.dialects, self._name_endpoints),
            clock=self._clock,
            settings=self._settings,
        )
        return Replays(ports)

    def step(self) -> bool:
        """One round of reading and at most one cut; whether there is nothing to do at once.

        An unfinished cut of a predecessor comes first, and alone.
        """
        if self._intent is not None:
            return not self._resume(self._intent)
        wanted = self._demand.wanted
        self._replays.take()
        if not self._view.holds_rows:
            self._short_of_memory = False
        full = self._is_full()
        caught_up = not full and self._read_on()
        if not self.committer.busy:
            self._cut(wanted, caught_up=caught_up)
        if caught_up and self._when_caught_up is not None:
            self._when_caught_up()
            self._when_caught_up = None
            self.compaction.start()
            self._board.set(Slot.LOADER_READY, 1)
        self._show_gauges()
        return caught_up or full

    def _is_full(self) -> bool:
        tail_bytes = self._view.growing.byte_count
        return self._short_of_memory or is_full(self._limits, tail_bytes=tail_bytes)

    def _read_on(self, intent: Intent | None = None) -> bool:
        """Brings a round of reading, or what is left of the last one, into the tail.

        Stops in the middle when the tail is full; not with an intent, whose rows fitted before.
        Whether everything that was durable at the call has been read.
        """
        caught_up = False
        if self._portions is None:
            found = self._readers.read(until=intent.spans if intent else None)
            if not found.spans:
                self._show_watermark(found.watermark_us)
                return found.caught_up
            self._portions = Portions(found, self._watch)
            caught_up = found.caught_up
        while not self._portions.done:
            if intent is None and self._is_full():
                return False
            try:
                portion = self._portions.take(self._parts.dialects, self._name_endpoints)
            except MemoryError as error:
                self._watch.end()
                if self._view.holds_rows:
                    if intent is not None:
                        raise
                    self._short_of_memory = True
                    return False
                portion = self._portions.bury(error, self._parts.dialects)
            self._add(portion)
            self._watch.end()
        self._show_watermark(self._portions.watermark_us)
        self._portions = None
        return caught_up

    def _add(self, portion: Portion) -> None:
        """Makes a portion visible."""
        found, block = portion
        for frame, reason in block.dead:
            emit(
                Happening.FRAME_DEAD_LETTERED,
                journal=frame.journal_id,
                position=frame.position,
                project=frame.place.project_id,
                dialect=frame.dialect,
                events=frame.event_count,
                reason=reason.partition(":")[0],
            )
        window_us = self._settings.dedup_window_s * 1_000_000
        verdict = find_duplicates(block.ids, self._view.indexes(), window_us=window_us)
        now_us = self._clock.now_us()
        minute = now_us // MINUTE_US
        self._view.add(found, block, verdict, now_s=self._clock.monotonic_s(), minute=minute)
        self._meter.add(found, block, verdict, now_us=now_us)

    def _show_watermark(self, watermark_us: int) -> None:
        self._view.watermark_us = watermark_us
        self._board.set(Slot.WATERMARK_US, watermark_us)

    def _name_endpoints(self, frames: Sequence[Frame]) -> Mapping[int, str]:
        """Names of endpoints; decides those that the growing generation has not met yet."""
        names = self._view.growing.endpoints
        unnamed = {frame.place.endpoint_id for frame in frames} - names.keys()
        for endpoint_id in sorted(unnamed):
            try:
                endpoint = self._parts.registry.current().endpoints.get(endpoint_id)
            except Unavailable:
                endpoint = None
            names[endpoint_id] = endpoint.public_id if endpoint else str(endpoint_id)
        return names

    def _cut(self, wanted: int, *, caught_up: bool) -> None:
        self._demand.serve(self._ticket)
        growing = self._view.growing
        demanded = caught_up and wanted > self._demand.served
        reason = plan_cut(
            self._limits,
            age_s=None if growing.since_s is None else self._clock.monotonic_s() - growing.since_s,
            full=self._is_full(),
            demanded=demanded,
        )
        if reason is not None:
            self._begin_commit(reason)
        if demanded:
            self._ticket = wanted
            if reason is None:
                self._demand.serve(wanted)

    def _begin_commit(self, reason: CutReason, intent: Intent | None = None) -> None:
        generation = self._view.begin_commit()
        if intent is None:
            intent = decide_cut(
                self._view.commit_id + 1,
                generation.spans,
                endpoints=generation.endpoints,
                watermark_us=self._view.watermark_us,
                now_us=self._clock.now_us(),
                dedup_window_us=self._settings.dedup_window_s * 1_000_000,
                replays=[letter for each in generation.replays for letter in each.letters],
            )
        if reason is CutReason.RESUME:
            emit(Happening.LAKE_COMMIT_RESUMED, commit=intent.commit_id)
        self.committer.start(generation, intent)

    def _resume(self, intent: Intent) -> bool:
        """Reads on in exactly what an unfinished cut covers; once that is done, commits it."""
        self._replays.resume(intent.replays)
        if not self._read_on(intent):
            return False
        self._intent = None
        self._begin_commit(CutReason.RESUME, intent)
        return True

    def _finish(self) -> None:
        """The last cut, within ``LAST_CUT_S``."""
        if self._intent is not None:
            return
        deadline_s = self._clock.monotonic_s() + LAST_CUT_S
        self.committer.stop()
        if not self.committer.wait(LAST_CUT_S) or self._view.is_committing:
            return
        while not self._is_full():
            if self._read_on() or self._clock.monotonic_s() >= deadline_s:
                break
        if self._view.growing.since_s is not None:
            self._begin_commit(CutReason.DEMAND)
            self.committer.wait(max(0.0, deadline_s - self._clock.monotonic_s()))
        if not self._view.is_committing:
            self._demand.serve(self._demand.wanted)

    def _show_gauges(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._gauges_at_s:
            return
        self._gauges_at_s = now_s + GAUGES_S
        self._meter.turn(self._clock.now_us())
        if self._portions is None:
            self._meter.settle(self._readers.offsets())
        TAIL_BYTES.set(self._view.byte_count)
        show_disk(self._parts.directory)


def _await_registry(parts: LoaderParts, stop: threading.Event) -> None:
    deadline_s = parts.clock.monotonic_s() + REGISTRY_PATIENCE_S
    while not parts.board.get(Slot.REGISTRY_EPOCH) and parts.clock.monotonic_s() < deadline_s:
        if stop.is_set():
            return
        threading.Event().wait(_PAUSE_S)
