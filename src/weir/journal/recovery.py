"""Recovery: what a journal holds after its writer died, and how the next one goes on.

Only the newest file can be torn: it was begun after everything before it was durable. Known
durable is the greatest of its start, the state file, and what its frames say was durable when they
were written.

- Behind known durable, the frames up to the first damage may be in the page cache only, after a
  failed sync even though they read well. They are written again, into a fresh file at the same
  positions, before the old file is cut. What follows the damage was never acknowledged: cut.
- Before known durable, damage is corruption. What is met of it (only what lies behind the state's
  mark is looked at) is copied to quarantine, and the file is left as it is; its readers step over
  the damage, keep its bytes too, and count it.

A crash at any point leaves either the old file or the complete fresh one as the newest, so doing
it again gives the same journal.
"""

from collections import deque
from pathlib import Path

import msgspec

from weir.errors import Corrupt
from weir.journal.disk import Disk
from weir.journal.file import (
    HEADER_AREA_BYTES,
    FileHeader,
    file_name,
    file_starts,
    read_header,
    start_file,
)
from weir.journal.frame import (
    FRAME_ALIGNMENT,
    Mark,
    StoredFrame,
    encode_frames,
    received_times,
    seed_checksum,
)
from weir.journal.quarantine import quarantine_bytes
from weir.journal.state import Published
from weir.journal.walk import CHUNK_BYTES, Gap, ReadAt, walk
from weir.telemetry import Happening, emit


class Survey(msgspec.Struct, frozen=True):
    """What the newest file holds, and so what is to be done."""

    durable: Mark
    received_floor_us: int
    kept: tuple[StoredFrame, ...] = ()
    """Whole frames from ``durable`` on, to be written again."""
    damages: tuple[Gap, ...] = ()
    """Corruption before ``durable``."""
    torn: Gap | None = None
    """What is cut: from the end of ``kept`` to the last byte that is not zero."""


class Recovered(msgspec.Struct, frozen=True):
    """A journal ready for appending: its fresh file and where the next frame goes."""

    header: FileHeader
    descriptor: int
    end: Mark
    received_floor_us: int


def recover(
    directory: Path,
    *,
    quarantine: Path,
    disk: Disk,
    known: Published | None,
    now_us: int,
    file_bytes: int,
) -> Recovered:
    """Makes the journal in ``directory`` whole and starts a fresh file behind it.

    ``known`` is what the state file says. The caller holds the journal's lock. ``Corrupt`` when
    the newest file cannot be understood at all (newer format, misplaced, no header and no
    state), ``OSError`` when the disk fails.
    """
    starts = file_starts(disk.names(directory))
    if not starts:
        survey = Survey(*(known or Published(Mark(0, 0), 0)))
        return _start(directory, survey, disk=disk, now_us=now_us, file_bytes=file_bytes)
    path = directory / file_name(starts[-1])
    descriptor = disk.open(path)
    try:
        survey = _survey_file(disk, descriptor, path, starts[-1], known)
        _report(directory, survey, disk=disk, quarantine=quarantine)
        recovered = _start(directory, survey, disk=disk, now_us=now_us, file_bytes=file_bytes)
        cut_at = HEADER_AREA_BYTES + survey.durable.position - starts[-1]
        if disk.size(descriptor) > cut_at > HEADER_AREA_BYTES:
            disk.truncate(descriptor, cut_at)
            disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    return recovered


def survey_frames(read: ReadAt, header: FileHeader, *, end: int, known: Published | None) -> Survey:
    """What the bytes of the newest file mean, from what is known on to ``end``, where they end."""
    durable, floor_us = header.start, header.received_floor_us
    if known and known.end.position > durable.position:
        durable, floor_us = known
    recent: deque[StoredFrame] = deque()
    gaps: list[Gap] = []
    for found in walk(read, header, start=durable.position, end=max(end, durable.position)):
        if isinstance(found, Gap):
            gaps.append(found)
            continue
        for frame in found:
            _, next_us = received_times(
                [frame.event_count], now_us=frame.received_at_us, floor_us=0
            )
            floor_us = max(floor_us, next_us)
            known_durable = _durable_before(frame)
            if known_durable.position > durable.position:
                durable = known_durable
            recent.append(frame)
            while recent and recent[0].position < durable.position:
                recent.popleft()
    kept = _unbroken(recent, durable.position)
    kept_end = kept[-1].next_position if kept else durable.position
    content_end = _content_end(read, kept_end, end)
    return Survey(
        durable=durable,
        received_floor_us=floor_us,
        kept=kept,
        damages=tuple(
            Gap(gap.position, min(gap.next_position, durable.position))
            for gap in gaps
            if gap.position < durable.position
        ),
        torn=Gap(kept_end, content_end) if content_end > kept_end else None,
    )


