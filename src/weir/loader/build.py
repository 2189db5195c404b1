"""Putting a loader together: every part gets the values that it depends on.

``Adapters`` is what stands behind the loader's ports, ``RunFiles`` what it shares with the node's
other processes. Nothing here runs: ``run.py`` starts the threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from weir.clock import Clock
from weir.domain.event import Dialect
from weir.domain.times import DAY_US
from weir.lake.acceleration import Accelerator
from weir.lake.tiers import MergeLimits
from weir.loader.background import BackgroundThread, BackgroundWork
from weir.loader.commit.committer import Committer
from weir.loader.commit.cutter import Cutter
from weir.loader.commit.demand import Demand
from weir.loader.commit.report import CommitReport
from weir.loader.commit.writing import CommitWriter
from weir.loader.ports import Catalog, JournalSource, LakeStore
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.rounds import RoundReader
from weir.loader.read.watch import Watch
from weir.loader.run import Loader, Loop
from weir.loader.serve.answers import Answers
from weir.loader.serve.live_ledger import LiveLedger
from weir.loader.serve.trace import Tracer
from weir.loader.tail.endpoint_names import EndpointNames
from weir.loader.tail.feed import TailFeed
from weir.loader.tail.limits import CutLimits
from weir.loader.tail.meter import Meter
from weir.loader.tail.replay_queue import ReplayQueue
from weir.loader.tail.view import View
from weir.loader.tail.writer import TailWriter
from weir.loader.upkeep.compaction import Compaction, Merger
from weir.loader.upkeep.gauges import show_gauges
from weir.loader.upkeep.hold import RemovalHold
from weir.loader.upkeep.merge_planning import JobBounds, MergePlanner
from weir.loader.upkeep.orphans import OrphanSweep, remove_stray_sidecars
from weir.loader.upkeep.recurring import Recurring
from weir.loader.upkeep.removals import Removals
from weir.loader.upkeep.replacing import FileReplacer
from weir.loader.upkeep.scrub import Scrub
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.node.usage import UsageTable
from weir.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What stands behind the loader's ports."""

    catalog: Catalog
    store: LakeStore
    journals: JournalSource
    merger: Merger
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What the loader shares with the node's other processes, in ``run/``.

    ``writers`` are the workers of ``usage`` by the journals that they write.
    """

    board: Board
    registry: RegistryView
    usage: UsageTable
    writers: Mapping[str, int]


def build_loader(
    settings: Settings,
    adapters: Adapters,
    shared: RunFiles,
    *,
    directory: Directory,
    dialects: Mapping[int, Dialect],
    clock: Clock,
) -> Loader:
    """A loader that goes on where the catalog's last commit ends, and fences every earlier one.

    What that commit left to be removed is removed before anything is read. Raises as the catalog
    and the files that it names do; ``Corrupt`` for a damaged sidecar.
    """
    limits = _limits_of(settings)
    builder = _Builder(limits, adapters, shared, directory=directory, clock=clock)
    return builder.build(dialects)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What the parts depend on of the settings, in the units in which they take it."""

    cut: CutLimits
    dedup_window_us: int
    raw_kept_us: int
    columns_max: int
    merge: MergeLimits
    merge_memory_bytes: int
    compaction_cpu_share: float
    upkeep_interval_s: float
    query_timeout_s: float


def _limits_of(settings: Settings) -> _Limits:
    return _Limits(
        cut=CutLimits(settings.cut_age_s, settings.tail_bytes_max),
        dedup_window_us=settings.dedup_window_s * 1_000_000,
        raw_kept_us=settings.raw_retention_days * DAY_US,
        columns_max=settings.accelerated_columns_max,
        merge=MergeLimits(settings.compaction_files, settings.file_bytes_max),
        merge_memory_bytes=settings.compaction_memory_bytes,
        compaction_cpu_share=settings.compaction_cpu_share,
        upkeep_interval_s=settings.compaction_interval_s,
        query_timeout_s=settings.query_timeout_s,
    )


