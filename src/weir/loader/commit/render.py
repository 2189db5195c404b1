"""Rendering a cut: which rows are stored, in which order, in which files. Pure.

A function of the intent, of what the journals hold in its spans, and of the committed sidecars.
How the reading was divided into rounds does not matter, so that a commit that is repeated after
a crash gives the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.domain.frame import Frame, Place
from weir.domain.outcome import LedgerRow
from weir.domain.times import DAY_US, MINUTE_US, month_of
from weir.lake.order import order_columns, take_rows
from weir.lake.records import Intent, UsageRow
from weir.lake.schema import CANONICAL
from weir.lake.sidecar import I64, Flags, Ids, Numbers, concat_ids, sort_ids
from weir.loader.read.frame_columns import FrameColumns, columns_of, concat_columns, group
from weir.loader.read.rows import Block, DeadFrame
from weir.loader.tail.dedup import find_duplicates
from weir.loader.tail.ledger import Counts
from weir.loader.tail.replay import joined_indexes
from weir.loader.tail.tail import Contents

_Usage = tuple[str, int, int]
"""Journal, tenant and month."""

_arrival = attrgetter("journal_id", "position")


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

    __slots__ = ("_duplicate", "_frame_of", "_frames", "_ids", "_rows", "conflict")

    def __init__(self, contents: Contents, indexes: Iterable[Ids], *, window_us: int) -> None:
        blocks = (*contents.blocks, *(replay.block for replay in contents.replays))
        indexes = [*indexes, *joined_indexes(contents.replays)]
        batches = [block.rows for block in blocks]
        self._rows = pa.Table.from_batches(batches, CANONICAL)
        self._frames = concat_columns([block.columns for block in blocks])
        self._frame_of = _joined(blocks, "frame_of", [len(block.frames) for block in blocks])

        ids = concat_ids([block.ids for block in blocks])
        rows = _joined(blocks, "id_rows", [block.rows.num_rows for block in blocks])
        index = _joined(blocks, "index", [0] * len(blocks))
        own = self._frame_of[rows]
        arrival = (index[rows], self._frames.position[own], self._frames.journal[own])
        by_arrival = np.lexsort(arrival)  # the most important key stands last
        ids, rows = ids.take(by_arrival), rows[by_arrival]
        verdict = find_duplicates(ids, indexes, window_us=window_us)
        self._duplicate: Flags = np.zeros(self._rows.num_rows, dtype=np.bool_)
        self._duplicate[rows] = verdict.duplicate
        self.conflict: Flags = np.zeros(self._rows.num_rows, dtype=np.bool_)
        self.conflict[rows] = verdict.conflict
        self._ids = ids.take(~verdict.duplicate)

    def files(self) -> Iterator[FileRows]:
        """The stored rows per project and day, each sorted by SORT_KEY, then by journal."""
        projects = self._frames.project_id[self._frame_of]
        days = (self._frames.received_us // DAY_US)[self._frame_of]
        keys = [projects, days, *order_columns(self._rows)]
        # The most important key stands last.
        order = np.lexsort((self._frames.journal[self._frame_of], *reversed(keys)))
        order = order[~self._duplicate[order]]
        group = np.flatnonzero(
            (np.diff(projects[order], prepend=-1) != 0) | (np.diff(days[order], prepend=-1) != 0)
        )
        rows = take_rows(self._rows, order)
        for start, stop in pairwise([*group.tolist(), len(order)]):
            first = order[start]
            yield FileRows(
                int(self._frames.tenant_id[self._frame_of[first]]),
                int(projects[first]),
                int(days[first]),
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

    def duplicates_by_month(self) -> Counter[_Usage]:
        """Duplicates by journal, tenant and month."""
        counts = np.bincount(self._frame_of[self._duplicate], minlength=len(self._frames))
        return _by_month(self._frames, counts)


def count_outcomes(intent: Intent, contents: Contents, cut_rows: CutRows) -> list[LedgerRow]:
    """What the commit adds to the ledger. Events without a frame count in the cut's minute."""
    counts = Counts()
    for block in contents.blocks:
        dead = columns_of([one.frame for one in block.dead])
        counts.add_read(block.columns)
        counts.add_read(dead)
        counts.settle_dead(dead)
    for replay in contents.replays:
        counts.add_replayed(replay.block.columns)
    cut_rows.settle(counts)
    for tally in contents.tallies:
        counts.add_tally(tally)
    for loss in contents.losses:
        counts.add_loss(loss, intent.decided_at_us // MINUTE_US)
    return counts.rows()


def count_usage(contents: Contents, cut_rows: CutRows) -> list[UsageRow]:
    """What the commit adds to the tenants' months: every event of a readable frame."""
    accepted: Counter[_Usage] = Counter()
    for block in contents.blocks:
        dead = columns_of([one.frame for one in block.dead])
        for frames in (block.columns, dead):
            accepted.update(_by_month(frames, frames.event_count))
    duplicate = cut_rows.duplicates_by_month()
    return [UsageRow(*key, accepted[key], duplicate[key]) for key in sorted(accepted)]


def raw_files(contents: Contents) -> Iterator[ProjectFrames]:
    """Every frame that carried events, per project."""
    projects: dict[int, ProjectFrames] = {}

    def of(place: Place) -> ProjectFrames:
        empty = ProjectFrames(place.tenant_id, place.project_id, [], [])
        return projects.setdefault(place.project_id, empty)

    for block in contents.blocks:
        for place, frames in groupby(block.frames, attrgetter("place")):
            of(place).frames.extend(frames)
        for one in block.dead:
            of(one.frame.place).frames.append(one.frame)
            of(one.frame.place).dead.append(one)
    for _, project in sorted(projects.items()):
        project.frames.sort(key=_arrival)
        project.dead.sort(key=lambda one: _arrival(one.frame))
        yield project


def _by_month(frames: FrameColumns, counts: I64) -> Counter[_Usage]:
    """Sums of a number per frame by journal, tenant and month; none where they are 0."""
    days = group(frames.journal, frames.tenant_id, frames.received_us // DAY_US)
    months: Counter[_Usage] = Counter()
    for (journal, tenant_id, day), count in zip(days.keys, days.sums(counts), strict=True):
        months[frames.journals[journal], tenant_id, month_of(day * DAY_US)] += count
    return months


def _joined(blocks: Sequence[Block], name: str, sizes: Sequence[int]) -> Numbers:
    """A column of numbers over all blocks, each moved by the sizes of those before."""
    parts: list[npt.NDArray[np.intp]] = []
    moved = 0
    for block, size in zip(blocks, sizes, strict=True):
        parts.append(getattr(block, name) + moved)
        moved += size
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)
