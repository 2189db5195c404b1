"""Raw payload files: the frames of one project in one commit, for rebuilds and replays.

A file is one zstd stream (with its content checksum) over: the magic line ``weir-raw 1\\n``, then
per frame a 4-byte little-endian length and that many bytes of msgpack: a map with the fields of
``domain.frame.Frame`` by name, the body as binary. Frames stand in the order (journal id,
position). Unknown fields must be ignored by readers. See docs/formats/raw.md.
"""

import struct
import sys
from collections.abc import Iterable, Iterator

import msgspec

from weir.domain.frame import Frame
from weir.errors import Corrupt

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

MAGIC = b"weir-raw 1\n"
_ANY_MAGIC = b"weir-raw "
_LENGTH = struct.Struct("<I")
_LENGTH_BYTES = _LENGTH.size
_unpack_length = _LENGTH.unpack_from
_LEVEL = 1
_CHUNK_BYTES = 1024 * 1024


def encode_raw(frames: Iterable[Frame]) -> bytes:
    """The bytes of a file with these frames, in their order."""
    compressor = ZstdCompressor(
        options={
            CompressionParameter.compression_level: _LEVEL,
            CompressionParameter.checksum_flag: 1,
        }
    )
    encode = msgspec.msgpack.Encoder().encode
    compressed: list[bytes] = []
    pending = bytearray(MAGIC)
    for frame in frames:
        record = encode(frame)
        pending += _LENGTH.pack(len(record))
        pending += record
        if len(pending) >= _CHUNK_BYTES:
            compressed.append(compressor.compress(pending))
            pending = bytearray()
    compressed.append(compressor.compress(pending))
    compressed.append(compressor.flush())
    return b"".join(compressed)


def decode_raw(content: bytes) -> Iterator[Frame]:
    """The frames of a file, one at a time; raises ``Corrupt`` where it is damaged or cut short.

    With the code ``newer_format`` when a newer version of Weir has written it.
    """
    decoder = msgspec.msgpack.Decoder(Frame)
    for inflated, places in _records(content):
        for start, end in places:
            yield _decode(decoder, bytes(inflated[start:end]))


def count_raw(content: bytes) -> int:
    """The number of frames, all bytes inflated and held against the file's own checksum.

    Raises ``Corrupt`` as ``decode_raw``, but for a frame that cannot be decoded.
    """
    return sum(len(places) for _, places in _records(content))


def _records(content: bytes) -> Iterator[tuple[bytearray, list[tuple[int, int]]]]:
    """Stretches of the inflated stream, and where in each of them records lie."""
    pieces = _inflate(content)
    pending = bytearray(next(pieces, b""))
    if not pending.startswith(MAGIC):
        raise _of_newer_version() if pending.startswith(_ANY_MAGIC) else _damaged()
    del pending[: len(MAGIC)]
    for piece in pieces:
        pending += piece
        places = _places(pending)
        if places:
            yield pending, places
            del pending[: places[-1][1]]
    if pending:
        raise _damaged()


def _places(pending: bytearray) -> list[tuple[int, int]]:
    """Where the records lie that are whole."""
    places: list[tuple[int, int]] = []
    start, size = _LENGTH_BYTES, len(pending)
    while start <= size:
        end = start + _unpack_length(pending, start - _LENGTH_BYTES)[0]
        if end > size:
            break
        places.append((start, end))
        start = end + _LENGTH_BYTES
    return places


def _inflate(content: bytes) -> Iterator[bytes]:
    """The inflated stream in bounded pieces, the last one empty."""
    decompressor = ZstdDecompressor()
    fed = content
    while not decompressor.eof:
        try:
            piece = decompressor.decompress(fed, max_length=_CHUNK_BYTES)
        except ZstdError as error:
            raise _damaged() from error
        fed = b""
        if not piece and decompressor.needs_input:
            raise _damaged()
        yield piece
    if decompressor.unused_data:
        raise _damaged()
    yield b""


def _decode(decoder: "msgspec.msgpack.Decoder[Frame]", record: bytes) -> Frame:
    try:
        return decoder.decode(record)
    except msgspec.MsgspecError as error:
        raise _damaged() from error


def _of_newer_version() -> Corrupt:
    return Corrupt(
        "A raw payload file is of a version that this program does not read.",
        code="newer_format",
        hint="Run the version of Weir that wrote it or a newer one.",
    )


def _damaged() -> Corrupt:
    return Corrupt(
        "A raw payload file is not what was written.", hint="Restore the file from a backup."
    )
