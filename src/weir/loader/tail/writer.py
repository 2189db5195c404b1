"""Rows go into the tail: each is held against everything that is stored or visible already."""

from collections.abc import Mapping

from weir.clock import Clock
from weir.domain.times import MINUTE_US
from weir.loader.read.rounds import Round
from weir.loader.read.rows import Block
from weir.loader.tail.dedup import find_duplicates
from weir.loader.tail.meter import Meter
from weir.loader.tail.replay import Replay, fates_of
from weir.loader.tail.view import View
from weir.loader.values import ReplayFate
from weir.node.board import Board, Slot
from weir.telemetry import Happening, emit


class TailWriter:
    """Adds to the growing generation, and to the counts of the month. For the reading thread."""

    __slots__ = ("_board", "_clock", "_dedup_window_us", "_meter", "_view")

    def __init__(
        self, *, view: View, meter: Meter, board: Board, clock: Clock, dedup_window_us: int
    ) -> None:
        self._view = view
        self._meter = meter
        self._board = board
        self._clock = clock
        self._dedup_window_us = dedup_window_us

    def add(self, found: Round, block: Block) -> None:
        """Makes a part of a round visible; ``block`` holds its rows."""
        for frame, reason in block.dead:
            emit(
                Happening.FRAME_DEAD_LETTERED,
                journal=frame.journal_id,
                position=frame.position,
                project=frame.place.project_id,
                dialect=frame.dialect,
                events=frame.event_count,
                reason=reason.partition(":")[0],
            )
        indexes = self._view.indexes()
        verdict = find_duplicates(block.ids, indexes, window_us=self._dedup_window_us)
        self._view.let_go_of_indexes()
        now_us = self._clock.now_us()
        now_s, minute = self._clock.monotonic_s(), now_us // MINUTE_US
        self._view.add(found, block, verdict, now_s=now_s, minute=minute)
        self._meter.add(found, block, verdict, now_us=now_us)

    def add_replay(self, replay: Replay) -> list[ReplayFate]:
        """Makes dead letters that became rows visible; returns what became of each."""
        indexes = [*self._view.indexes(), replay.stored_ids]
        verdict = find_duplicates(replay.block.ids, indexes, window_us=self._dedup_window_us)
        self._view.add_replay(replay, verdict, now_s=self._clock.monotonic_s())
        emit(
            Happening.DEAD_LETTERS_REPLAYED,
            project=replay.letters[0].project_id,
            letters=len(replay.letters),
            events=replay.block.rows.num_rows,
        )
        return fates_of(replay, verdict)

    def show_watermark(self, watermark_us: int) -> None:
        """Promises that every event received before this can be seen."""
        self._view.watermark_us = watermark_us
        self._board.set(Slot.WATERMARK_US, watermark_us)

    def turn_month(self) -> None:
        """Begins a new month's counts when it is time, whether events come or not."""
        self._meter.turn(self._clock.now_us())

    def settle_starts(self, offsets: Mapping[str, int]) -> None:
        """Puts the workers' starts in order up to which everything has been added.

        ``offsets`` says how many events of each journal have been.
        """
        self._meter.settle(offsets)
