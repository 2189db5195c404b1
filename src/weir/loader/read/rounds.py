"""Reading all journals of the node, each from where the last commit left it.

A round reads every journal up to its published durable position or the round's byte limit. A
journal that cannot be read is left out for a while and holds back nothing but the watermark.
Journals of workers that are no longer configured are read like any other, once they are recovered:
after a power cut their published position may be old, and no worker comes to mend it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from weir.clock import Clock
from weir.domain.frame import Frame
from weir.errors import Corrupt, WeirError
from weir.journal.reader import DamagedRange, ReadResult
from weir.lake.records import JournalMark, Span
from weir.loader.ports import JournalSource, OpenJournal
from weir.telemetry import Happening, emit

ROUND_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of one journal in one round: bounds how long a round takes and what it holds."""

AHEAD_BYTES = 64 * 1024
"""Bytes of one journal that are read ahead at a start, so that a watermark is known at once."""

RECOVER_S = 1.0
"""How often a journal that has a writer is looked at again: it may have lost it for good."""

RETRY_UNREADABLE_S = 5.0
"""How long a journal that could not be read is left alone."""


_position = attrgetter("position")


class LostEvents(NamedTuple):
    """Events of a damaged range: quarantined when its bytes are still there, else lost."""

    journal_id: str
    position: int
    event_count: int
    present: bool


class Round(NamedTuple):
    """What one round of reading found; ``caught_up`` when nothing durable was left unread."""

    frames: list[Frame]
    tallies: list[Frame]
    losses: list[LostEvents]
    spans: dict[str, Span]
    watermark_us: int
    caught_up: bool


class _Cursor:
    """How far one journal has been read."""

    __slots__ = (
        "ahead",
        "behind",
        "journal",
        "offset",
        "position",
        "received_us",
        "recover_at_s",
        "recovered",
        "retry_at_s",
        "seen_us",
        "unrecoverable",
    )

    def __init__(self, start: JournalMark) -> None:
        self.journal: OpenJournal | None = None
        self.ahead: ReadResult | None = None
        """What was read from ``position`` on and is in no round yet."""
        self.position = start.position
        self.offset = start.offset
        self.received_us = 0
        """When the last event read was received, or before the first the next one."""
        self.seen_us = 0
        """Every event of the journal received before it has been read."""
        self.behind = 0
        self.retry_at_s = 0.0
        self.recovered = False
        """Once is enough: what is published later stays right for as long as the machine runs."""
        self.recover_at_s = 0.0
        self.unrecoverable = False
        """Recovering it failed: nobody waits for it, but the watermark does."""


class RoundReader:
    """The cursors of all journals. One thread reads; others may ask for the backlog."""

    __slots__ = ("_clock", "_cursors", "_journals", "_watermark_us")

    def __init__(
        self, journals: JournalSource, committed: Mapping[str, JournalMark], clock: Clock
    ) -> None:
        self._journals = journals
        self._clock = clock
        self._cursors = {name: _Cursor(mark) for name, mark in sorted(committed.items())}
        self._watermark_us = 0

    @property
    def watermark_us(self) -> int:
        """Every event received before this has been read, as of the last look; 0 before it."""
        return self._watermark_us

    def look_ahead(self) -> None:
        """Finds out, before the first round, up to when all that was received is in the lake.

        That is when the first event was received that is not. It waits for nothing and gives no
        event out; of a journal that cannot be read nothing is known.
        """
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        self._look_for_journals(now_s)
        for name, cursor in self._cursors.items():
            try:
                cursor.seen_us = self._look_ahead_in(name, cursor)
            except (OSError, WeirError):  # the first round meets it too, and tells
                cursor.journal = None
        self._watermark_us = self._least_seen_us(now_us)

    def read(self, *, until: Mapping[str, Span] | None = None) -> Round:
        """The next round; with ``until``, exactly what these spans hold and nothing else."""
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        self._look_for_journals(now_s)
        found = Round([], [], [], {}, 0, caught_up=True)
        caught_up = True
        for name, cursor in list(self._cursors.items()):
            span = None if until is None else until.get(name)
            if until is not None and span is None:
                continue
            try:
                reached, cursor.seen_us = self._read_one(name, cursor, span, found)
            except (OSError, WeirError) as error:
                cursor.journal, cursor.retry_at_s = None, now_s + RETRY_UNREADABLE_S
                emit(Happening.JOURNAL_UNREADABLE, journal=name, reason=type(error).__name__)
                reached, cursor.seen_us = until is None, min(cursor.seen_us, now_us)
            caught_up &= reached
        self._watermark_us = self._least_seen_us(now_us)
        return found._replace(watermark_us=self._watermark_us, caught_up=caught_up)

    def backlog_bytes(self, committed: Mapping[str, JournalMark]) -> int:
        """Durable bytes that are not yet in the lake, by the positions that are."""
        return sum(
            max(0, cursor.behind + cursor.position - committed.get(name, JournalMark()).position)
            for name, cursor in list(self._cursors.items())
        )

    def offsets(self) -> Mapping[str, int]:
        """Events of each journal that have been read."""
        return {name: cursor.offset for name, cursor in self._cursors.items()}

    def _least_seen_us(self, now_us: int) -> int:
        return min([now_us, *(cursor.seen_us for cursor in self._cursors.values())])

    def _look_ahead_in(self, name: str, cursor: _Cursor) -> int:
        """When the first event after the cursor was received; with none, the journal's own time."""
        cursor.journal = self._journals.open(name)
        end = _look_at(cursor.journal, self._clock)
        cursor.behind = max(0, end.durable_position - cursor.position)
        if not cursor.behind:
            return end.watermark_us(cursor)
        cursor.ahead = cursor.journal.read(
            cursor.position, byte_limit=AHEAD_BYTES, offset=cursor.offset
        )
        if cursor.ahead.frames:
            cursor.received_us = cursor.ahead.frames[0].received_at_us
        return cursor.received_us

    def _look_for_journals(self, now_s: float) -> None:
        """Finds journals that are new: the watermark is a promise about those too."""
        for name in sorted(self._journals.ids()):
            cursor = self._cursors.setdefault(name, _Cursor(JournalMark()))
            if not cursor.recovered and now_s >= cursor.recover_at_s:
                self._recover(name, cursor, now_s)

    def _recover(self, name: str, cursor: _Cursor, now_s: float) -> None:
        """Recovers a journal unless it has a writer, which did that itself."""
        try:
            cursor.recovered = self._journals.recover(name)
        except (OSError, WeirError) as error:  # what is published can be read all the same
            cursor.unrecoverable = True
            cursor.recover_at_s = now_s + RETRY_UNREADABLE_S
            emit(Happening.JOURNAL_UNRECOVERED, journal=name, reason=type(error).__name__)
            return
        cursor.unrecoverable = False
        cursor.recover_at_s = now_s + RECOVER_S
        if cursor.recovered:
            emit(Happening.JOURNAL_RECOVERED, journal=name)

    def _read_one(
        self, name: str, cursor: _Cursor, until: Span | None, found: Round
    ) -> tuple[bool, int]:
        """Reads one journal; whether its end was reached, and its own watermark."""
        if cursor.journal is None:
            if self._clock.monotonic_s() < cursor.retry_at_s:
                return until is None, min(cursor.seen_us, self._clock.now_us())
            cursor.journal = self._journals.open(name)
        look = _look_at(cursor.journal, self._clock)
        end = look.durable_position if until is None else until.to_position
        if look.durable_position < end:
            raise Corrupt("A journal is shorter than what was read of it.", code="journal_short")
        if cursor.position < end:
            batch = cursor.ahead or cursor.journal.read(
                cursor.position, byte_limit=ROUND_BYTES_MAX, offset=cursor.offset
            )
            cursor.ahead = None
            _take(name, cursor, batch, until, found)
        cursor.behind = max(0, look.durable_position - cursor.position)
        reached = cursor.position >= end
        if not look.is_current:
            reached &= until is not None or cursor.unrecoverable
        return reached, look.watermark_us(cursor)


