"""Compaction: lake files are merged in a process of its own while everything else goes on.

    plan ─▶ merge (child process) ─▶ replace: catalog transaction, then view ─▶ removal, later

A step begins merges and takes the results that are there; it waits for none. One merge goes on at
a time, and beside a large one a small one. A crash leaves files that no catalog knows, which the
next start removes. Why files are merged this way is docs/decisions/0008-compaction.md.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from weir.lake.merge import Merged, MergeJob
from weir.loader.upkeep.merge_planning import MergePlanner, PlannedMerge
from weir.loader.upkeep.replacing import FileReplacer
from weir.telemetry import Happening, emit

REST_S_MAX = 3600.0
"""The longest rest after merges."""

POLL_S = 0.1
"""How often a merge that goes on is asked for its result."""

REPLAN_S = 1.0
"""How often small merges are looked for beside a large one."""

FAILURE_CHARS_MAX = 200


class Merger(Protocol):
    """Carries out jobs elsewhere; ``loader/upkeep/merge_process.py`` is a process of its own."""

    def begin(self, number: int, job: MergeJob) -> None:
        """Takes a job on; one that comes while another goes on is done before that goes on."""
        ...

    def results(self) -> Sequence[tuple[int, Merged | str]]:
        """The jobs that are done since the last call, each with its result or why it failed."""
        ...

    def rest(self) -> None:
        """Gives everything back until the next job; what goes on is given up."""
        ...

    @property
    def cpu_s(self) -> float:
        """CPU seconds from the first job to the last ``rest``."""
        ...

    def stop(self) -> None:
        """Ends what goes on, and lets nothing begin; from any thread."""
        ...


class Compaction:
    """The plan that is being carried out. ``cpu_share`` of a core is what it may take, above 0."""

    __slots__ = (
        "_begun",
        "_cpu_share",
        "_has_merged",
        "_is_closed",
        "_is_round",
        "_merger",
        "_planner",
        "_queue",
        "_replacer",
        "_replan_at_s",
        "_running",
    )

    def __init__(
        self, planner: MergePlanner, merger: Merger, replacer: FileReplacer, *, cpu_share: float
    ) -> None:
        self._planner = planner
        self._merger = merger
        self._replacer = replacer
        self._cpu_share = cpu_share
        self._is_closed = False
        self._queue: deque[PlannedMerge] = deque()
        """Merges that were planned and have not begun."""
        self._running: dict[int, PlannedMerge] = {}
        self._begun = 0
        self._replan_at_s = 0.0
        self._is_round = False
        """Whether anything has begun since the last rest."""
        self._has_merged = False
        """Whether any merge of the round has changed the lake."""

    def step(self, now_s: float) -> float | None:
        """Takes what is done and begins what may begin; the first of a plan begins a round.

        Raises what the catalog raises; then the plan is given up.
        """
        try:
            return self._step(now_s)
        except BaseException:
            self._queue.clear()
            self._running.clear()
            self._end_round()
            raise

    def close(self) -> None:
        """Ends the process that merges; a later loader plans anew."""
        self._is_closed = True
        self._merger.stop()

    def _step(self, now_s: float) -> float | None:
        for number, result in self._merger.results():
            self._take(self._running.pop(number), result, now_s)
        if not self._running and not self._queue and self._is_round:
            self._end_round()
            return now_s + self._rest_s() if self._has_merged else None
        self._plan_on(now_s)
        while (merge := self._next()) is not None:
            self._begin(merge)
        return now_s + POLL_S if self._running else None

    def _plan_on(self, now_s: float) -> None:
        """Plans when there is nothing to begin, beside a large merge only now and then.

        Large ones that wait behind a large one keep no small one that comes meanwhile.
        """
        could_begin = [merge for merge in self._queue if merge.is_small or not self._running]
        if could_begin or (self._running and now_s < self._replan_at_s):
            return
        self._replan_at_s = now_s + REPLAN_S
        taken = (*self._running.values(), *self._queue)
        held = [path for merge in taken for path in merge.paths]
        plan = self._planner.plan(now_s, held=held)
        self._queue.extend(merge for merge in plan if merge.is_small or not self._running)

    def _next(self) -> PlannedMerge | None:
        """Takes from the queue what may begin now."""
        running = list(self._running.values())
        if not running:
            return self._queue.popleft() if self._queue else None
        if len(running) == 1 and not running[0].is_small:
            small = next((merge for merge in self._queue if merge.is_small), None)
            if small is not None:
                self._queue.remove(small)
            return small
        return None

    def _begin(self, merge: PlannedMerge) -> None:
        if not self._is_round:
            self._is_round, self._has_merged = True, False
        self._begun += 1
        self._running[self._begun] = merge
        self._merger.begin(self._begun, merge.job)

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

    def _end_round(self) -> None:
        self._is_round = False
        self._merger.rest()

    def _rest_s(self) -> float:
        rest_s = self._merger.cpu_s * (1 - self._cpu_share) / self._cpu_share
        return min(max(rest_s, 0.0), REST_S_MAX)
