"""The tail: rows that were read from the journals and are not yet in the lake.

A ``Generation`` is what one lake commit will cover. At a cut the growing one is closed and the
next begins, so there are two at most: one being committed, one growing. Blocks hold the rows of
all projects; per project only the places of its rows are kept (``Piece``). A ``TailFile`` is one
project's tail as an Arrow IPC stream in a memory file. It is made when first asked for, and
grows: what a reader was told about (descriptor and length) never changes. There is no end marker;
the stream ends with the length. Not for several threads; ``view.py`` holds the lock.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from weir.domain.frame import Frame
from weir.lake.records import Span
from weir.lake.schema import CANONICAL
from weir.lake.sidecar import Flags
from weir.loader.read.frame_columns import columns_of
from weir.loader.read.rounds import LostEvents, Round
from weir.loader.read.rows import Block
from weir.loader.tail.dedup import IdRuns, Verdict
from weir.loader.tail.ledger import Counts
from weir.loader.tail.replay import Replay
from weir.telemetry import Happening, emit

FRAME_BYTES = 512
"""What a frame costs in memory besides its body and its rows."""


class Piece(NamedTuple):
    """One project's visible rows of one block."""

    rows: pa.RecordBatch
    visible: Flags | None
    """None: all of them."""
    row_count: int

    def batch(self) -> pa.RecordBatch:
        """The rows themselves."""
        if self.visible is None:
            return self.rows
        return self.rows.filter(pa.array(self.visible))


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a commit is rendered from, in the order of reading."""

    blocks: tuple[Block, ...]
    tallies: tuple[Frame, ...]
    losses: tuple[LostEvents, ...]
    spans: Mapping[str, Span]
    replays: tuple[Replay, ...] = ()


class Generation:
    """What was read since a cut, with what queries and the ledger ask of it."""

    __slots__ = (
        "_blocks",
        "_losses",
        "_tallies",
        "byte_count",
        "counts",
        "endpoints",
        "ids",
        "pieces",
        "replays",
        "since_s",
        "spans",
    )

    def __init__(self, endpoints: Mapping[int, str] | None = None) -> None:
        self._blocks: list[Block] = []
        self._tallies: list[Frame] = []
        self._losses: list[LostEvents] = []
        self.spans: dict[str, Span] = {}
        self.pieces: dict[int, list[Piece]] = {}
        self.ids = IdRuns()
        self.counts = Counts()
        self.endpoints: dict[int, str] = dict(endpoints or {})
        """Names that this generation's rows carry; decided once per endpoint."""
        self.replays: list[Replay] = []
        self.byte_count = 0
        self.since_s: float | None = None
        """Monotonic time of the first reading; None while there is nothing."""

    def add(
        self, found: Round, block: Block, verdict: Verdict, *, now_s: float, minute: int
    ) -> None:
        """Adds a round; ``minute`` is where events without a frame are counted for now."""
        if not found.spans:
            return
        self.since_s = now_s if self.since_s is None else self.since_s
        for name, span in found.spans.items():
            first = self.spans.get(name, span)
            self.spans[name] = Span(
                first.from_position, span.to_position, first.from_offset, span.to_offset
            )
        for loss in found.losses:
            self.counts.add_loss(loss, minute)
        for frame in found.tallies:
            if not self.counts.add_tally(frame):
                emit(Happening.TALLY_UNREADABLE, journal=frame.journal_id, position=frame.position)
        self.counts.add_read(block.columns)
        self.counts.add_read(columns_of([one.frame for one in block.dead]))
        self._tallies += found.tallies
        self._losses += found.losses
        self._blocks.append(block)
        self.ids.add(block.ids.take(~verdict.duplicate))
        self._add_pieces(block, verdict)
        bodies = sum([len(frame.body) for frame in found.frames])
        self.byte_count += block.rows.nbytes + bodies + FRAME_BYTES * len(found.frames)

    def add_replay(self, replay: Replay, verdict: Verdict, *, now_s: float) -> None:
        """Adds dead letters that became rows after all."""
        self.since_s = now_s if self.since_s is None else self.since_s
        block = replay.block
        self.counts.add_replayed(block.columns)
        self.replays.append(replay)
        self.ids.add(block.ids.take(~verdict.duplicate))
        self._add_pieces(block, verdict)
        self.byte_count += block.rows.nbytes + sum(len(frame.body) for frame in block.frames)

    def contents(self) -> Contents:
        """Returns what a commit of this generation is rendered from."""
        return Contents(
            tuple(self._blocks),
            tuple(self._tallies),
            tuple(self._losses),
            self.spans,
            tuple(self.replays),
        )

    def frames_of(self, project_id: int) -> list[tuple[Frame, str | None]]:
        """Returns one project's frames, each with why it is dead, if it is."""
        found: list[tuple[Frame, str | None]] = []
        for block in self._blocks:
            found += [(each, None) for each in block.frames if each.place.project_id == project_id]
            found += [each for each in block.dead if each.frame.place.project_id == project_id]
        return found

    def _add_pieces(self, block: Block, verdict: Verdict) -> None:
        visible = None
        if verdict.duplicate.any():
            visible = np.ones(block.rows.num_rows, dtype=np.bool_)
            visible[block.id_rows[verdict.duplicate]] = False
        for project_id, (start, stop) in block.spans.items():
            shown = None if visible is None else visible[start:stop]
            count = stop - start if shown is None else int(shown.sum())
            if count:
                rows = block.rows.slice(start, stop - start)
                piece = Piece(rows, None if count == stop - start else shown, count)
                self.pieces.setdefault(project_id, []).append(piece)


class TailFile:
    """One project's tail in a memory file."""

    __slots__ = ("_file", "_piece_count", "_writer", "row_count")

    def __init__(self, project_id: int) -> None:
        descriptor = os.memfd_create(f"weir-tail-{project_id}", os.MFD_CLOEXEC)
        # RoundReader get a descriptor of their own without the right to write, and cannot gain it.
        os.fchmod(descriptor, 0o400)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._writer = pa.ipc.new_stream(self._file, CANONICAL)
        self._piece_count = 0
        self.row_count = 0

    def extend(self, pieces: list[Piece]) -> int:
        """Appends those of ``pieces`` that are not in it yet; returns the length in bytes."""
        for piece in pieces[self._piece_count :]:
            self._writer.write_batch(piece.batch())
            self.row_count += piece.row_count
        self._piece_count = len(pieces)
        return self._file.tell()

    def share(self) -> int:
        """A new descriptor for a reader, read-only; whoever gets it closes it."""
        path = f"/proc/self/fd/{self._file.fileno()}"
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Gives the memory back once no reader holds it any more."""
        self._file.close()


def pieces_of(generations: Iterable[Generation], project_id: int) -> list[Piece]:
    """One project's pieces over several generations, oldest first."""
    return [piece for each in generations for piece in each.pieces.get(project_id, ())]
