"""API keys: their text, their checksum, and what is stored of them.

``<kind>_<mode>_<secret><check>``: kind ``pk`` (public, ingest only) or ``sk`` (secret), mode
``live`` or ``test``, secret 30 characters of base62 (178 random bits), check 6 characters of
base62: the CRC32 of everything before it. Imported keys may be any text of 16 characters or more.
"""

import hashlib
import re
import zlib
from enum import StrEnum

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_CHARS = 30
CHECK_CHARS = 6
ID_CHARS = 16
KEY_CHARS_MIN = 16
KEY_CHARS_MAX = 512

_OURS = re.compile(
    rf"(?:pk|sk)_(?:live|test)_[0-9A-Za-z]{{{SECRET_CHARS}}}[0-9A-Za-z]{{{CHECK_CHARS}}}\Z"
)
_OUR_PREFIX = re.compile(r"(?:pk|sk)_(?:live|test)_")


class Scope(StrEnum):
    """What a key may be used for."""

    INGEST = "ingest"
    QUERY = "query"
    METRICS = "metrics"
    ADMIN = "admin"
    DEPLOY = "deploy"


def make_key(*, public: bool, live: bool, random: bytes) -> str:
    """A new key's text from at least 24 random bytes (178 bits are used)."""
    number = int.from_bytes(random, "big")
    stem = f"{'pk' if public else 'sk'}_{'live' if live else 'test'}_" + _base62(
        number, SECRET_CHARS
    )
    return stem + _check(stem)


def make_key_id(random: bytes) -> str:
    """A new key's public id, ``key_`` and 16 characters of base62, from at least 12 random bytes.

    It names the key in lists, the ledger and logs, and opens nothing.
    """
    return "key_" + _base62(int.from_bytes(random, "big"), ID_CHARS)


def is_mistyped(text: str) -> bool:
    """True for a text that looks like a key of ours and whose checksum is wrong."""
    if not _OUR_PREFIX.match(text):
        return False
    return not _OURS.match(text) or _check(text[:-CHECK_CHARS]) != text[-CHECK_CHARS:]


def is_public(text: str) -> bool:
    """Whether a key calls itself public, of whatever make: such a key has been in browsers."""
    return text.startswith("pk_")


def digest_of(text: str) -> bytes:
    """SHA-256 of the key: the only thing that is stored, and what it is looked up by."""
    # surrogatepass: any text that JSON can carry is an unknown key, not a failure.
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _check(stem: str) -> str:
    return _base62(zlib.crc32(stem.encode()), CHECK_CHARS)


def _base62(number: int, chars: int) -> str:
    digits = []
    for _ in range(chars):
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))
