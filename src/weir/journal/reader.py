"""Reading a journal while it is written: frames up to the durable end, and what is missing.

Every read takes the durable end first, then lists the directory, then opens what it needs. So
each file that holds a published frame is in the list, and a file that recovery replaced is never
read through an old descriptor.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from weir.domain.frame import Frame
from weir.errors import Corrupt
from weir.journal.disk import LOCAL_DISK, Disk
from weir.journal.file import (
    HEADER_AREA_BYTES,
    FileHeader,
    file_name,
    file_starts,
    read_header,
)
from weir.journal.frame import Mark
from weir.journal.quarantine import quarantine_bytes
from weir.journal.state import JournalState
from weir.journal.walk import Gap, ReadAt, walk
from weir.telemetry import Happening, emit


class DamagedRange(msgspec.Struct, frozen=True):
    """A range of durable positions whose frames cannot be read any more."""

    position: int
    next_position: int
    events_missing: int
    """Exact whenever the reader knew the offset at ``position``."""
    present: bool
    """True: damaged bytes are there, to be quarantined. False: the bytes are lost."""


class ReadResult(msgspec.Struct, frozen=True):
    """What one read found. Frames and damages are each in order and do not overlap."""

    frames: list[Frame]
    next_position: int
    """Where to go on reading."""
    damages: list[DamagedRange]
    next_offset: int | None
    """Events before ``next_position``; None only when nothing was ever read."""


class JournalReader:
    """Reads one journal directory for the loader. Not for several threads at once."""

    __slots__ = ("_directory", "_disk", "_last", "_published", "_quarantine", "_state")

    def __init__(
        self, directory: Path, *, quarantine: Path | None = None, disk: Disk = LOCAL_DISK
    ) -> None:
        """Damaged bytes that are met are copied to ``quarantine``; None leaves that to others."""
        self._directory = directory
        self._quarantine = quarantine
        self._disk = disk
        self._state: JournalState | None = None
        self._published = Mark(0, 0)
        self._last = Mark(0, 0)

    def writing_since_us(self) -> int:
        """0, or a time that no frame still being written was received before.

        For a watermark: read the wall clock, then this, then call ``read`` until it gives
        nothing more; every event received before the lesser of the two has then been read.
        """
        state = self._open_state()
        return state.writing_since_us if state else 0

    def is_current(self) -> bool:
        """Whether the durable position is the whole truth, and not what a power cut left of it.

        True of a journal that nobody has begun.
        """
        state = self._open_state()
        if state is None:
            return not file_starts(self._disk.names(self._directory))
        return state.is_current

    def durable_position(self) -> int:
        """The published end of the journal; reading goes up to it and never beyond."""
        state = self._open_state()
        published = state.published() if state else None
        if published is not None and published.end.position > self._published.position:
            self._published = published.end
        return self._published.position

    def read(self, position: int, *, byte_limit: int, offset: int | None = None) -> ReadResult:
        """The frames from ``position`` on, at least one if there is one, up to ``byte_limit``.

        ``position`` is 0 or a ``next_position`` given earlier; ``offset`` is the number of events
        before it, for a reader that did not read up to there itself. A damaged range is stepped
        over and reported. ``Corrupt`` for a file of a newer format or under a wrong name, or
        when offsets run backwards; ``OSError`` when the disk fails, and then nothing is skipped.
        """
        durable_position = self.durable_position()
        if self._last.position == position:
            offset = self._last.offset
        if position >= durable_position:
            return ReadResult([], position, [], offset)
        assembly = _Assembly(position, offset)
        limit = position + byte_limit
        while assembly.position < durable_position:
            if assembly.position >= limit and assembly.frames and assembly.gap_start is None:
                break
            self._read_file(assembly, limit)
        if assembly.position == self._published.position:
            assembly.reach(self._published)
        self._keep_damaged(assembly.damages)
        if assembly.offset is not None:
            self._last = Mark(assembly.position, assembly.offset)
        return ReadResult(assembly.frames, assembly.position, assembly.damages, assembly.offset)

    def _open_state(self) -> JournalState | None:
        if self._state is None:
            try:
                self._state = JournalState.open(self._directory)
            except (FileNotFoundError, ValueError):  # the writer has yet to make it (anew)
                return None
        return self._state

    def _read_file(self, assembly: "_Assembly", limit: int) -> None:
        """Reads on in the file that holds the assembly's position, or steps to the next one."""
        position = assembly.position
        starts = file_starts(self._disk.names(self._directory))
        index = bisect_right(starts, position)
        end = min([*starts[index : index + 1], self._published.position])
        if index == 0:
            assembly.skip(Gap(position, end), present=False)
            return
        start = starts[index - 1]
        path = self._directory / file_name(start)
        try:
            descriptor = self._disk.open(path)
        except FileNotFoundError:  # expired since it was listed: the next list tells
            return
        read = partial(_read_at, self._disk, descriptor, start)
        try:
            header = read_header(self._disk, descriptor, path)
            if header is None:
                assembly.skip(Gap(position, end), present=bool(read(position, 1)))
                return
            if position == start:
                assembly.reach(header.start)
            _read_frames(assembly, read, header, end=end, limit=limit)
        finally:
            self._disk.close(descriptor)

    def _keep_damaged(self, damages: list[DamagedRange]) -> None:
        for damage in damages:
            if damage.present and self._quarantine is not None:
                quarantine_bytes(
                    self._disk,
                    self._directory,
                    self._quarantine,
                    position=damage.position,
                    next_position=damage.next_position,
                )
            emit(
                Happening.JOURNAL_CORRUPT,
                journal=self._directory.name,
                position=damage.position,
                next_position=damage.next_position,
                events_missing=damage.events_missing,
                present=damage.present,
            )


