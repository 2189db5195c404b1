"""Content encodings: undone exactly, bounded while they are, refused when they are not whole."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from weir.dialects.port import BodyTooLarge
from weir.errors import InvalidInput
from weir.ingest.encodings import (
    MEMBERS_MAX,
    UnsupportedEncoding,
    encoding_of,
    inflate,
)
from weir.settings import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b'{"event":"a","properties":{"n":1}}' * 50


def _raw_deflate(content: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(content) + squeezer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
    "raw deflate": _raw_deflate(TEXT),
    "zstd": zstd.compress(TEXT),
}


def _inflate(name: str, body: bytes, bytes_max: int = MIB) -> bytes:
    return inflate(name.removeprefix("raw "), body, bytes_max=bytes_max)


@pytest.mark.parametrize(
    ("header", "body", "name"),
    [
        (None, b"{}", "identity"),
        (b"", b"{}", "identity"),
        (b"identity", b"{}", "identity"),
        (b" GZIP ", b"{}", "gzip"),
        (b"x-gzip", b"{}", "gzip"),
        (b"deflate", b"{}", "deflate"),
        (b"ZStd", b"{}", "zstd"),
        (None, PACKED["gzip"], "gzip"),
        (b"identity", PACKED["gzip"], "gzip"),
        (None, b"\x1f\x8b", "identity"),
    ],
)
def test_encoding_is_told_by_header_or_magic_bytes(
    header: bytes | None, body: bytes, name: str
) -> None:
    """gzip also without the header, which SDKs forget."""
    assert encoding_of(header, body) == name


@pytest.mark.parametrize(
    "header", [b"br", b"compress", b"gzip, gzip", b"gzip, br", b"gzip;q=1", b"?"]
)
def test_other_and_stacked_encodings_are_415(header: bytes) -> None:
    """One layer, and none that can blow up beyond bounds."""
    with pytest.raises(UnsupportedEncoding) as caught:
        encoding_of(header, b"{}")
    assert (caught.value.status, caught.value.code) == (415, "unsupported_encoding")


@pytest.mark.parametrize("name", PACKED)
def test_body_comes_out_as_it_went_in(name: str) -> None:
    """Whole, up to exactly the limit."""
    assert _inflate(name, PACKED[name]) == TEXT
    assert _inflate(name, PACKED[name], len(TEXT)) == TEXT


@pytest.mark.parametrize("name", PACKED)
def test_inflated_size_is_bounded(name: str) -> None:
    """One byte above the limit is refused."""
    with pytest.raises(BodyTooLarge) as caught:
        _inflate(name, PACKED[name], len(TEXT) - 1)
    assert caught.value.status == 413


@pytest.mark.parametrize("name", PACKED)
def test_every_truncation_is_refused(name: str) -> None:
    """A body that ends early is never taken for a shorter one."""
    packed = PACKED[name]
    for cut in range(1, len(packed)):
        with pytest.raises(InvalidInput):
            _inflate(name, packed[:cut])


@pytest.mark.parametrize("name", PACKED)
def test_garbage_behind_is_refused(name: str) -> None:
    """Nothing of a body is passed over, but for gzip's padding of zeros."""
    with pytest.raises(InvalidInput):
        _inflate(name, PACKED[name] + b"garbage")
    if name == "gzip":
        assert _inflate(name, PACKED[name] + bytes(100)) == TEXT
    else:
        with pytest.raises(InvalidInput):
            _inflate(name, PACKED[name] + bytes(100))


@pytest.mark.parametrize("name", PACKED)
def test_plain_text_under_a_wrong_name_is_refused(name: str) -> None:
    """As is one encoding under the name of another."""
    with pytest.raises(InvalidInput, match=f"not valid {name.removeprefix('raw ')}"):
        _inflate(name, TEXT)
    other = "zstd" if name == "gzip" else "gzip"
    with pytest.raises(InvalidInput):
        _inflate(other, PACKED[name])


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_damage_is_found(name: str) -> None:
    """The checksum of the format is looked at."""
    packed = bytearray(
        zstd.compress(TEXT, options={int(zstd.CompressionParameter.checksum_flag): 1})
    )
    if name == "gzip":
        packed = bytearray(PACKED["gzip"])
        packed[-6] ^= 1
    else:
        packed[-1] ^= 1
    with pytest.raises(InvalidInput):
        _inflate(name, bytes(packed))


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_parts_are_joined(name: str) -> None:
    """gzip members and zstd frames, empty ones included, up to their number's bound."""
    squeeze = gzip.compress if name == "gzip" else zstd.compress
    whole = b"".join(squeeze(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))
    assert _inflate(name, whole + squeeze(b"")) == TEXT
    assert _inflate(name, squeeze(b"") * MEMBERS_MAX) == b""
    with pytest.raises(InvalidInput, match="compressed parts"):
        _inflate(name, squeeze(b"") * (MEMBERS_MAX + 1))
    with pytest.raises(BodyTooLarge):
        _inflate(name, whole, len(TEXT) - 1)


@pytest.mark.parametrize("name", PACKED)
def test_bomb_costs_no_more_than_the_limit(name: str) -> None:
    """10 MiB out of a few KiB: inflation stops at the limit, and so does the memory."""
    content = bytes(10 * MIB)
    squeezers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "raw deflate": _raw_deflate,
        "zstd": zstd.compress,
    }
    bomb = squeezers[name](content)
    del content
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            _inflate(name, bomb, MIB)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_zstd_may_not_ask_for_a_large_window() -> None:
    """A frame that wants more than 8 MiB to be decoded is refused before it gets it."""
    squeezer = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 27})
    greedy = squeezer.compress(TEXT) + squeezer.flush()
    with pytest.raises(InvalidInput):
        _inflate("zstd", greedy)
    modest = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 23})
    assert _inflate("zstd", modest.compress(TEXT) + modest.flush()) == TEXT


def test_empty_body_is_empty() -> None:
    """What it lacks is for the dialect to say."""
    for name in PACKED:
        assert _inflate(name, b"") == b""


def test_zstd_with_a_dictionary_is_refused() -> None:
    """We have none, and must not guess."""
    words = zstd.ZstdDict(TEXT * 20, is_raw=True)
    with pytest.raises(InvalidInput):
        _inflate("zstd", zstd.compress(TEXT, zstd_dict=words))
