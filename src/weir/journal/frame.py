"""The bytes of a frame: one journal record. Pure: no I/O, no time, no randomness.

All numbers are little-endian. A frame is a head of 80 bytes, the metadata, the body, and zero
bytes up to a multiple of 8, so that every frame starts at a position divisible by 8.

====  ====  ===============  ================================================================
at    size  field            meaning
====  ====  ===============  ================================================================
0     u32   checksum         CRC32C of the file's seed and of everything behind this field
4     u32   length           bytes of the whole frame, this head and the padding included
8     u64   position         bytes of frames in the journal before this one
16    u64   offset           events in the journal before this frame
24    i64   received_at      microseconds since 1970 in UTC
32    u32   pending_bytes    ``position - pending_bytes`` was durable when this was written
36    u32   pending_events   ``offset - pending_events`` is the offset there
40    u32   tenant_id
44    u32   project_id
48    u32   endpoint_id
52    u32   key_id
56    u16   dialect
58    u16   dialect_version
60    u32   event_count      events taken
64    u32   refused_count    events of the same body that were refused
68    u32   flags            ``domain.frame.FrameFlag``
72    u32   meta_length      at most ``META_BYTES_MAX``
76    u32   body_length      at most ``BODY_BYTES_MAX``
80          meta, body, padding
====  ====  ===============  ================================================================

The checksum starts from the file's random seed, which never leaves the disk, and a frame counts
only at the position that it names. So a payload cannot pose as a frame. The format page with the
reasons is docs/formats/journal.md; the bytes are kept in tests/golden/journal.
"""

from collections.abc import Iterable, Sequence
from struct import Struct

import google_crc32c
import msgspec

from weir.domain.frame import SEQ_PER_US, Draft, Frame, Place

FRAME_ALIGNMENT = 8
META_BYTES_MAX = 1 << 20
BODY_BYTES_MAX = 128 << 20
JOINED_BYTES_MAX = 64 << 10
"""Frames up to here become one piece of memory; copying is then cheaper than another part."""

_CHECKSUM = Struct("<I")
_HEAD = Struct("<IIQQqII16sHHIIIII")
_PLACE = Struct("<IIII")
_NO_PLACE = Place(0, 0, 0, 0)
_REST = Struct("<IQQqIIIIIIHHIIIII")
HEAD_BYTES = _CHECKSUM.size + _REST.size
FRAME_BYTES_MAX = HEAD_BYTES + META_BYTES_MAX + BODY_BYTES_MAX
_CLAIM = Struct("<4xIQ56xII")
_PADDING = tuple(bytes(count) for count in range(FRAME_ALIGNMENT))
_SEQ_ROUNDING = SEQ_PER_US - 1
_extend = google_crc32c.extend
_pack_checksum = _CHECKSUM.pack
_pack_rest = _REST.pack


class Mark(msgspec.Struct, frozen=True):
    """A place in a journal: bytes of frames and events before it."""

    position: int
    offset: int


class StoredFrame(Frame, frozen=True, gc=False):
    """A frame with what only recovery asks for: how much before it was not known durable."""

    pending_bytes: int
    pending_events: int


def seed_checksum(seed: bytes) -> int:
    """Where the checksums of a file's frames start: the CRC32C of its seed."""
    checksum: int = _extend(0, seed)
    return checksum


def frame_bytes(meta_length: int, body_length: int) -> int:
    """Length of the frame that holds them; a multiple of 8."""
    return (HEAD_BYTES + 7 + meta_length + body_length) & ~7