class _Builder:
    """What several parts share, and a method for each folder."""

    def __init__(
        self,
        limits: _Limits,
        adapters: Adapters,
        shared: RunFiles,
        *,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self.limits = limits
        self.adapters = adapters
        self.shared = shared
        self.directory = directory
        self.clock = clock
        self.epoch = adapters.catalog.take_over()
        self.state = adapters.catalog.load()
        self.view = View(self.state, adapters.store.locate)
        self.hold = RemovalHold(clock)
        self.demand = Demand()

    def build(self, dialects: Mapping[int, Dialect]) -> Loader:
        catalog, store = self.adapters.catalog, self.adapters.store
        reader = RoundReader(self.adapters.journals, self.state.journals, self.clock)
        decoder = FrameDecoder(dialects, EndpointNames(self.shared.registry, self.view).of)
        writer = self._tail_writer()
        feed = self._feed(reader, decoder, writer)
        replays = ReplayQueue(
            catalog=catalog,
            store=store,
            view=self.view,
            decoder=decoder,
            writer=writer,
            dedup_window_us=self.limits.dedup_window_us,
        )
        removals = self._removals()
        committer = self._committer(removals)
        commits = BackgroundThread("lake-commit", [committer], self.clock)
        answers = Answers(
            view=self.view,
            reader=reader,
            ledger=LiveLedger(catalog, self.view, committer.ledger_lock),
            tracer=Tracer(
                catalog=catalog,
                store=store,
                view=self.view,
                dialects=dialects,
                clock=self.clock,
                dedup_window_us=self.limits.dedup_window_us,
            ),
            replays=replays,
            demand=self.demand,
            hold=self.hold,
        )
        loop = Loop(
            feed=feed,
            replays=replays,
            cutter=self._cutter(committer, commits),
            show_gauges=partial(show_gauges, self.directory, self.view),
            clock=self.clock,
            unfinished=self.state.intent,
        )
        return Loader(
            loop=loop,
            commits=commits,
            upkeep=self._upkeep(removals),
            answers=answers,
            feed=feed,
        )

    def _tail_writer(self) -> TailWriter:
        meter = Meter(
            self.shared.usage,
            self.adapters.catalog.usage,
            writers=self.shared.writers,
            now_us=self.clock.now_us(),
        )
        return TailWriter(
            view=self.view,
            meter=meter,
            board=self.shared.board,
            clock=self.clock,
            dedup_window_us=self.limits.dedup_window_us,
        )

    def _feed(self, reader: RoundReader, decoder: FrameDecoder, writer: TailWriter) -> TailFeed:
        self.adapters.watch.forget_below(self.state.journals)
        return TailFeed(
            reader=reader,
            decoder=decoder,
            watch=self.adapters.watch,
            writer=writer,
            view=self.view,
            limits=self.limits.cut,
        )

    def _removals(self) -> Removals:
        """Removes what the last commit has retired; what waits for a time is left to upkeep."""
        store = self.adapters.store
        remove_stray_sidecars(store, known=[each.path for each in self.state.sidecars])
        removals = Removals(
            catalog=self.adapters.catalog,
            store=store,
            journals=self.adapters.journals,
            view=self.view,
            hold=self.hold,
            clock=self.clock,
            epoch=self.epoch,
        )
        removals.add(self.state.removals)
        removals.clean_up()
        return removals

    def _committer(self, removals: Removals) -> Committer:
        return Committer(
            catalog=self.adapters.catalog,
            view=self.view,
            writer=CommitWriter(
                store=self.adapters.store,
                catalog=self.adapters.catalog,
                view=self.view,
                accelerator=Accelerator(columns_max=self.limits.columns_max),
                raw_kept_us=self.limits.raw_kept_us,
            ),
            report=CommitReport(
                self.shared.board, self.view, explained_before=self.state.explained
            ),
            clean_up=removals.clean_up,
            clock=self.clock,
            epoch=self.epoch,
        )

    def _cutter(self, committer: Committer, commits: BackgroundThread) -> Cutter:
        return Cutter(
            view=self.view,
            committer=committer,
            thread=commits,
            demand=self.demand,
            clock=self.clock,
            limits=self.limits.cut,
            dedup_window_us=self.limits.dedup_window_us,
        )

    def _upkeep(self, removals: Removals) -> BackgroundThread:
        """The works of upkeep, the shortest first; without a share of a core nothing is merged."""
        catalog, store = self.adapters.catalog, self.adapters.store
        sweep = OrphanSweep(
            catalog=catalog, store=store, view=self.view, hold=self.hold, clock=self.clock
        )
        works: dict[str, BackgroundWork] = {
            "removals": removals,
            "orphan_sweep": sweep,
            "scrub": Scrub(self.view, store.locate),
        }
        if self.limits.compaction_cpu_share:
            works["compaction"] = self._compaction(removals)
        interval_s = self.limits.upkeep_interval_s
        return BackgroundThread(
            "upkeep",
            [Recurring(work, name=name, interval_s=interval_s) for name, work in works.items()],
            self.clock,
            first_after_s=interval_s,
        )

    def _compaction(self, removals: Removals) -> Compaction:
        limits = self.limits
        planner = MergePlanner(
            self.view,
            self.clock,
            limits=limits.merge,
            bounds=JobBounds(
                root=str(self.directory.root),
                columns_max=limits.columns_max,
                memory_bytes=limits.merge_memory_bytes,
            ),
        )
        replacer = FileReplacer(
            catalog=self.adapters.catalog,
            store=self.adapters.store,
            view=self.view,
            removals=removals,
            clock=self.clock,
            epoch=self.epoch,
            query_timeout_s=limits.query_timeout_s,
        )
        return Compaction(
            planner, self.adapters.merger, replacer, cpu_share=limits.compaction_cpu_share
        )
