"""RS256 (RSA, PKCS#1 v1.5, SHA-256; RFC 7518, section 3.3): the one algorithm there is.

The only place that imports cryptography, and imported only when a token is made or comes: that
costs some 10 MB and 60 ms. Keys are DER: PKCS #8 the private half, SubjectPublicKeyInfo the
public one.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from weir.tokens.claims import encode_part

KEY_BITS = 3072
"""Size of a new key: 128 bits of strength (NIST SP 800-57 part 1, table 2).

Earlier versions made keys of 2048 bits; those verify, and sign, until they are rotated.
"""

_EXPONENT = 65537
_PADDING = PKCS1v15()
_HASH = SHA256()


class KeyPair(NamedTuple):
    """Both halves of a signing key; ``kid`` names it."""

    kid: str
    private: bytes
    public: bytes

    def __repr__(self) -> str:
        """Without the private half."""
        return f"KeyPair(kid={self.kid!r})"


def make_pair(*, bits: int = KEY_BITS) -> KeyPair:
    """A new key of so many bits, from the system's randomness; takes tenths of a second."""
    private = generate_private_key(_EXPONENT, bits)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    hidden = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    kid = encode_part(hashlib.sha256(public).digest()[:16]).decode()
    return KeyPair(kid, hidden, public)


def sign(signed: bytes, private: bytes) -> str:
    """The whole token: what is signed, and its signature."""
    # What this node made and stored need not be tested for primes again: 40 ms each time.
    key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey), "make_pair makes no others"
    return (signed + b"." + encode_part(key.sign(signed, _PADDING, _HASH))).decode()


def is_signed(signed: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the signature is that key's of those bytes."""
    try:
        _load(public).verify(signature, signed, _PADDING, _HASH)
    except InvalidSignature:
        return False
    return True


def as_jwk(kid: str, public: bytes) -> dict[str, str]:
    """A public key as others read it (RFC 7517)."""
    numbers = _load(public).public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": kid,
        "n": encode_part(modulus).decode(),
        "e": encode_part(exponent).decode(),
    }


@lru_cache(maxsize=8)
def _load(public: bytes) -> RSAPublicKey:
    key = load_der_public_key(public)
    assert isinstance(key, RSAPublicKey), "make_pair makes no others"
    return key