def received_times(
    event_counts: Iterable[int], *, now_us: int, floor_us: int
) -> tuple[list[int], int]:
    """Times for frames that take so many events each, and the least time for the frame after.

    Strictly growing from ``floor_us`` on whatever the clock does: ``SEQ_PER_US`` events share a
    microsecond, and a frame without events takes one too.
    """
    times = []
    for event_count in event_counts:
        received_at_us = max(floor_us, now_us)
        times.append(received_at_us)
        floor_us = received_at_us + ((event_count + _SEQ_ROUNDING) // SEQ_PER_US or 1)
    return times, floor_us


def encode_frames(
    drafts: Sequence[Draft | Frame], times: Sequence[int], checksum: int, *, start: Mark
) -> tuple[list[bytes], Mark]:
    """The frames as parts to be written one after the other, and where the next frame goes.

    The frames lie at ``start``, which is durable, and have the ``received_at`` in ``times``.
    ``checksum`` is ``seed_checksum`` of the file. Large bodies are not copied. ``struct.error``
    when a number does not fit its field, which is a bug of the caller.
    """
    parts: list[bytes] = []
    position, offset = start.position, start.offset
    for draft, received_at_us in zip(drafts, times, strict=True):
        meta = draft.meta
        body = draft.body
        place = draft.place
        event_count = draft.event_count
        meta_length = len(meta)
        body_length = len(body)
        length = (HEAD_BYTES + 7 + meta_length + body_length) & ~7
        rest = _pack_rest(
            length,
            position,
            offset,
            received_at_us,
            position - start.position,
            offset - start.offset,
            place.tenant_id,
            place.project_id,
            place.endpoint_id,
            place.key_id,
            draft.dialect,
            draft.dialect_version,
            event_count,
            draft.refused_count,
            draft.flags,
            meta_length,
            body_length,
        )
        padding = _PADDING[length - HEAD_BYTES - meta_length - body_length]
        if length <= JOINED_BYTES_MAX:
            rest = b"".join((rest, meta, body, padding))
            parts += (_pack_checksum(_extend(checksum, rest)), rest)
        else:
            own = _extend(_extend(_extend(_extend(checksum, rest), meta), body), padding)
            parts += (_pack_checksum(own), rest, meta, body, padding)
        position += length
        offset += event_count
    return parts, Mark(position, offset)


def claimed_length(memory: bytes, at: int, *, position: int) -> int:
    """Length of the frame that starts at ``memory[at]`` if it can be one at ``position``, else 0.

    Looks at the head only, which must lie in ``memory``; the checksum is not looked at.
    """
    length, own_position, meta_length, body_length = _CLAIM.unpack_from(memory, at)
    if own_position != position or meta_length > META_BYTES_MAX or body_length > BODY_BYTES_MAX:
        return 0
    return length if length == frame_bytes(meta_length, body_length) else 0


def decode_frames(
    memory: bytes, at: int, *, position: int, end: int, limit: int, checksum: int, journal_id: str
) -> list[StoredFrame]:
    """The frames that lie one behind the other from ``memory[at]`` on, which is ``position``.

    The first is taken wherever it lies, further ones while they begin before ``limit`` and go on
    with the offset of the one before. It ends at the first that is not whole in ``memory``,
    reaches beyond ``end``, names another position or has a checksum that does not hold.
    ``checksum`` is ``seed_checksum`` of the file.
    """
    frames: list[StoredFrame] = []
    size = min(len(memory), at + end - position)
    own_place, place = b"", _NO_PLACE
    next_offset = None
    while at + HEAD_BYTES <= size:
        (
            own_checksum, length, own_position, offset, received_at_us, pending_bytes,
            pending_events, place_bytes, dialect, dialect_version, event_count, refused_count,
            flags, meta_length, body_length,
        ) = _HEAD.unpack_from(memory, at)  # fmt: skip  # a line each says no more
        if (
            own_position != position
            or at + length > size
            or meta_length > META_BYTES_MAX
            or body_length > BODY_BYTES_MAX
            or length != (HEAD_BYTES + 7 + meta_length + body_length) & ~7
        ):
            break
        if next_offset is not None and (offset != next_offset or position >= limit):
            break
        rest = memory[at + _CHECKSUM.size : at + length]
        if _extend(checksum, rest) != own_checksum:
            break
        if place_bytes != own_place:  # neighbours mostly share theirs
            own_place, place = place_bytes, Place(*_PLACE.unpack(place_bytes))
        body_at = _REST.size + meta_length
        meta, body = rest[_REST.size : body_at], rest[body_at : body_at + body_length]
        at += length
        next_offset = offset + event_count
        frames.append(
            StoredFrame(
                journal_id, position, position := position + length, offset, received_at_us,
                place, dialect, dialect_version, event_count, refused_count, flags, meta, body,
                pending_bytes, pending_events,
            )
        )  # fmt: skip
    return frames
