"""The bytes of frames."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.journal.fakes import draft
from weir.domain.frame import SEQ_PER_US, Draft, Place, seq_of
from weir.journal.frame import (
    FRAME_ALIGNMENT,
    HEAD_BYTES,
    META_BYTES_MAX,
    Mark,
    StoredFrame,
    claimed_length,
    decode_frames,
    encode_frames,
    frame_bytes,
    received_times,
    seed_checksum,
)

CHECKSUM = seed_checksum(b"0123456789abcdef")

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
drafts = st.builds(
    Draft,
    place=st.builds(Place, tenant_id=u32, project_id=u32, endpoint_id=u32, key_id=u32),
    dialect=u16,
    dialect_version=u16,
    event_count=st.integers(0, 2**20),
    refused_count=u32,
    flags=u32,
    meta=st.binary(max_size=40),
    body=st.one_of(st.binary(max_size=200), st.just(bytes(70_000))),
)


@given(
    several=st.lists(drafts, min_size=1, max_size=5),
    position=st.integers(0, 2**60).map(lambda number: number * 8),
    offset=st.integers(0, 2**62),
)
def test_frames_come_back_as_written(several: list[Draft], position: int, offset: int) -> None:
    """Every field survives, and positions and offsets follow one another."""
    start = Mark(position, offset)
    times = list(range(len(several)))
    parts, end = encode_frames(several, times, CHECKSUM, start=start)
    memory = b"".join(parts)
    assert end.position == position + len(memory)
    at = 0
    frames = _decode(memory, start.position)
    for one, frame, received_at_us in zip(several, frames, times, strict=True):
        length = claimed_length(memory, at, position=position)
        assert length == frame_bytes(len(one.meta), len(one.body))
        assert length % FRAME_ALIGNMENT == 0
        assert _decode(memory, position, at=at, limit=position) == [frame]
        assert (frame.position, frame.offset) == (position, offset)
        assert frame.received_at_us == received_at_us
        assert (frame.position - frame.pending_bytes, frame.offset - frame.pending_events) == (
            start.position,
            start.offset,
        )
        assert all(getattr(frame, name) == getattr(one, name) for name in Draft.__struct_fields__)
        at, position, offset = at + length, frame.next_position, offset + one.event_count
    assert (position, offset) == (end.position, end.offset)


def test_frame_under_another_seed_is_none() -> None:
    """Without the file's seed nobody can make a frame."""
    parts, _ = encode_frames([draft()], [1], CHECKSUM, start=Mark(0, 0))
    other = seed_checksum(b"fedcba9876543210")
    assert _decode(b"".join(parts), 0, checksum=other) == []
    assert len(_decode(b"".join(parts), 0)) == 1


@given(
    several=st.lists(drafts, min_size=1, max_size=5),
    where=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_flipped_bit_ends_a_stretch_before_its_frame(
    several: list[Draft], where: float, bit: int
) -> None:
    """Whatever byte is damaged, the frames before it are read and nothing altered is."""
    parts, _ = encode_frames(several, range(len(several)), CHECKSUM, start=Mark(0, 0))
    whole = b"".join(parts)
    frames = _decode(whole, 0)
    memory = bytearray(whole)
    at = int(where * len(memory))
    memory[at] ^= 1 << bit
    assert _decode(bytes(memory), 0) == [each for each in frames if each.next_position <= at]


def test_stretch_ends_where_it_must() -> None:
    """At the limit, at the end, where memory ends and where offsets do not follow."""
    place = Place(1, 2, 3, 4)
    three = [
        Draft(place, 1, 1, count, 0, 0, b"", bytes(size))
        for count, size in ((1, 3), (2, 90), (3, 7))
    ]
    parts, end = encode_frames(three, [1, 2, 3], CHECKSUM, start=Mark(0, 0))
    memory = b"".join(parts)
    first, second, third = frames = _decode(memory, 0)
    assert frames[-1].next_position == end.position
    assert _decode(memory, 0, limit=second.position) == [first]
    assert _decode(memory, 0, limit=second.position + 1) == [first, second]
    assert _decode(memory, 0, end=third.next_position - 1) == [first, second]
    assert _decode(memory[:-1], 0) == [first, second]
    assert _decode(memory[: second.position + HEAD_BYTES], 0) == [first]
    other, _ = encode_frames(three[2:], [3], CHECKSUM, start=Mark(third.position, 7))
    jumped = memory[: third.position] + b"".join(other)
    assert _decode(jumped, 0) == [first, second]
    [alone] = _decode(jumped, third.position, at=third.position)
    assert alone.offset == 7


def _decode(
    memory: bytes,
    position: int,
    *,
    at: int = 0,
    end: int = 2**64,
    limit: int = 2**64,
    checksum: int = CHECKSUM,
) -> list[StoredFrame]:
    """The stretch of frames in a journal's bytes."""
    return decode_frames(
        *(memory, at),
        position=position,
        end=min(end, position + len(memory)),
        limit=limit,
        checksum=checksum,
        journal_id="07",
    )


def test_head_at_another_position_claims_nothing() -> None:
    """A frame is one only where it says that it lies."""
    parts, end = encode_frames([draft()], [1], CHECKSUM, start=Mark(64, 0))
    memory = b"".join(parts)
    assert claimed_length(memory, 0, position=64) == end.position - 64
    assert claimed_length(memory, 0, position=72) == 0


def test_lengths_beyond_the_bounds_claim_nothing() -> None:
    """A damaged length is not believed, so nobody reads gigabytes for it."""
    memory = bytearray(HEAD_BYTES)
    memory[4:8] = frame_bytes(META_BYTES_MAX + 1, 0).to_bytes(4, "little")
    memory[72:76] = (META_BYTES_MAX + 1).to_bytes(4, "little")
    assert claimed_length(bytes(memory), 0, position=0) == 0


@given(
    counts=st.lists(st.integers(0, 3 * SEQ_PER_US), min_size=2, max_size=20),
    now_us=st.integers(2**50, 2**50 + 100),
    floor_us=st.integers(2**50 - 100, 2**50 + 200),
)
def test_times_leave_room_for_every_event(counts: list[int], now_us: int, floor_us: int) -> None:
    """Times grow strictly and no two events of a journal share a ``seq``."""
    times, next_us = received_times(counts, now_us=now_us, floor_us=floor_us)
    assert times[0] == max(now_us, floor_us)
    for count, earlier, later in zip(counts, times, [*times[1:], next_us], strict=True):
        assert later == earlier + 1 + max(count - 1, 0) // SEQ_PER_US
        assert seq_of(earlier, max(count - 1, 0)) < seq_of(later, 0)
