"""Raw payload files give back the frames that went in, or say that they cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.frame import Frame, Place
from weir.errors import Corrupt
from weir.lake.raw import decode_raw, encode_raw

_numbers = st.integers(0, 2**62)
_frames = st.builds(
    Frame,
    journal_id=st.text(max_size=4),
    position=_numbers,
    next_position=_numbers,
    offset=_numbers,
    received_at_us=_numbers,
    place=st.builds(
        Place, tenant_id=_numbers, project_id=_numbers, endpoint_id=_numbers, key_id=_numbers
    ),
    dialect=st.integers(0, 255),
    dialect_version=st.integers(0, 255),
    event_count=st.integers(0, 1000),
    refused_count=st.integers(0, 1000),
    flags=st.integers(0, 3),
    meta=st.binary(max_size=40),
    body=st.binary(max_size=400),
)


def make_frame(body: bytes) -> Frame:
    """A frame of one event."""
    return Frame("00", 0, 9, 0, 1, Place(1, 2, 3, 4), 1, 1, 1, 0, 0, b"", body)


@given(st.lists(_frames, max_size=5))
def test_frames_survive(frames: list[Frame]) -> None:
    """Every field of every frame comes back, in order."""
    assert list(decode_raw(encode_raw(frames))) == frames


def test_frames_larger_than_a_piece_survive() -> None:
    """Frames that span several decompressed pieces come back whole."""
    frames = [make_frame(bytes([number]) * 3_000_000) for number in range(3)]
    assert list(decode_raw(encode_raw(frames))) == frames


def test_same_frames_give_same_bytes() -> None:
    """The encoding is a function of the frames: names carry its hash."""
    frames = [make_frame(b"x" * 100)] * 50
    assert encode_raw(frames) == encode_raw(list(frames))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign", "more"])
def test_damage_is_reported(damage: str) -> None:
    """A cut, altered, empty, foreign or lengthened file raises instead of losing frames quietly."""
    whole = encode_raw([make_frame(bytes(range(256)))] * 20)
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:-5],
        "flip": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "empty": b"",
        "foreign": b"PAR1" * 10,
        "more": whole + b"x",
    }[damage]
    with pytest.raises(Corrupt):
        list(decode_raw(damaged))
