"""New access tokens: how long they last, and what is going to be signed."""

import re
from typing import Literal

import msgspec

from weir.domain.keys import Scope
from weir.domain.registry import Principal, Registry
from weir.errors import Unauthenticated
from weir.tokens.claims import AUDIENCE, ISSUER, TTL_S_MAX, Claims, Header, encode_part

Exchangeable = Literal["ingest", "query", "metrics", "admin"]
"""Scopes that a token may have."""

_TTL = re.compile(r"([1-9][0-9]{0,5})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_ttl(text: str) -> int | None:
    """Seconds of a text like ``90s``, ``15m`` or ``24h``; ``None`` unless it is 1 s to 24 h."""
    found = _TTL.fullmatch(text)
    if found is None:
        return None
    ttl_s = int(found[1]) * _SECONDS[found[2]]
    return ttl_s if ttl_s <= TTL_S_MAX else None


def make_claims(
    key: Principal, registry: Registry, *, scope: Scope, ttl_s: int, now_us: int, random: bytes
) -> Claims:
    """What a new token of ``key`` says; it never outlives the key. ``random`` has 16 bytes.

    Raises ``Forbidden`` when the key lacks the scope, ``Unauthenticated`` in its last second.
    """
    key.require(scope)
    issued_s = now_us // 1_000_000
    ends_s = issued_s + ttl_s
    if key.expires_at_us is not None:
        ends_s = min(ends_s, key.expires_at_us // 1_000_000)
    if ends_s <= issued_s:
        raise Unauthenticated("The API key has expired.")
    return Claims(
        iss=ISSUER,
        aud=AUDIENCE,
        sub=key.public_id,
        tenant=registry.tenants[key.tenant_id].slug,
        scopes=(scope,),
        iat=issued_s,
        exp=ends_s,
        jti=encode_part(random).decode(),
    )


def to_be_signed(claims: Claims, *, kid: str) -> bytes:
    """Header and payload, as the signature covers them."""
    encode = msgspec.json.encode
    return encode_part(encode(Header(kid=kid))) + b"." + encode_part(encode(claims))
