"""Rendering a cut: which rows are stored, in which order, in which files. Pure.

A function of the intent, of what the journals hold in its spans, and of the committed sidecars.
How the reading was divided into rounds does not matter, so that a commit that is repeated after
a crash gives the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.domain.frame import Frame
from weir.domain.outcome import LedgerRow
from weir.domain.times import DAY_US, MINUTE_US, month_of
from weir.lake.order import order_columns, take_rows
from weir.lake.records import Intent, UsageRow
from weir.lake.schema import CANONICAL
from weir.lake.sidecar import I64, Flags, Ids, Numbers, concat_ids, sort_ids
from weir.loader.read.rows import Block, DeadFrame
from weir.loader.tail.dedup import find_duplicates
from weir.loader.tail.ledger import Counts
from weir.loader.tail.replay import joined_indexes
from weir.loader.tail.tail import Contents


class FileRows(NamedTuple):
    """The sorted rows of one lake file. ``day`` counts days since 1970 in UTC."""

    tenant_id: int
    project_id: int
    day: int
    rows: pa.Table


class ProjectFrames(NamedTuple):
    """The frames of one raw file, in the order (journal id, position), and its dead ones."""

    tenant_id: int
    project_id: int
    frames: list[Frame]
    dead: list[DeadFrame]


class CutRows:
    """All rows of a cut with their outcomes."""

    __slots__ = ("_duplicate", "_frame_of", "_frames", "_ids", "_rank", "_rows", "conflict")

    def __init__(self, contents: Contents, indexes: Iterable[Ids], *, window_us: int) -> None:
        blocks = (*contents.blocks, *(replay.block for replay in contents.replays))
        indexes = [*indexes, *joined_indexes(contents.replays)]
        batches = [block.rows for block in blocks]
        self._rows = pa.Table.from_batches(batches, CANONICAL)
        self._frames = [frame for block in blocks for frame in block.frames]
        self._frame_of = _joined(blocks, "frame_of", [len(block.frames) for block in blocks])
        journals = {*contents.spans, *(frame.journal_id for frame in self._frames)}
        order = {name: rank for rank, name in enumerate(sorted(journals))}
        self._rank = self._of_frames([order[frame.journal_id] for frame in self._frames])

        ids = concat_ids([block.ids for block in blocks])
        rows = _joined(blocks, "id_rows", [block.rows.num_rows for block in blocks])
        positions = self._of_frames([frame.position for frame in self._frames])
        index = _joined(blocks, "index", [0] * len(blocks))
        by_arrival = np.lexsort((index[rows], positions[rows], self._rank[rows]))
        ids, rows = ids.take(by_arrival), rows[by_arrival]
        verdict = find_duplicates(ids, indexes, window_us=window_us)
        self._duplicate: Flags = np.zeros(self._rows.num_rows, dtype=np.bool_)
        self._duplicate[rows] = verdict.duplicate
        self.conflict: Flags = np.zeros(self._rows.num_rows, dtype=np.bool_)
        self.conflict[rows] = verdict.conflict
        self._ids = ids.take(~verdict.duplicate)

    def files(self) -> Iterator[FileRows]:
        """The stored rows per project and day, each sorted by SORT_KEY, then by journal."""
        projects = self._of_frames([frame.place.project_id for frame in self._frames])
        days = self._of_frames([frame.received_at_us // DAY_US for frame in self._frames])
        keys = [projects, days, *order_columns(self._rows)]
        order = np.lexsort((self._rank, *reversed(keys)))  # the most important key stands last
        order = order[~self._duplicate[order]]
        group = np.flatnonzero(
            (np.diff(projects[order], prepend=-1) != 0) | (np.diff(days[order], prepend=-1) != 0)
        )
        rows = take_rows(self._rows, order)
        for start, stop in pairwise([*group.tolist(), len(order)]):
            first = self._frames[self._frame_of[order[start]]]
            yield FileRows(
                first.place.tenant_id,
                first.place.project_id,
                first.received_at_us // DAY_US,
                rows.slice(start, stop - start),
            )

    def stored_ids(self) -> Ids:
        """The ids of the commit's own sidecar, sorted."""
        return sort_ids(self._ids)

    def settle(self, counts: Counts) -> None:
        """Turns the rows' events in flight into outcomes."""
        flags = {
            "stored": ~self._duplicate,
            "duplicate": self._duplicate,
            "duplicate_conflict": self.conflict,
        }
        counts.settle_rows(self._frames, self._frame_of, flags)

    def duplicates(self) -> list[tuple[Frame, int]]:
        """The frames that hold duplicates, and how many."""
        counts = np.bincount(self._frame_of[self._duplicate], minlength=len(self._frames))
        return [(self._frames[each], int(counts[each])) for each in np.flatnonzero(counts).tolist()]

    def _of_frames(self, values: Sequence[int]) -> I64:
        """A value per frame becomes one per row."""
        found: I64 = np.array(values, dtype=np.int64)[self._frame_of]
        return found


