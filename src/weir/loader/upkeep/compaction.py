"""Compaction: lake files are merged in a process of its own while everything else goes on.

    plan ─▶ merge (child process) ─▶ swap: catalog transaction, then view ─▶ removal, later

The swap compares all inputs: when one has gone in the meantime, the merged file is dropped. A
replaced file stays until no query can read it any more; what is to be removed when stands in the
catalog and survives a restart. A crash leaves files that no catalog knows, which the next start
removes. One thread; the loader's other threads never wait for it.
"""

import contextlib
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from weir.clock import Clock
from weir.domain.layout import NO_LAYOUT, layout_of
from weir.domain.snapshot import LakeFile
from weir.errors import Conflict, WeirError
from weir.lake.merge import Merged, MergeJob
from weir.lake.records import Removal, Replacement
from weir.lake.tiers import MergeLimits, plan_merges
from weir.loader.commit.catalog import FENCED, Catalog
from weir.loader.commit.writing import LakeStore
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.loader.upkeep.orphans import remove_orphans
from weir.loader.upkeep.scrub import Scrub
from weir.settings import Settings
from weir.telemetry import COMPACTED_FILES, LAKE_FILES, Happening, emit

DAY_GRACE_US = 3600 * 1_000_000
"""How long after its end a day may still get files of events that came before it."""

REMOVAL_GRACE_S = 60.0
"""What a replaced file outlives the longest query by."""

SKIP_S = 3600.0
"""How long files are left alone that could not be merged."""

FAILURE_CHARS_MAX = 200