class _Look(NamedTuple):
    """A look at the end of a journal; ``now_us`` is from before it."""

    now_us: int
    is_current: bool
    writing_us: int
    durable_position: int

    def watermark_us(self, cursor: _Cursor) -> int:
        """The journal's own watermark, for a cursor that has read up to where it stands."""
        if not self.is_current:
            return cursor.received_us
        if self.durable_position != cursor.position:  # there is more, or it has yet to be published
            return cursor.received_us
        return min(self.now_us, self.writing_us) if self.writing_us else self.now_us


def _look_at(journal: OpenJournal, clock: Clock) -> _Look:
    """In this order: what is being written later than this was received later than ``now_us``."""
    return _Look(
        clock.now_us(),
        journal.is_current(),
        journal.writing_since_us(),
        journal.durable_position(),
    )


def _take(name: str, cursor: _Cursor, batch: ReadResult, until: Span | None, found: Round) -> None:
    """Moves the cursor over the batch, up to the end of ``until``, and sorts its frames."""
    begin = (cursor.position, cursor.offset)
    frames = batch.frames
    if until is not None:
        frames = frames[: bisect_left(frames, until.to_position, key=_position)]
    taken = 0
    for damage in sorted(batch.damages, key=lambda damage: damage.position):
        before = bisect_left(frames, damage.position, key=_position)
        _take_frames(cursor, frames[taken:before], found)
        _take_damage(name, cursor, damage, until, found)
        taken = before
    _take_frames(cursor, frames[taken:], found)
    end = batch.next_position
    cursor.position = end if until is None else min(end, until.to_position)
    if (cursor.position, cursor.offset) != begin:
        found.spans[name] = Span(begin[0], cursor.position, begin[1], cursor.offset)


def _take_frames(cursor: _Cursor, frames: Sequence[Frame], found: Round) -> None:
    """Moves the cursor over frames that follow one another."""
    if not frames:
        return
    tallies = [frame for frame in frames if frame.is_tally]
    found.tallies.extend(tallies)
    found.frames.extend([each for each in frames if not each.is_tally] if tallies else frames)
    last = frames[-1]
    cursor.offset = last.offset + last.event_count
    cursor.received_us = last.received_at_us


def _take_damage(
    name: str, cursor: _Cursor, damage: DamagedRange, until: Span | None, found: Round
) -> None:
    offset = cursor.offset + damage.events_missing
    if until and (damage.next_position > until.to_position or offset > until.to_offset):
        return
    found.losses.append(LostEvents(name, damage.position, damage.events_missing, damage.present))
    cursor.offset = offset