def _durable_before(frame: StoredFrame) -> Mark:
    """What was durable when a frame was written, as it says itself."""
    return Mark(frame.position - frame.pending_bytes, frame.offset - frame.pending_events)


def _survey_file(
    disk: Disk, descriptor: int, path: Path, start: int, known: Published | None
) -> Survey:
    def read(position: int, size: int) -> bytes:
        return disk.read(descriptor, size, HEADER_AREA_BYTES + position - start)

    end = start + max(disk.content_end(descriptor) - HEADER_AREA_BYTES, 0)
    header = read_header(disk, descriptor, path)
    if header is not None:
        return survey_frames(read, header, end=end, known=known)
    if known is None or known.end.position < start:
        raise Corrupt(
            f"The header of {path} is damaged and so is the journal's state.",
            code="journal_unreadable",
            hint="Restore the file, or move it away: the events in it are then counted as lost.",
        )
    # Without the seed no frame can be believed, and behind the known mark there may have been
    # more. Positions are never used twice, so the journal goes on behind the whole file.
    file_end = start + max(disk.size(descriptor) - HEADER_AREA_BYTES, 0)
    content_end = _content_end(read, start, end)
    return Survey(
        durable=Mark(
            max(known.end.position, file_end - file_end % FRAME_ALIGNMENT), known.end.offset
        ),
        received_floor_us=known.received_floor_us,
        damages=(Gap(start, content_end),) if content_end > start else (),
    )


def _unbroken(frames: deque[StoredFrame], start: int) -> tuple[StoredFrame, ...]:
    """The frames that follow one another from ``start`` on."""
    unbroken = []
    for frame in frames:
        if frame.position != start:
            break
        unbroken.append(frame)
        start = frame.next_position
    return tuple(unbroken)


def _content_end(read: ReadAt, start: int, end: int) -> int:
    """Position behind the last byte of ``[start, end)`` that is not zero; ``start`` if none."""
    content_end = start
    for position in range(start, end, CHUNK_BYTES):
        content = read(position, min(CHUNK_BYTES, end - position)).rstrip(b"\0")
        if content:
            content_end = position + len(content)
    return content_end


def _report(directory: Path, survey: Survey, *, disk: Disk, quarantine: Path) -> None:
    for damage in survey.damages:
        quarantine_bytes(
            disk,
            directory,
            quarantine,
            position=damage.position,
            next_position=damage.next_position,
        )
        emit(
            Happening.JOURNAL_CORRUPT,
            journal=directory.name,
            position=damage.position,
            next_position=damage.next_position,
        )
    if survey.torn:
        emit(
            Happening.JOURNAL_TORN_TAIL,
            journal=directory.name,
            position=survey.torn.position,
            bytes=survey.torn.next_position - survey.torn.position,
        )


def _start(
    directory: Path, survey: Survey, *, disk: Disk, now_us: int, file_bytes: int
) -> Recovered:
    header = FileHeader(
        journal_id=directory.name,
        seed=disk.random_seed(),
        start=survey.durable,
        received_floor_us=survey.received_floor_us,
        created_at_us=now_us,
    )
    parts, end = encode_frames(
        survey.kept,
        [frame.received_at_us for frame in survey.kept],
        seed_checksum(header.seed),
        start=survey.durable,
    )
    descriptor = start_file(disk, directory, header, file_bytes=file_bytes, frames=parts)
    return Recovered(header, descriptor, end, survey.received_floor_us)
