"""Compaction takes one merge a step, and rests after what it has done."""

from collections.abc import Generator, Sequence
from typing import Any

import msgspec
import pytest

from weir.domain.snapshot import LakeFile
from weir.errors import Unavailable
from weir.lake.merge import Merged, MergeJob
from weir.loader.upkeep.compaction import Compaction
from weir.loader.upkeep.merge_planning import PlannedMerge

FILE = LakeFile("a", 1, 1, 10, "2026-11-20", 0, 0, "")
JOB = MergeJob("", "", ("a",), ("",), 1, (), 0, 0)
MERGED = Merged("merged", 1, 10, 0, 0, "", ())


class Planner:
    """Plans so many merges, once."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.skipped = 0

    def plan(self, now_s: float) -> list[PlannedMerge]:
        plan = [
            PlannedMerge((msgspec.structs.replace(FILE, path=str(number)),), JOB)
            for number in range(self.count)
        ]
        self.count = 0
        return plan

    def skip(self, merge: PlannedMerge, now_s: float) -> None:
        self.skipped += 1


class Merger:
    """Gives results, and takes three seconds of CPU once it is closed."""

    def __init__(self, results: Sequence[Merged | str]) -> None:
        self.results = results
        self.cpu_s = 0.0
        self.stops = 0

    def run(self, jobs: Sequence[MergeJob]) -> Generator[Merged | str, None, None]:
        try:
            yield from self.results
        finally:
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


def test_step_takes_one_merge_and_the_last_is_followed_by_a_rest() -> None:
    """So that other upkeep comes between, and three quarters of the time are left to others."""
    planner, replacer = Planner(3), Replacer()
    work = compaction(planner, Merger([MERGED] * 3), replacer)
    assert [work.step(100.0) for _ in range(2)] == [100.0, 100.0]
    assert replacer.replaced == ["0", "1"]
    assert work.step(100.0) == 109.0
    assert replacer.replaced == ["0", "1", "2"]
    assert work.step(109.0) is None


def test_failed_merge_is_skipped_and_needs_no_rest() -> None:
    """Nothing was done; the next plan leaves its files alone."""
    planner = Planner(1)
    work = compaction(planner, Merger(["no memory"]), Replacer())
    assert work.step(100.0) is None
    assert planner.skipped == 1


def test_merges_whose_process_ended_are_planned_anew() -> None:
    """What it has not done is not held against the files."""
    planner, replacer = Planner(3), Replacer()
    work = compaction(planner, Merger([MERGED]), replacer)
    assert work.step(100.0) == 100.0
    assert work.step(100.0) == 109.0
    assert (planner.skipped, replacer.replaced) == (0, ["0"])


def test_plan_is_given_up_when_the_catalog_fails() -> None:
    """The process ends, and the next step plans anew."""
    planner, merger = Planner(2), Merger([MERGED] * 2)
    work = compaction(planner, merger, Replacer(Unavailable("locked")))
    with pytest.raises(Unavailable):
        work.step(100.0)
    assert merger.cpu_s == 3.0
    assert work.step(100.0) is None
