"""The frame: arrival order and metadata."""

from hypothesis import given
from hypothesis import strategies as st

from weir.domain.frame import (
    SEQ_PER_US,
    FrameMeta,
    decode_meta,
    encode_meta,
    seq_of,
)

YEAR_2020_US = 1_577_836_800_000_000
YEAR_2090_US = 3_786_912_000_000_000

moments = st.integers(YEAR_2020_US, YEAR_2090_US)


@given(moments, moments, st.integers(0, SEQ_PER_US - 1), st.integers(0, SEQ_PER_US - 1))
def test_seq_orders_by_time_then_index(first: int, second: int, index: int, other: int) -> None:
    """Two events have the order of their frames, and inside a frame that of the body."""
    pair = (seq_of(first, index), seq_of(second, other))
    assert (pair[0] < pair[1]) == ((first, index) < (second, other))


def test_seq_fits_63_bits_until_2090() -> None:
    """The column is a signed 64-bit integer."""
    assert seq_of(YEAR_2020_US, 0) == 0
    assert seq_of(YEAR_2090_US, SEQ_PER_US - 1) < 2**63


def test_default_metadata_takes_no_bytes() -> None:
    """Most frames carry none, so they pay nothing."""
    assert encode_meta(FrameMeta()) == b""
    assert decode_meta(b"") == FrameMeta()


@given(
    st.builds(
        FrameMeta,
        refused=st.lists(st.integers(0, 1000)).map(tuple),
        topic=st.none() | st.text(max_size=20),
        content_type=st.none() | st.text(max_size=20),
    )
)
def test_metadata_survives_its_encoding(meta: FrameMeta) -> None:
    """A reader sees what the door decided."""
    assert decode_meta(encode_meta(meta)) == meta
