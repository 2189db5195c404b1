"""What an access token says, and whether that is good: text and bytes in, values out.

A token is a JWT (RFC 7519) in the compact form of RFC 7515: header, payload and signature, each
base64url without padding. What a verifier must refuse follows RFC 8725. The signature itself is
checked in ``signature``; nothing here reads the time.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Literal, NamedTuple

import msgspec

from weir.domain.keys import KEY_CHARS_MAX, Scope
from weir.domain.registry import Principal, Registry, TokenKey
from weir.errors import Unauthenticated

TOKEN_CHARS_MAX = 1024
"""No longer text is looked at; ours have less than 800 characters."""

TTL_S_DEFAULT = 900
TTL_S_MAX = 86400

LEEWAY_S = 30
"""How far ahead of this node's clock the one that issued a token may be."""

ISSUER: Literal["weir"] = "weir"
AUDIENCE: Literal["weir"] = "weir"

_Time = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header, whole: with ``jku``, ``x5u``, ``jwk``, ``crit`` or anything else it is none."""

    alg: Literal["RS256"] = "RS256"
    kid: _Name
    typ: Literal["JWT"] = "JWT"


class _ReceivedHeader(Header, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header of a token that was sent: nothing of it is taken for granted."""

    alg: Literal["RS256"]
    typ: Literal["JWT"]


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload; all of it must be there. ``sub`` is the key's public id, ``tenant`` a slug."""

    iss: Literal["weir"]
    aud: Literal["weir"]
    sub: _Name
    tenant: _Name
    scopes: tuple[Scope]
    iat: _Time
    exp: _Time
    jti: _Name


class TokenParts(NamedTuple):
    """A token taken apart: what was signed, by which key, what it says, and the signature."""

    signed: bytes
    kid: str
    payload: bytes
    signature: bytes


def may_be_token(text: str) -> bool:
    """Whether the text can be a token; then it cannot be a key: those are shorter.

    A signature of RS256 alone has 342 characters with 2048 bits, and 512 with 3072.
    """
    return KEY_CHARS_MAX < len(text) <= TOKEN_CHARS_MAX and text.count(".") == 2


def take_apart(text: str) -> TokenParts:
    """The parts of a token whose header is as ours; else ``Unauthenticated``."""
    try:
        header, payload, signature = text.encode("ascii").split(b".")
        kid = _decode_header(_decode(header)).kid
        signed = header + b"." + payload
        return TokenParts(signed, kid, _decode(payload), _decode(signature))
    except (ValueError, msgspec.MsgspecError):
        raise no_token() from None


def find_key(registry: Registry, kid: str, *, now_us: int) -> TokenKey:
    """The public key of that name, looked up among the node's own alone."""
    key = registry.token_keys.get(kid)
    if key is None or (key.ends_at_us is not None and now_us >= key.ends_at_us):
        raise no_token()
    return key


def read_claims(payload: bytes, *, now_us: int) -> Claims:
    """What a payload whose signature is good says; ``Unauthenticated`` unless it is in force."""
    try:
        claims = _decode_claims(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise no_token() from None
    if claims.iat * 1_000_000 > now_us + LEEWAY_S * 1_000_000:
        raise Unauthenticated("The access token is not valid yet: look at the clocks.")
    if not 0 < claims.exp - claims.iat <= TTL_S_MAX:
        raise no_token()
    return claims


def stand_in(claims: Claims, key: Principal | None, registry: Registry) -> Principal:
    """The principal of a token: its key's, with the token's one scope and nearer end.

    Raises ``Unauthenticated`` when the key is gone or is not the one that the token was made of.
    """
    [scope] = claims.scopes
    if key is None:
        raise Unauthenticated("The access token's API key is unknown or revoked.")
    if claims.tenant != registry.tenants[key.tenant_id].slug or scope not in key.scopes:
        raise no_token()
    ends_at_us = claims.exp * 1_000_000
    if key.expires_at_us is not None:
        ends_at_us = min(ends_at_us, key.expires_at_us)
    return msgspec.structs.replace(
        key, scopes=frozenset({scope.value}), expires_at_us=ends_at_us, is_token=True
    )


def encode_part(value: bytes) -> bytes:
    """base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(value).rstrip(b"=")


def no_token() -> Unauthenticated:
    """One refusal for all that is wrong with a token: a forger learns nothing from it."""
    return Unauthenticated("The access token is not valid.")


def _decode(text: bytes) -> bytes:
    """The inverse of ``encode_part``; ``ValueError`` for what it does not write."""
    decoded = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if encode_part(decoded) != text:
        raise ValueError
    return decoded


_decode_header = msgspec.json.Decoder(_ReceivedHeader).decode
_decode_claims = msgspec.json.Decoder(Claims).decode