def count_outcomes(intent: Intent, contents: Contents, cut_rows: CutRows) -> list[LedgerRow]:
    """What the commit adds to the ledger. Events without a frame count in the cut's minute."""
    counts = Counts()
    for block in contents.blocks:
        for frame in block.frames:
            counts.add_read(frame)
        for frame, _ in block.dead:
            counts.add_read(frame)
            counts.settle_dead(frame)
    for replay in contents.replays:
        for frame in replay.block.frames:
            counts.add_replayed(frame)
    cut_rows.settle(counts)
    for tally in contents.tallies:
        counts.add_tally(tally)
    for loss in contents.losses:
        counts.add_loss(loss, intent.decided_at_us // MINUTE_US)
    return counts.rows()


def count_usage(contents: Contents, cut_rows: CutRows) -> list[UsageRow]:
    """What the commit adds to the tenants' months: every event of a readable frame."""
    accepted = _by_month(
        (frame, frame.event_count)
        for block in contents.blocks
        for frame in (*block.frames, *(one.frame for one in block.dead))
    )
    duplicate = _by_month(cut_rows.duplicates())
    return [UsageRow(*key, accepted[key], duplicate[key]) for key in sorted(accepted)]


def raw_files(contents: Contents) -> Iterator[ProjectFrames]:
    """Every frame that carried events, per project."""
    projects: dict[int, ProjectFrames] = {}
    for block in contents.blocks:
        dead = [one.frame for one in block.dead]
        for frame in (*block.frames, *dead):
            place = frame.place
            empty = ProjectFrames(place.tenant_id, place.project_id, [], [])
            projects.setdefault(place.project_id, empty).frames.append(frame)
        for one in block.dead:
            projects[one.frame.place.project_id].dead.append(one)
    for _, project in sorted(projects.items()):
        project.frames.sort(key=_arrival)
        project.dead.sort(key=lambda one: _arrival(one.frame))
        yield project


def _by_month(counted: Iterable[tuple[Frame, int]]) -> Counter[tuple[str, int, int]]:
    """Sums by journal, tenant and month."""
    days: Counter[tuple[str, int, int]] = Counter()
    for frame, count in counted:
        days[frame.journal_id, frame.place.tenant_id, frame.received_at_us // DAY_US] += count
    months: Counter[tuple[str, int, int]] = Counter()
    for (journal_id, tenant_id, day), count in days.items():
        months[journal_id, tenant_id, month_of(day * DAY_US)] += count
    return months


def _arrival(frame: Frame) -> tuple[str, int]:
    return frame.journal_id, frame.position


def _joined(blocks: Sequence[Block], name: str, sizes: Sequence[int]) -> Numbers:
    """A column of numbers over all blocks, each moved by the sizes of those before."""
    parts: list[npt.NDArray[np.intp]] = []
    moved = 0
    for block, size in zip(blocks, sizes, strict=True):
        parts.append(getattr(block, name) + moved)
        moved += size
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)
