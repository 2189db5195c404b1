"""Identities made from content: user keys, made event ids, and the hashes of deduplication.

All are fixed for ever: rows already in the lake were written with them, and a replay must give
the same. docs/formats/lake.md and docs/formats/dedup.md describe them.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b, md5

import google_crc32c
import numpy as np
import pyarrow as pa

from weir.domain.frame import Frame
from weir.lake.sidecar import I64, U64, Numbers

ID_HASH_BYTES = 16
USER_KEYS_REMEMBERED = 65536

SHORT_TEXT_BYTES = 64
"""Texts up to here are hashed by columns of words, longer ones one by one."""

_VERSION = np.uint64(7 << 12)
_VARIANT = np.uint64(2 << 62)
_RANDOM_BITS = np.uint64((1 << 62) - 1)
_UUID_CHARS = 36
_UUID_DIGITS = [at for at in range(_UUID_CHARS) if at not in (8, 13, 18, 23)]

# Odd numbers without a pattern, for multiplying.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SCATTER = np.uint64(0xD6E8FEB86659FD93)
_PRESENT = np.uint64(1 << 32)
_TAILS = np.array([2**64 - 1, *(256**count - 1 for count in range(1, 8))], dtype=np.uint64)
"""What of a text's last word is text, by the size of the text modulo 8."""


class UserKeys(dict[str, int]):
    """User keys by id, of one kind of ids (``u``, ``a``); knows those that were met lately.

    A key is the low 64 bits, signed, of the MD5 of the kind's letter and the id.
    """

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __missing__(self, given_id: str) -> int:
        if len(self) >= USER_KEYS_REMEMBERED:
            self.clear()
        digest = md5((self._kind + given_id).encode(), usedforsecurity=False).digest()
        key = self[given_id] = int.from_bytes(digest[8:], "big", signed=True)
        return key


def made_id_of(frame: Frame, index: int) -> str:
    """The id of an event that came without one; see ``made_ids``."""
    return made_ids([frame], np.zeros(1, dtype=np.intp), np.array([index]))[0]


def made_ids(frames: Sequence[Frame], frame_of: Numbers, index: Numbers) -> list[str]:
    """The ids of events that came without one: UUIDv7 made from the place of each event's frame.

    48 bits of milliseconds, 12 bits of the millisecond's fraction (RFC 9562, method 3), then 62
    bits of a hash of the place, plus the index: ids of a journal sort by arrival nearly always.
    """
    numbers, own = np.unique(frame_of, return_inverse=True)
    chosen = [frames[number] for number in numbers.tolist()]
    received_us = np.array([frame.received_at_us for frame in chosen], dtype=np.uint64)
    milliseconds, microseconds = np.divmod(received_us, np.uint64(1000))
    fractions = microseconds * np.uint64(4096) // np.uint64(1000)
    halves = np.empty((len(frame_of), 2), dtype=">u8")
    halves[:, 0] = (milliseconds << np.uint64(16) | _VERSION | fractions)[own]
    halves[:, 1] = _place_hashes(chosen)[own] + index.astype(np.uint64) & _RANDOM_BITS | _VARIANT
    return _uuid_texts(halves.tobytes())


def _place_hashes(frames: Sequence[Frame]) -> U64:
    """The 64 bits BLAKE2b of each frame's journal and position."""
    starts: dict[str, blake2b] = {}
    digests = []
    for frame in frames:
        start = starts.get(frame.journal_id)
        if start is None:
            start = blake2b(f"{frame.journal_id}:".encode(), digest_size=8)
            starts[frame.journal_id] = start
        hashed = start.copy()
        hashed.update(b"%d" % frame.position)
        digests.append(hashed.digest())
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def _uuid_texts(content: bytes) -> list[str]:
    """UUIDs of 16 bytes each, as they are written."""
    digits = np.frombuffer(content.hex().encode(), dtype=np.uint8).reshape(-1, 32)
    written = np.full((len(digits), _UUID_CHARS), ord("-"), dtype=np.uint8)
    written[:, _UUID_DIGITS] = digits
    text = written.tobytes().decode()
    return [text[start : start + _UUID_CHARS] for start in range(0, len(text), _UUID_CHARS)]


def id_digests(project_id: int, event_ids: Iterable[str]) -> list[bytes]:
    """The hashes of a project's event ids, 16 bytes each; equal ids of two projects differ."""
    start = blake2b(project_id.to_bytes(8, "little"), digest_size=ID_HASH_BYTES)
    digests = []
    for event_id in event_ids:
        hashed = start.copy()
        hashed.update(event_id.encode())
        digests.append(hashed.digest())
    return digests


def body_hashes(texts: Sequence[pa.Array], times: I64, jsons: Sequence[Sequence[bytes]]) -> U64:
    """What tells a retried event from another one under the same id, 64 bits and never 0.

    ``texts`` are columns of short texts (event, user id, anonymous id, session id), ``times`` the
    claimed times, ``jsons`` columns of JSON texts (properties, context; an empty one is absent).
    ``sent_at`` is not among them, because a retry has a later one.
    """
    hashes: U64 = np.zeros(len(times), dtype=np.uint64)
    columns = [
        *(_text_hashes(column) for column in texts),
        times.view(np.uint64),
        *(_json_hashes(column) for column in jsons),
    ]
    for column in columns:
        hashes ^= column
        _mix(hashes)
    return np.maximum(hashes, np.uint64(1))


def _mix(numbers: U64) -> None:
    """Changes every number to another one, such that near ones are far apart."""
    numbers *= _SPREAD
    numbers ^= numbers >> np.uint64(32)
    numbers *= _SCATTER
    numbers ^= numbers >> np.uint64(29)


def _text_hashes(column: pa.Array) -> U64:
    """A number for each text, 0 for null: what its words and its size give."""
    hashes: U64 = np.zeros(len(column), dtype=np.uint64)
    if column.null_count == len(column):
        return hashes
    _, offsets, content = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=len(column) + 1).astype(np.int64)
    sizes = np.diff(starts)
    has_words = (sizes > 0) & (sizes <= SHORT_TEXT_BYTES)
    if has_words.any():
        hashes[has_words] = _word_sums(content, starts[:-1][has_words], sizes[has_words])
    for row in np.flatnonzero(sizes > SHORT_TEXT_BYTES).tolist():
        text = content.slice(int(starts[row]), int(sizes[row])).to_pybytes()
        hashes[row] = google_crc32c.value(text)
    hashes += (sizes + 1).view(np.uint64) * _SPREAD
    if column.null_count:
        hashes[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return hashes


def _word_sums(content: pa.Buffer, starts: I64, sizes: I64) -> U64:
    """Sums the little-endian words of 8 bytes of each text, each word mixed with its place."""
    counts = (sizes + 7) >> 3
    ends = np.cumsum(counts)
    firsts = ends - counts
    places = np.arange(ends[-1]) - np.repeat(firsts, counts)
    padded = bytes(content) + bytes(8)
    words = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))
    found = words[np.repeat(starts, counts) + (places << 3)]
    found[ends - 1] &= _TAILS[sizes & 7]
    found += places.view(np.uint64) * _SPREAD
    _mix(found)
    sums: U64 = np.add.reduceat(found, firsts)
    return sums


def _json_hashes(texts: Sequence[bytes]) -> U64:
    """A number for each text: its CRC32C and that it is there; 0 for an empty one."""
    if not any(texts):
        return np.zeros(len(texts), dtype=np.uint64)
    hashes = np.fromiter(map(google_crc32c.value, texts), dtype=np.uint64, count=len(texts))
    hashes[np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))] |= _PRESENT
    return hashes
