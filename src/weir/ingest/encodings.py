"""Request bodies: content encodings undone, with the size bounded while inflating.

One encoding layer. gzip is also known by its magic bytes, because SDKs forget the header.
"""

import sys
import zlib

from weir.dialects.port import BodyTooLarge
from weir.errors import InvalidInput

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_WINDOW_LOG_MAX = 23
"""8 MiB: what RFC 8878 asks every decoder to take; more is a way to make us allocate."""

MEMBERS_MAX = 512
"""gzip members or zstd frames of a body. Block compressors make one per 64 KiB or more; each
costs a copy of what follows it."""

STEP_BYTES = 1048576
"""Bytes inflated at a time: what is over the limit is never put together."""

INFLATE_ON_LOOP_BYTES_MAX = 65536
"""Compressed size up to which inflating beside the event loop's other work is fine."""

ADMIT_ON_LOOP_BYTES_MAX = 262144
"""Inflated size up to which deciding about a body on the event loop is fine."""


class UnsupportedEncoding(InvalidInput):
    """A Content-Encoding that the door does not undo."""

    status = 415
    default_code = "unsupported_encoding"


def encoding_of(header: bytes | None, body: bytes) -> str:
    """``identity``, ``gzip``, ``deflate`` or ``zstd``; raises ``UnsupportedEncoding``."""
    if header is None:
        return "gzip" if body.startswith(_GZIP_MAGIC) else "identity"
    name = header.strip().lower()
    if name in (b"", b"identity"):
        return encoding_of(None, body)
    if name in (b"gzip", b"x-gzip"):
        return "gzip"
    if name in (b"deflate", b"zstd"):
        return name.decode()
    raise UnsupportedEncoding(
        "This Content-Encoding is not supported.", hint="Send identity, gzip, deflate or zstd."
    )


def inflate(encoding: str, body: bytes, *, bytes_max: int) -> bytes:
    """The body decoded; stops at ``bytes_max`` with ``BodyTooLarge``.

    Raises ``InvalidInput`` when the bytes are not what the encoding says, or end early.
    """
    if encoding == "identity":
        return body
    try:
        if encoding == "zstd":
            return _inflate_zstd(body, bytes_max)
        return _inflate_zlib(body, bytes_max, _window_bits(encoding, body))
    except (zlib.error, ZstdError, EOFError):
        raise InvalidInput(f"The body is not valid {encoding}.") from None


def _window_bits(encoding: str, body: bytes) -> int:
    if encoding == "gzip":
        return 31
    # "deflate" means zlib (RFC 9110), but raw deflate is sent under the name too.
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return 15 if is_zlib else -15


def _inflate_zlib(body: bytes, bytes_max: int, window_bits: int) -> bytes:
    parts = _Parts(bytes_max)
    members = 0
    rest = body
    while rest:
        member = zlib.decompressobj(window_bits)
        while not member.eof:
            part = member.decompress(rest, STEP_BYTES)
            rest = member.unconsumed_tail
            if not part and not rest and not member.eof:
                raise EOFError
            parts.add(part)
        members += 1
        rest = member.unused_data
        if window_bits == 31:
            rest = rest.lstrip(b"\0")
            _check_members(members)
        elif rest:
            raise EOFError
    return parts.joined()


def _inflate_zstd(body: bytes, bytes_max: int) -> bytes:
    parts = _Parts(bytes_max)
    frames = 0
    rest = body
    while rest:
        options = {int(DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG_MAX}
        frame = ZstdDecompressor(options=options)
        while not frame.eof:
            part = frame.decompress(rest, STEP_BYTES)
            rest = b""
            if not part and frame.needs_input:
                raise EOFError
            parts.add(part)
        frames += 1
        rest = frame.unused_data
        _check_members(frames)
    return parts.joined()


class _Parts:
    """What was inflated so far, which may not be more than a limit."""

    __slots__ = ("_bytes_max", "_parts", "_room")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._room = bytes_max
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Raises ``BodyTooLarge``, and then holds nothing."""
        self._room -= len(part)
        if self._room < 0:
            self._parts.clear()
            raise BodyTooLarge(f"The inflated body is larger than {self._bytes_max} bytes.")
        self._parts.append(part)

    def joined(self) -> bytes:
        return b"".join(self._parts)


def _check_members(count: int) -> None:
    if count > MEMBERS_MAX:
        raise InvalidInput(f"The body has more than {MEMBERS_MAX} compressed parts.")


def inflate_small(encoding: str, body: bytes) -> bytes | None:
    """The inflated body, when that is little work; else None."""
    if len(body) > INFLATE_ON_LOOP_BYTES_MAX:
        return None
    try:
        return inflate(encoding, body, bytes_max=ADMIT_ON_LOOP_BYTES_MAX)
    except BodyTooLarge:
        return None
