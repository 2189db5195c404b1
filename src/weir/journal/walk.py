"""Walking over the bytes of one journal file: its frames in order, and the gaps between them.

Pure: bytes come through a function. Every frame that is given out has a checksum that holds and
names the position at which it was found. Whatever is not such a frame is a gap. Where a gap ends
is not taken from the damaged bytes: the next frame is the next place divisible by 8 that names its
own position under a checksum that holds.
"""

from collections.abc import Callable, Iterator
from struct import Struct

import msgspec

from weir.journal.file import FileHeader
from weir.journal.frame import (
    FRAME_ALIGNMENT,
    HEAD_BYTES,
    StoredFrame,
    claimed_length,
    decode_frames,
    seed_checksum,
)

CHUNK_BYTES = 1 << 20
ReadAt = Callable[[int, int], bytes]
"""``read(position, size)``: bytes of the file from a position on, fewer only at its end."""

_WORD = Struct("<Q")
_POSITION_AT = 8


class Gap(msgspec.Struct, frozen=True):
    """A range of positions without a frame that can be believed."""

    position: int
    next_position: int


def walk(
    read: ReadAt, header: FileHeader, *, start: int, end: int, limit: int | None = None
) -> Iterator[list[StoredFrame] | Gap]:
    """The frames and gaps of ``[start, end)``, in order and without holes.

    ``start`` is the position of a frame. A frame that reaches beyond ``end`` is none. Frames come
    in stretches of neighbours whose offsets follow one another; no stretch goes on with a frame
    that begins at or behind ``limit``, and none is empty.
    """
    checksum = seed_checksum(header.seed)
    memory = b""
    origin = position = start
    while position < end:
        at = position - origin
        if at + HEAD_BYTES > len(memory):
            memory, origin, at = read(position, min(CHUNK_BYTES, end - position)), position, 0
        length = _length(memory, at, position, end)
        if at + length > len(memory):
            memory, origin, at = read(position, max(length, CHUNK_BYTES)), position, 0
        frames = decode_frames(
            memory,
            at,
            position=position,
            end=end,
            limit=end if limit is None else limit,
            checksum=checksum,
            journal_id=header.journal_id,
        )
        if frames:
            yield frames
            position = frames[-1].next_position
            continue
        found = _find(read, header, position + FRAME_ALIGNMENT, end)
        yield Gap(position, found)
        position = found


def _length(memory: bytes, at: int, position: int, end: int) -> int:
    """Length of what may be a frame inside ``[position, end)``, else 0."""
    if at + HEAD_BYTES > len(memory):
        return 0
    length = claimed_length(memory, at, position=position)
    return length if position + length <= end else 0


def _find(read: ReadAt, header: FileHeader, start: int, end: int) -> int:
    """Position of the first frame at or behind ``start``; ``end`` when there is none."""
    checksum = seed_checksum(header.seed)
    while start + HEAD_BYTES <= end:
        memory = read(start, min(CHUNK_BYTES + HEAD_BYTES, end - start))
        for position in _candidates(memory, start):
            length = _length(memory, position - start, position, end)
            if length and _is_frame(read(position, length), position, checksum, header):
                return position
        start += CHUNK_BYTES
    return end


def _is_frame(memory: bytes, position: int, checksum: int, header: FileHeader) -> bool:
    """Whether these bytes are a frame that lies at ``position``."""
    end = position + len(memory)
    found = decode_frames(
        *(memory, 0),
        position=position,
        end=end,
        limit=end,
        checksum=checksum,
        journal_id=header.journal_id,
    )
    return bool(found)


def _candidates(memory: bytes, start: int) -> Iterator[int]:
    """Places in ``memory``, which begins at ``start``, that name their own position."""
    if memory == bytes(len(memory)):  # reserved space that was never written: most of a torn tail
        return
    words = memory[_POSITION_AT : len(memory) - len(memory) % FRAME_ALIGNMENT]
    for index, (word,) in enumerate(_WORD.iter_unpack(words)):
        if word == start + index * FRAME_ALIGNMENT:
            yield word
