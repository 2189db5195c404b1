"""Identities made from content: user keys, made event ids, and the hashes of deduplication.

All are fixed for ever: rows already in the lake were written with them, and a replay must give
the same. docs/formats/lake.md and docs/formats/dedup.md describe them.
"""

import zlib
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b, md5

import google_crc32c
import msgspec
import numpy as np

from weir.domain.frame import Frame
from weir.lake.sidecar import U64

ID_HASH_BYTES = 16
USER_KEYS_REMEMBERED = 65536

_RANDOM_BITS = (1 << 62) - 1
_encode = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=USER_KEYS_REMEMBERED)
def user_key_of(kind_and_id: str) -> int:
    """The low 64 bits, signed, of the MD5 of a kind letter (``u``, ``a``) and an id."""
    digest = md5(kind_and_id.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "big", signed=True)


def made_id_of(frame: Frame, index: int) -> str:
    """The id of an event that came without one: a UUIDv7 made from the frame's place.

    48 bits of milliseconds, 12 bits of the millisecond's fraction (RFC 9562, method 3), then 62
    bits of a hash of the place, plus the index: ids of a journal sort by arrival nearly always.
    """
    milliseconds, microseconds = divmod(frame.received_at_us, 1000)
    place = blake2b(f"{frame.journal_id}:{frame.position}".encode(), digest_size=8).digest()
    low = (int.from_bytes(place, "big") + index) & _RANDOM_BITS
    fraction = microseconds * 4096 // 1000
    text = f"{milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def project_hash(project_id: int) -> "blake2b":
    """The hash that every event id of a project continues (copy it); equal ids of two differ."""
    return blake2b(project_id.to_bytes(8, "little"), digest_size=ID_HASH_BYTES)


def body_hashes(contents: Iterable[tuple[object, ...]]) -> U64:
    """What tells a retried event from another one under the same id: CRC32C and CRC32, 64 bits.

    A content is (event, user id, anonymous id, session id, claimed time in us, properties,
    context); ``sent_at`` is not in it, because a retry has a later one.
    """
    encoded = list(map(_encode, contents))
    high = np.fromiter(map(google_crc32c.value, encoded), dtype=np.uint64, count=len(encoded))
    low = np.fromiter(map(zlib.crc32, encoded), dtype=np.uint64, count=len(encoded))
    return high << np.uint64(32) | low
