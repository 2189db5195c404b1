"""What compaction merges next: the plan of ``lake/tiers.py`` as jobs, and what is left alone."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from weir.clock import Clock
from weir.domain.snapshot import LakeFile
from weir.lake.merge import MergeJob
from weir.lake.tiers import MergeLimits, is_small, plan_merges
from weir.loader.tail.view import View
from weir.telemetry import LAKE_FILES

DAY_GRACE_US = 3600 * 1_000_000
"""How long after its end a day may still get files of events that came before it."""

SKIP_S = 3600.0
"""How long files are left alone that could not be merged."""


class JobBounds(NamedTuple):
    """What every job of a node may use."""

    root: str
    columns_max: int
    memory_bytes: int


class PlannedMerge(NamedTuple):
    """Files of one project and day that become one, and the job that does it."""

    inputs: tuple[LakeFile, ...]
    job: MergeJob
    is_small: bool
    """Whether it may go beside one that is not."""

    @property
    def paths(self) -> list[str]:
        """The paths of the inputs."""
        return [file.path for file in self.inputs]


class MergePlanner:
    """Plans merges of the committed files. For one thread."""

    __slots__ = ("_bounds", "_clock", "_limits", "_skipped", "_view")

    def __init__(self, view: View, clock: Clock, *, limits: MergeLimits, bounds: JobBounds) -> None:
        self._view = view
        self._clock = clock
        self._limits = limits
        self._bounds = bounds
        self._skipped: dict[str, float] = {}
        """Files that could not be merged, and until when they are left alone."""

    def plan(self, now_s: float, *, held: Collection[str] = ()) -> list[PlannedMerge]:
        """The merges to do next, in their order; empty when nothing is worth one.

        ``held`` are paths of files that are being merged, or will be.
        """
        self._skipped = {
            path: until_s for path, until_s in self._skipped.items() if until_s > now_s
        }
        files = self._view.files()
        LAKE_FILES.set(len(files))
        skipped = {*self._skipped, *held}
        merges = plan_merges(files, self._limits, today=self._today(), skipped=skipped)
        return [
            PlannedMerge(inputs, self._job(inputs), is_small(inputs, self._limits))
            for inputs in merges
        ]

    def skip(self, merge: PlannedMerge, now_s: float) -> None:
        """Leaves the inputs alone for a while: they could not be merged."""
        self._skipped |= dict.fromkeys(merge.paths, now_s + SKIP_S)

    def _job(self, inputs: Sequence[LakeFile]) -> MergeJob:
        return MergeJob(
            root=self._bounds.root,
            inputs=tuple(file.path for file in inputs),
            sha256=tuple(file.sha256 for file in inputs),
            row_count=sum(file.row_count for file in inputs),
            earlier=self._view.choice(inputs[0].project_id),
            columns_max=self._bounds.columns_max,
            memory_bytes=self._bounds.memory_bytes,
        )

    def _today(self) -> str:
        """The oldest day that may still get files."""
        moment_us = self._clock.now_us() - DAY_GRACE_US
        return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%d")
