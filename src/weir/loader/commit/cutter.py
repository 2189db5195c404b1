"""Cutting: the reading thread closes what it has read, and the committer takes it from there.

One generation grows while at most one is being committed, so a cut waits for the commit before.
"""

from weir.clock import Clock
from weir.lake.records import Intent
from weir.loader.background import BackgroundThread
from weir.loader.commit.committer import Committer
from weir.loader.commit.demand import Demand
from weir.loader.commit.rules import decide_cut, is_cut_due
from weir.loader.tail.limits import CutLimits
from weir.loader.tail.view import View
from weir.telemetry import Happening, emit


class Cutter:
    """Decides when to cut, and begins the commits. For the reading thread.

    ``thread`` is the one that carries the committer's steps out.
    """

    __slots__ = (
        "_clock",
        "_committer",
        "_dedup_window_us",
        "_demand",
        "_limits",
        "_thread",
        "_ticket",
        "_view",
    )

    def __init__(
        self,
        *,
        view: View,
        committer: Committer,
        thread: BackgroundThread,
        demand: Demand,
        clock: Clock,
        limits: CutLimits,
        dedup_window_us: int,
    ) -> None:
        self._view = view
        self._committer = committer
        self._thread = thread
        self._demand = demand
        self._clock = clock
        self._limits = limits
        self._dedup_window_us = dedup_window_us
        self._ticket = 0
        """The demand that the commit that was begun last serves."""

    @property
    def wanted(self) -> int:
        """The newest demand. What is read after this was asked covers it."""
        return self._demand.wanted

    def cut_if_due(self, wanted: int, *, caught_up: bool, full: bool) -> None:
        """Cuts when the tail is old or full, or when ``wanted`` is a demand that can be served.

        Waits for nothing: while a commit runs there is no cut. Raises what ended the last one.
        """
        if self._committer.busy:
            return
        self._demand.serve(self._ticket)
        since_s = self._view.growing.since_s
        demanded = caught_up and wanted > self._demand.served
        is_due = is_cut_due(
            self._limits,
            age_s=None if since_s is None else self._clock.monotonic_s() - since_s,
            full=full,
            demanded=demanded,
        )
        if is_due:
            self._begin()
        if demanded:
            self._ticket = wanted
            if not is_due:
                self._demand.serve(wanted)

    def resume(self, intent: Intent) -> None:
        """Commits what an unfinished cut of a predecessor covers, which has been read."""
        emit(Happening.LAKE_COMMIT_RESUMED, commit=intent.commit_id)
        self._begin(intent)

    def settle(self, timeout_s: float) -> bool:
        """Waits for the commit that is running, which is not tried again; whether all is in."""
        self._committer.close()
        self._thread.wake()
        return self._committer.wait(timeout_s) and not self._view.is_committing

    def cut_rest(self, timeout_s: float) -> None:
        """Commits what is left in the tail, and answers those who asked for a cut once it is in."""
        if self._view.growing.since_s is not None:
            self._begin()
            self._committer.wait(timeout_s)
        if not self._view.is_committing:
            self._demand.serve(self._demand.wanted)

    def _begin(self, intent: Intent | None = None) -> None:
        generation = self._view.begin_commit()
        if intent is None:
            intent = decide_cut(
                self._view.commit_id + 1,
                generation.spans,
                endpoints=generation.endpoints,
                watermark_us=self._view.watermark_us,
                now_us=self._clock.now_us(),
                dedup_window_us=self._dedup_window_us,
                replays=[letter for each in generation.replays for letter in each.letters],
            )
        self._committer.begin(generation, intent)
        self._thread.wake()