class Merger(Protocol):
    """Carries out jobs elsewhere; ``loader/upkeep/merge_process.py`` is a process of its own."""

    def run(self, jobs: Sequence[MergeJob]) -> Generator[Merged | str, None, None]:
        """A result for each job as it is done, in order, or why it failed; may end early."""
        ...

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the last run took."""
        ...

    def stop(self) -> None:
        """Ends a run; from any thread."""
        ...


class CompactionPorts(NamedTuple):
    """What compaction needs of the outside. ``spill`` is a directory for what does not fit."""

    catalog: Catalog
    store: LakeStore
    merger: Merger
    clock: Clock
    settings: Settings
    hold: RemovalHold
    root: str
    spill: str


class Compaction:
    """The thread that plans and swaps, from ``start`` to ``stop``."""

    __slots__ = (
        "_epoch",
        "_ports",
        "_removals",
        "_scrub",
        "_skipped",
        "_stopping",
        "_swept",
        "_thread",
        "_view",
    )

    def __init__(
        self, ports: CompactionPorts, view: View, *, epoch: int, removals: Sequence[Removal]
    ) -> None:
        self._ports = ports
        self._view = view
        self._epoch = epoch
        self._removals = list(removals)
        self._skipped: dict[str, float] = {}
        """Files that could not be merged, and until when they are left alone."""
        self._swept = False
        self._stopping = threading.Event()
        self._scrub = Scrub(view, ports.store.locate, ports.clock, stopping=self._stopping.is_set)
        self._thread = threading.Thread(target=self._run, name="compaction", daemon=True)

    def start(self) -> None:
        """Begins; with a share of 0 nothing is merged, and removals are done all the same."""
        self._thread.start()

    def stop(self) -> None:
        """Gives up what is running, which a later start does anew."""
        self._stopping.set()
        self._ports.merger.stop()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> int:
        """Removes what is due, scrubs, carries out one plan; tells how many merges that made."""
        with self._ports.hold.removing() as may_remove:
            if may_remove:
                self._remove_due()
                self._remove_orphans_once()
        self._scrub.round()
        settings = self._ports.settings
        if not settings.compaction_cpu_share:
            return 0
        now_s = self._ports.clock.monotonic_s()
        self._skipped = {path: until for path, until in self._skipped.items() if until > now_s}
        files = self._view.files()
        LAKE_FILES.set(len(files))
        merges = plan_merges(
            files,
            MergeLimits(settings.compaction_files, settings.file_bytes_max),
            today=self._today(),
            skipped=self._skipped,
        )
        jobs = [self._job(inputs) for inputs in merges]
        done = 0
        if jobs:
            with contextlib.closing(self._ports.merger.run(jobs)) as results:
                for inputs, result in zip(merges, results, strict=False):
                    done += self._finish(inputs, result)
        return done

    def _run(self) -> None:
        settings = self._ports.settings
        pause_s = settings.compaction_interval_s
        while not self._stopping.wait(pause_s):
            pause_s = settings.compaction_interval_s
            try:
                done = self.round()
            except Exception as error:  # the lake is whole without it; later is early enough
                if isinstance(error, Conflict) and error.code == FENCED:
                    return
                if not self._stopping.is_set():
                    _tell_failure(error)
                continue
            if done:
                share = settings.compaction_cpu_share
                rest_s = self._ports.merger.cpu_s * (1 - share) / share
                pause_s = min(max(rest_s, 0.0), SKIP_S)

    def _finish(self, inputs: Sequence[LakeFile], result: Merged | str) -> int:
        if isinstance(result, str):
            until_s = self._ports.clock.monotonic_s() + SKIP_S
            self._skipped |= {file.path: until_s for file in inputs}
            emit(
                Happening.COMPACTION_FAILED,
                project=inputs[0].project_id,
                files=len(inputs),
                reason=result[:FAILURE_CHARS_MAX],
            )
            return 0
        replacement = self._replacement(inputs, result)
        try:
            self._ports.catalog.replace_files(self._epoch, replacement)
        except Conflict as error:
            if error.code == FENCED:
                raise
            self._ports.store.remove(result.path)
            return 0
        self._view.replace_files(replacement)
        self._removals += replacement.removals
        COMPACTED_FILES.inc(len(inputs))
        emit(
            Happening.FILES_COMPACTED,
            project=replacement.file.project_id,
            day=replacement.file.day,
            files=len(inputs),
            rows=result.row_count,
            bytes=result.byte_count,
        )
        return 1

    def _replacement(self, inputs: Sequence[LakeFile], merged: Merged) -> Replacement:
        first = inputs[0]
        layout = layout_of(first.project_id, merged.columns)
        settings = self._ports.settings
        kept_us = int((settings.query_timeout_s + REMOVAL_GRACE_S) * 1_000_000)
        due_us = self._ports.clock.now_us() + kept_us
        return Replacement(
            inputs=tuple(file.path for file in inputs),
            file=LakeFile(
                path=merged.path,
                project_id=first.project_id,
                row_count=merged.row_count,
                byte_count=merged.byte_count,
                day=first.day,
                ts_min_us=merged.ts_min_us,
                ts_max_us=merged.ts_max_us,
                sha256=merged.sha256,
                layout=NO_LAYOUT if layout is None else layout.id,
            ),
            layout=layout,
            removals=tuple(
                Removal(file.path, due_us) for file in inputs if file.path != merged.path
            ),
        )

    def _job(self, inputs: Sequence[LakeFile]) -> MergeJob:
        ports = self._ports
        return MergeJob(
            root=ports.root,
            spill=ports.spill,
            inputs=tuple(file.path for file in inputs),
            sha256=tuple(file.sha256 for file in inputs),
            row_count=sum(file.row_count for file in inputs),
            earlier=self._view.choice(inputs[0].project_id),
            columns_max=ports.settings.accelerated_columns_max,
            memory_bytes=ports.settings.compaction_memory_bytes,
        )

    def _today(self) -> str:
        """The oldest day that may still get files."""
        moment_us = self._ports.clock.now_us() - DAY_GRACE_US
        return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%d")

    def _remove_orphans_once(self) -> None:
        if self._swept:
            return
        self._swept = True
        ports = self._ports
        remove_orphans(
            ports.catalog,
            ports.store,
            commit_id=self._view.commit_id,
            now_us=ports.clock.now_us(),
        )

    def _remove_due(self) -> None:
        now_us = self._ports.clock.now_us()
        due = [each for each in self._removals if each.due_us <= now_us]
        removed = set()
        for each in due:
            try:
                self._ports.store.remove(each.path)
            except OSError as error:
                emit(Happening.LAKE_CLEANUP_FAILED, reason=type(error).__name__)
                continue
            removed.add(each.path)
        self._ports.catalog.forget_removals(self._epoch, removed)
        self._removals = [each for each in self._removals if each.path not in removed]


def _tell_failure(error: Exception) -> None:
    code = error.code if isinstance(error, WeirError) else type(error).__name__
    emit(Happening.COMPACTION_FAILED, project=0, files=0, reason=code)
