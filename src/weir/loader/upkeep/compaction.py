"""Compaction: lake files are merged in a process of its own while everything else goes on.

    plan ─▶ merge (child process) ─▶ replace: catalog transaction, then view ─▶ removal, later

A step takes the result of one merge, so that other upkeep waits for one merge and not for a plan.
A crash leaves files that no catalog knows, which the next start removes. Why files are merged this
way is docs/decisions/0008-compaction.md.
"""

from collections import deque
from collections.abc import Generator, Sequence
from typing import Protocol

from weir.lake.merge import Merged, MergeJob
from weir.loader.upkeep.merge_planning import MergePlanner, PlannedMerge
from weir.loader.upkeep.replacing import FileReplacer
from weir.telemetry import Happening, emit

REST_S_MAX = 3600.0
"""The longest rest after merges."""

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


class Compaction:
    """The plan that is being carried out. ``cpu_share`` of a core is what it may take, above 0."""

    __slots__ = (
        "_awaited",
        "_cpu_share",
        "_has_merged",
        "_is_closed",
        "_merger",
        "_planner",
        "_replacer",
        "_results",
    )

    def __init__(
        self, planner: MergePlanner, merger: Merger, replacer: FileReplacer, *, cpu_share: float
    ) -> None:
        self._planner = planner
        self._merger = merger
        self._replacer = replacer
        self._cpu_share = cpu_share
        self._is_closed = False
        self._awaited: deque[PlannedMerge] = deque()
        """Merges of the plan whose results have not been taken."""
        self._results: Generator[Merged | str, None, None] | None = None
        self._has_merged = False
        """Whether any merge of the plan has changed the lake."""

    def step(self, now_s: float) -> float | None:
        """Takes the result of one merge; the first of a plan begins it.

        Raises what the catalog raises; then the plan is given up.
        """
        try:
            return self._step(now_s)
        except BaseException:
            self._awaited.clear()
            self._end_run()
            raise

    def close(self) -> None:
        """Ends the process that merges; a later loader plans anew."""
        self._is_closed = True
        self._merger.stop()

    def _step(self, now_s: float) -> float | None:
        if self._results is None:
            plan = self._planner.plan(now_s)
            if not plan:
                return None
            self._awaited.extend(plan)
            self._has_merged = False
            self._results = self._merger.run([merge.job for merge in plan])
        result = next(self._results, None)
        if result is None:  # the process ended early
            self._awaited.clear()
        else:
            self._take(self._awaited.popleft(), result, now_s)
        if self._awaited:
            return now_s
        self._end_run()
        return now_s + self._rest_s() if self._has_merged else None

    def _take(self, merge: PlannedMerge, result: Merged | str, now_s: float) -> None:
        if not isinstance(result, str):
            self._has_merged |= self._replacer.replace(merge.inputs, result)
            return
        self._planner.skip(merge, now_s)
        if not self._is_closed:
            emit(
                Happening.COMPACTION_FAILED,
                project=merge.inputs[0].project_id,
                files=len(merge.inputs),
                reason=result[:FAILURE_CHARS_MAX],
            )

    def _end_run(self) -> None:
        if self._results is not None:
            self._results.close()
            self._results = None

    def _rest_s(self) -> float:
        rest_s = self._merger.cpu_s * (1 - self._cpu_share) / self._cpu_share
        return min(max(rest_s, 0.0), REST_S_MAX)