class _Assembly:
    """A batch in the making: where it stands, and a gap whose events are not yet counted."""

    __slots__ = ("_gap_present", "damages", "frames", "gap_start", "offset", "position")

    def __init__(self, position: int, offset: int | None) -> None:
        self.position = position
        self.offset = offset
        self.frames: list[Frame] = []
        self.damages: list[DamagedRange] = []
        self.gap_start: int | None = None
        self._gap_present = False

    def take(self, frames: Sequence[Frame]) -> None:
        """Adds neighbouring frames, the first of which lies at the position."""
        first, last = frames[0], frames[-1]
        if first.offset != self.offset or self.gap_start is not None:
            self.reach(Mark(first.position, first.offset))
        self.frames += frames
        self.position = last.next_position
        self.offset = last.offset + last.event_count

    def skip(self, gap: Gap, *, present: bool) -> None:
        """Steps over a gap; its events are counted when the next offset is known."""
        if self.gap_start is None:
            self.gap_start = gap.position
        self._gap_present |= present
        self.position = gap.next_position

    def reach(self, mark: Mark) -> None:
        """Counts what is missing up to a place whose offset is known."""
        missing = 0 if self.offset is None else mark.offset - self.offset
        if missing < 0:
            raise Corrupt(
                f"The journal's offset at position {mark.position} is {-missing} too low.",
                code="journal_offsets",
                hint="Two journals were mixed, or an old one was copied back: restore one whole.",
            )
        if missing or self.gap_start is not None:
            start = mark.position if self.gap_start is None else self.gap_start
            self.damages.append(DamagedRange(start, mark.position, missing, self._gap_present))
        self.gap_start = None
        self._gap_present = False
        self.offset = mark.offset


def _read_at(disk: Disk, descriptor: int, start: int, position: int, size: int) -> bytes:
    return disk.read(descriptor, size, HEADER_AREA_BYTES + position - start)


def _read_frames(
    assembly: _Assembly, read: ReadAt, header: FileHeader, *, end: int, limit: int
) -> None:
    for found in walk(read, header, start=assembly.position, end=end, limit=limit):
        if isinstance(found, Gap):
            if assembly.offset is None:
                assembly.offset = _offset_at(read, header, found.position)
            assembly.skip(found, present=bool(read(found.position, 1)))
            continue
        assembly.take(found)
        if assembly.position >= limit:
            return


def _offset_at(read: ReadAt, header: FileHeader, position: int) -> int | None:
    """Events before a position, from the frames before it in the same file."""
    mark = header.start
    for found in walk(read, header, start=mark.position, end=position):
        if not isinstance(found, Gap):
            last = found[-1]
            mark = Mark(last.next_position, last.offset + last.event_count)
    return mark.offset if mark.position == position else None
