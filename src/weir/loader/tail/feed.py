"""From the journals into the tail: rounds of reading become rows, a portion at a time."""

from collections.abc import Mapping

from weir.lake.records import Span
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.portions import DividedRound
from weir.loader.read.rounds import RoundReader
from weir.loader.read.watch import Watch
from weir.loader.tail.limits import CutLimits, is_full
from weir.loader.tail.view import View
from weir.loader.tail.writer import TailWriter


class TailFeed:
    """Brings what the journals hold into the tail, no more than it may hold. One thread feeds."""

    __slots__ = (
        "_decoder",
        "_limits",
        "_reader",
        "_round",
        "_short_of_memory",
        "_view",
        "_watch",
        "_writer",
    )

    def __init__(
        self,
        *,
        reader: RoundReader,
        decoder: FrameDecoder,
        watch: Watch,
        writer: TailWriter,
        view: View,
        limits: CutLimits,
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._watch = watch
        self._writer = writer
        self._view = view
        self._limits = limits
        self._round: DividedRound | None = None
        """A round of which some is not in the tail yet."""
        self._short_of_memory = False
        """A frame did not fit beside the tail: nothing is read until the tail is in the lake."""

    @property
    def watermark_us(self) -> int:
        """Every event received before this can be seen."""
        return self._view.watermark_us

    def begin(self) -> None:
        """Shows how far the lake alone is complete. Before the first reading; adds nothing."""
        self._reader.look_ahead()
        self._writer.show_watermark(self._reader.watermark_us)

    def is_full(self) -> bool:
        """Whether nothing may be added before the next cut."""
        if not self._view.holds_rows:
            self._short_of_memory = False
        tail_bytes = self._view.growing.byte_count
        return self._short_of_memory or is_full(self._limits, tail_bytes=tail_bytes)

    def read_on(self) -> bool:
        """Brings a round, or what is left of the last one, into the tail, until that is full.

        Whether everything that was durable at the call has been read.
        """
        caught_up = False
        if self._round is None:
            found = self._reader.read()
            if not found.spans:
                self._writer.show_watermark(found.watermark_us)
                return found.caught_up
            self._round = DividedRound(found, self._decoder, self._watch)
            caught_up = found.caught_up
        while not self._round.done:
            if self.is_full():
                return False
            try:
                self._add_portion(self._round)
            except MemoryError:
                self._short_of_memory = True
                return False
        self._end_round(self._round)
        return caught_up

    def read_spans(self, spans: Mapping[str, Span]) -> bool:
        """Brings a round of exactly what an unfinished cut covers into the tail; it fitted before.

        Whether all of it has been read.
        """
        found = self._reader.read(until=spans)
        if not found.spans:
            self._writer.show_watermark(found.watermark_us)
            return found.caught_up
        divided = DividedRound(found, self._decoder, self._watch)
        while not divided.done:
            self._add_portion(divided)
        self._end_round(divided)
        return found.caught_up

    def settle_usage(self) -> None:
        """Keeps the counts of the month right while no events come."""
        self._writer.turn_month()
        if self._round is None:
            self._writer.settle_starts(self._reader.offsets())

    def close(self) -> None:
        """Gives back what queries read the tail from; nobody asks any more."""
        self._view.close()
        self._watch.close()

    def _add_portion(self, divided: DividedRound) -> None:
        """Raises ``MemoryError`` when a frame does not fit beside the tail.

        One that does not even fit alone becomes a dead letter.
        """
        try:
            portion = divided.take()
        except MemoryError as error:
            self._watch.end()
            if self._view.holds_rows:
                raise
            portion = divided.bury(error)
        self._writer.add(portion.found, portion.block)
        self._watch.end()

    def _end_round(self, divided: DividedRound) -> None:
        self._writer.show_watermark(divided.watermark_us)
        self._round = None
