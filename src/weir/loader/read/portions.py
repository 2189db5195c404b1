"""A round of reading goes into the tail in portions, each of which is one block of bounded size.

What a round holds in the journals says little about what it is as rows, so a round is divided by
decoding it. A portion is a stretch of the round in the order of reading, with the part of each
journal's span that it covers: a cut may be made between any two.
"""

from bisect import bisect_right
from itertools import islice
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from weir.domain.frame import Frame
from weir.lake.records import Span
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.rounds import LostEvents, Round
from weir.loader.read.rows import Block, DeadFrame, dead_frame
from weir.loader.read.watch import Watch

_Placed = TypeVar("_Placed", Frame, LostEvents)


class Portion(NamedTuple):
    """A part of a round, and its rows."""

    found: Round
    block: Block


class _Edge(NamedTuple):
    """A place between two frames of a round: in the journal of this rank, before this."""

    rank: int
    position: int
    offset: int


class DividedRound:
    """A round on its way into the tail, portion by portion. One thread asks."""

    __slots__ = ("_counts", "_decoder", "_edge", "_found", "_names", "_ranks", "_taken", "_watch")

    def __init__(self, found: Round, decoder: FrameDecoder, watch: Watch | None = None) -> None:
        self._found = found
        self._decoder = decoder
        self._watch = watch
        self._names = list(found.spans)
        self._ranks = {name: rank for rank, name in enumerate(self._names)}
        self._taken = 0
        """Frames that were given out."""
        self._edge: _Edge | None = None
        """Where the last portion ended; None before the first."""
        self._counts: list[int] = []
        """Sizes, the next one last, of the parts of what cannot be built as one."""

    @property
    def done(self) -> bool:
        """Whether the whole round was given out. A round without frames is one portion too."""
        return self._edge is not None and self._edge.rank == len(self._names)

    @property
    def watermark_us(self) -> int:
        """The round's: what it promises holds once all portions are in the tail."""
        return self._found.watermark_us

    def take(self) -> Portion:
        """The next portion, of at least one frame unless the round has none.

        Frames that cannot be built together are built in halves, and only one that fails alone
        becomes a dead letter. ``MemoryError`` when memory does not suffice for a single frame:
        the same may be asked for again.
        """
        while True:
            count = self._counts[-1] if self._counts else len(self._found.frames) - self._taken
            if count and self._watch is not None:
                frame = self._found.frames[self._taken]
                if reason := self._watch.poison(frame):
                    return self._put_aside(DeadFrame(frame, reason))
                count = self._begin(self._watch, count)
            try:
                block = self._build(count)
            except Exception as error:  # of memory, or some value that cannot stand in a column
                if count > 1:
                    self._split(count, count // 2)
                    continue
                if isinstance(error, MemoryError):
                    raise
                return self.bury(error)
            return Portion(self._advance(len(block.frames) + len(block.dead)), block)

    def bury(self, error: Exception) -> Portion:
        """The next frame as a dead letter: it cannot become rows even alone."""
        return self._put_aside(dead_frame(self._found.frames[self._taken], error))

    def _put_aside(self, dead: DeadFrame) -> Portion:
        return Portion(self._advance(1), self._decoder.build_dead(dead))

    def _begin(self, watch: Watch, count: int) -> int:
        """How many of ``count`` frames are worked on next, which the watch knows now."""
        group = watch.group(self._found.frames, self._taken, count)
        if group < count:
            self._split(count, group)
        watch.begin(self._found.frames, self._taken, group, self._found.spans)
        return group

    def _build(self, count: int) -> Block:
        """The block of the next ``count`` frames, or of the first of them when they are many."""
        frames = islice(self._found.frames, self._taken, self._taken + count)
        return self._decoder.build(self._decoder.decode(frames))

    def _split(self, count: int, first: int) -> None:
        """The next ``count`` frames in two parts."""
        if self._counts:
            self._counts.pop()
        self._counts += [count - first, first]

    def _advance(self, count: int) -> Round:
        """Moves on by so many frames; gives that part of the round."""
        if self._counts:
            left = self._counts.pop() - count
            self._counts += [left] if left else []
        found = self._found
        end = self._edge_before(self._taken + count)
        part = found._replace(
            frames=found.frames[self._taken : self._taken + count],
            tallies=self._until(end, found.tallies),
            losses=self._until(end, found.losses),
            spans=self._spans(end),
        )
        self._taken += count
        self._edge = end
        return part

    def _edge_before(self, number: int) -> _Edge:
        if number == len(self._found.frames):
            return _Edge(len(self._names), 0, 0)
        frame = self._found.frames[number]
        return _Edge(self._ranks[frame.journal_id], frame.position, frame.offset)

    def _until(self, end: _Edge, items: list[_Placed]) -> list[_Placed]:
        """What lies between the last edge and ``end``; what is lost there lies before a frame."""

        def place(item: _Placed) -> tuple[int, int]:
            return self._ranks[item.journal_id], item.position

        first = bisect_right(items, self._edge[:2], key=place) if self._edge else 0
        return items[first : bisect_right(items, end[:2], key=place)]

    def _spans(self, end: _Edge) -> dict[str, Span]:
        spans = {}
        start = self._edge or _Edge(-1, 0, 0)
        for rank in range(max(start.rank, 0), min(end.rank + 1, len(self._names))):
            span = self._found.spans[self._names[rank]]
            if rank == start.rank:
                span = replace(span, from_position=start.position, from_offset=start.offset)
            if rank == end.rank:
                span = replace(span, to_position=end.position, to_offset=end.offset)
            if span.from_position < span.to_position:
                spans[self._names[rank]] = span
        return spans
