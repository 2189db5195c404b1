"""Compaction takes what is done, lets small merges go beside a large one, and rests."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import pytest

from weir.domain.snapshot import LakeFile
from weir.errors import Unavailable
from weir.lake.merge import Merged, MergeJob
from weir.loader.upkeep.compaction import POLL_S, REPLAN_S, Compaction
from weir.loader.upkeep.merge_planning import PlannedMerge

FILE = LakeFile("a", 1, 1, 10, "2026-11-20", 0, 0, "")
JOB = MergeJob("", ("a",), ("",), 1, (), 0, 0)
MERGED = Merged("merged", 1, 10, 0, 0, "", ())


def small(path: str) -> PlannedMerge:
    """A merge that may go beside a large one."""
    return PlannedMerge((msgspec.structs.replace(FILE, path=path),), JOB, is_small=True)


def large(path: str) -> PlannedMerge:
    """One that may not."""
    return small(path)._replace(is_small=False)


class Planner:
    """Gives plans in turn, then none; notes what was held."""

    def __init__(self, *plans: list[PlannedMerge]) -> None:
        self.plans = list(plans)
        self.held: list[list[str]] = []
        self.skipped: list[str] = []

    def plan(self, now_s: float, *, held: Collection[str]) -> list[PlannedMerge]:
        self.held.append(list(held))
        return self.plans.pop(0) if self.plans else []

    def skip(self, merge: PlannedMerge, now_s: float) -> None:
        self.skipped += merge.paths


class Merger:
    """Is done with what it is told to be done with; takes three seconds of CPU a round."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.done: list[tuple[int, Merged | str]] = []
        self.cpu_s = 0.0
        self.rests = 0
        self.stops = 0

    def begin(self, number: int, job: MergeJob) -> None:
        self.begun.append(number)

    def results(self) -> Sequence[tuple[int, Merged | str]]:
        done, self.done = self.done, []
        return done

    def rest(self) -> None:
        self.rests += 1
        self.cpu_s = 3.0

    def stop(self) -> None:
        self.stops += 1


class Replacer:
    """Notes what is replaced, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.replaced: list[str] = []

    def replace(self, inputs: Sequence[LakeFile], merged: Merged) -> bool:
        if self.error is not None:
            raise self.error
        self.replaced.append(inputs[0].path)
        return True


def compaction(planner: Any, merger: Any, replacer: Any) -> Compaction:
    """One that may take a quarter of a core."""
    return Compaction(planner, merger, replacer, cpu_share=0.25)


def test_step_waits_for_no_merge_and_a_round_is_followed_by_a_rest() -> None:
    """So that other upkeep comes between, and three quarters of the time are left to others."""
    planner, merger, replacer = Planner([small("a"), small("b")]), Merger(), Replacer()
    work = compaction(planner, merger, replacer)
    assert work.step(100.0) == 100.0 + POLL_S
    assert work.step(100.0) == 100.0 + POLL_S
    assert merger.begun == [1]
    merger.done = [(1, MERGED)]
    assert work.step(100.0) == 100.0 + POLL_S
    assert (merger.begun, replacer.replaced) == ([1, 2], ["a"])
    merger.done = [(2, MERGED)]
    assert work.step(100.0) == 109.0
    assert (merger.rests, replacer.replaced) == (1, ["a", "b"])
    assert work.step(109.0) is None


def test_small_merges_go_beside_a_large_one_one_at_a_time() -> None:
    """Whether they were planned with it or come up while it goes on; another large one waits."""
    planner = Planner([large("a"), large("b"), small("c"), small("d")])
    merger, replacer = Merger(), Replacer()
    work = compaction(planner, merger, replacer)
    work.step(100.0)
    assert merger.begun == [1, 2]
    merger.done = [(2, MERGED)]
    work.step(100.0)
    merger.done = [(3, MERGED)]
    work.step(100.0)
    assert (merger.begun, replacer.replaced) == ([1, 2, 3], ["c", "d"])
    merger.done = [(1, MERGED)]
    work.step(100.0)
    assert (merger.begun, replacer.replaced) == ([1, 2, 3, 4], ["c", "d", "a"])


def test_small_merges_are_looked_for_while_a_large_one_goes_on() -> None:
    """Now and then; its files are held, and no other large one is taken on."""
    planner = Planner([large("a")], [], [large("b"), small("c")])
    merger = Merger()
    work = compaction(planner, merger, Replacer())
    work.step(100.0)
    work.step(100.0 + REPLAN_S / 2)
    assert planner.held == [[]]
    work.step(100.0 + REPLAN_S)
    work.step(100.0 + 2 * REPLAN_S)
    assert planner.held == [[], ["a"], ["a"]]
    assert merger.begun == [1, 2]


def test_large_merges_that_wait_keep_no_small_one_from_being_found() -> None:
    """The files of all of them are held."""
    planner = Planner([large("a"), large("b")], [small("c")])
    merger, replacer = Merger(), Replacer()
    work = compaction(planner, merger, replacer)
    work.step(100.0)
    work.step(100.0 + REPLAN_S)
    assert planner.held == [[], ["a", "b"]]
    merger.done = [(2, MERGED)]
    work.step(100.0 + REPLAN_S)
    assert (merger.begun, replacer.replaced) == ([1, 2], ["c"])
    merger.done = [(1, MERGED)]
    work.step(100.0 + REPLAN_S)
    assert (merger.begun, replacer.replaced) == ([1, 2, 3], ["c", "a"])


def test_failed_merge_is_skipped_and_needs_no_rest() -> None:
    """Nothing was done; the next plan leaves its files alone."""
    planner, merger = Planner([small("a")]), Merger()
    work = compaction(planner, merger, Replacer())
    work.step(100.0)
    merger.done = [(1, "no memory")]
    assert work.step(100.0) is None
    assert planner.skipped == ["a"]


def test_what_was_not_begun_is_not_held_against_the_files() -> None:
    """A process that ended takes down what it was doing, and nothing else."""
    planner, merger, replacer = Planner([small("a"), small("b")]), Merger(), Replacer()
    work = compaction(planner, merger, replacer)
    work.step(100.0)
    merger.done = [(1, "the process ended while merging")]
    work.step(100.0)
    merger.done = [(2, MERGED)]
    assert work.step(100.0) == 109.0
    assert (planner.skipped, replacer.replaced) == (["a"], ["b"])


def test_plan_is_given_up_when_the_catalog_fails() -> None:
    """The process ends, and the next step plans anew."""
    planner, merger = Planner([large("a"), small("b"), large("c")]), Merger()
    work = compaction(planner, merger, Replacer(Unavailable("locked")))
    work.step(100.0)
    merger.done = [(2, MERGED)]
    with pytest.raises(Unavailable):
        work.step(100.0)
    assert merger.rests == 1
    assert work.step(101.0) is None
    assert planner.held == [[], []]
