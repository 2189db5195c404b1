"""``POST /v1/token/exchange`` and ``/.well-known/jwks.json``: access tokens for API keys.

Errors here are ``{"error", "message", "details"}``, whatever is wrong; 422 names each field.
"""

import os
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Annotated, ClassVar, Final, Literal, Self

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.auth import check_address
from weir.api.operation import Operation
from weir.api.reading import read_request
from weir.api.replies import error_headers, json_reply
from weir.api.routing import route
from weir.clock import Clock
from weir.control.token_keys import Signer
from weir.domain.described import TEXT, Body
from weir.domain.keys import Scope
from weir.domain.registry import Registry
from weir.errors import LimitExceeded, WeirError
from weir.node.registry import RegistryView
from weir.tokens.claims import TTL_S_DEFAULT
from weir.tokens.issuing import Exchangeable, make_claims, parse_ttl, to_be_signed

BODY_BYTES_MAX: Final = 16384
JWKS_CACHE_S = 300
MINUTE_S = 60


class Lifetime(int):
    """How long a token is asked to last, in seconds; in JSON a text such as ``15m``."""

    SCHEMA: ClassVar[Mapping[str, object]] = {
        "type": "string",
        "description": "1 s to 24 h, as `90s`, `15m` or `1h`.",
        "pattern": "^[1-9][0-9]{0,5}[smh]$",
        "default": "15m",
    }

    @classmethod
    def read(cls, value: object) -> Self:
        """The seconds of the text; raises ``ValueError`` for what is no such text."""
        ttl_s = parse_ttl(value) if isinstance(value, str) else None
        if ttl_s is None:
            raise ValueError("must be a time from 1s to 24h, such as 90s, 15m or 1h")
        return cls(ttl_s)


class ExchangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The key to exchange, and what the token shall be good for."""

    api_key: Annotated[str, msgspec.Meta(pattern=r"\S", extra={"must": "be the API key's text"})]
    scope: Exchangeable
    ttl: Lifetime | None = None

    def __repr__(self) -> str:
        """Without the key."""
        return f"ExchangeRequest(scope={self.scope!r}, ttl={self.ttl})"


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token; ``expires_in`` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int

    def __repr__(self) -> str:
        """Without the token."""
        return f"IssuedToken(expires_in={self.expires_in})"


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]


_ERROR: Mapping[str, object] = {
    "type": "object",
    "required": ["error", "message", "details"],
    "properties": {
        "error": {"type": "string", "description": "A stable code."},
        "message": TEXT,
        "details": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": TEXT, "message": TEXT}},
        },
    },
}


def _refused(code: str, message: str, *details: Mapping[str, str]) -> Body:
    value = {"error": code, "message": message, "details": list(details)}
    return Body(schema=_ERROR, examples={code: value})


EXCHANGE = Operation(
    method="POST",
    path="/v1/token/exchange",
    name="exchange_token",
    summary=(
        "Exchange an API key for an access token, a JWT with one of the key's scopes. It stands in"
        " `Authorization: Bearer`, and ends with its key at the latest."
    ),
    request=ExchangeRequest,
    body_bytes_max=BODY_BYTES_MAX,
    body=Body(
        examples={
            "ingest": {
                "api_key": "emq_live_a1b2c3d4e5f6g7h8i9j0",
                "scope": "ingest",
                "ttl": "15m",
            }
        },
    ),
    returns=IssuedToken,
    reply_words="The token. `expires_in` is in seconds, less than `ttl` when the key ends before.",
    reply=Body(
        examples={
            "issued": {
                "access_token": "eyJhbGciOiJSUzI1NiIs…",
                "token_type": "Bearer",
                "expires_in": 900,
            }
        },
    ),
    errors=(401, 403, 408, 413, 422, 429, 503),
    refusals={
        401: _refused("unauthorized", "The API key is unknown or revoked."),
        403: _refused("forbidden", "This API key lacks the scope 'admin'."),
        422: _refused(
            "validation_failed",
            "ttl must be a time from 1s to 24h, such as 90s, 15m or 1h.",
            {"field": "ttl", "message": "must be a time from 1s to 24h, such as 90s, 15m or 1h"},
        ),
    },
    error_schema=_ERROR,
)

JWKS = Operation(
    method="GET",
    path="/.well-known/jwks.json",
    name="token_keys",
    summary="The public keys of access tokens, for those who verify tokens themselves.",
    request=NoneType,
    returns=KeySet,
    reply_words="A JSON Web Key Set (RFC 7517); empty before the first token.",
    reply=Body(
        examples={
            "one": {
                "keys": [
                    {
                        "kty": "RSA",
                        "use": "sig",
                        "alg": "RS256",
                        "kid": "pT4w1cXgVn0oZ3kq8mY2hA",
                        "n": "s4W8…",
                        "e": "AQAB",
                    }
                ]
            }
        }
    ),
)


class ExchangeRate:
    """How many tokens each key got in the running minute: signing is dear, and a key cheap."""

    __slots__ = ("_counts", "_minute", "_per_minute")

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minute = -1
        self._counts: dict[int, int] = {}

    def count(self, key_id: int, *, now_us: int) -> None:
        """Counts one more; ``LimitExceeded`` when the key has had its share."""
        now_s = now_us // 1_000_000
        if now_s // MINUTE_S != self._minute:
            self._minute = now_s // MINUTE_S
            self._counts.clear()
        count = self._counts.get(key_id, 0)
        if count >= self._per_minute:
            raise LimitExceeded(
                f"A key can be exchanged {self._per_minute} times a minute.",
                hint="Use a token until it ends, or ask for a longer ttl.",
                retry_after_s=MINUTE_S - now_s % MINUTE_S,
            )
        self._counts[key_id] = count + 1


def token_routes(
    registry: RegistryView, signer: Callable[[], Signer], *, clock: Clock, per_minute: int
) -> list[Route]:
    """The exchange and the public keys. ``signer`` may wait for a disk, and runs in a thread."""
    rate = ExchangeRate(per_minute)

    async def exchange(request: Request) -> Response:
        try:
            asked = await read_request(request, EXCHANGE)
            now_us = clock.now_us()
            known = registry.current()
            key = known.authenticate(asked.api_key.strip(), now_us=now_us)
            check_address(key, request)
            claims = make_claims(
                key,
                known,
                scope=Scope(asked.scope),
                ttl_s=TTL_S_DEFAULT if asked.ttl is None else asked.ttl,
                now_us=now_us,
                random=os.urandom(16),
            )
            rate.count(key.key_id, now_us=now_us)

            def issue() -> str:
                from weir.tokens.signature import sign

                kid, private = signer()
                return sign(to_be_signed(claims, kid=kid), private)

            token = await run_in_threadpool(issue)
        except WeirError as error:
            return _refusal(error)
        lasts_s = claims.exp - claims.iat
        return json_reply(
            IssuedToken(access_token=token, token_type="Bearer", expires_in=lasts_s)  # noqa: S106  # its kind
        )

    async def show_keys(_request: Request) -> Response:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": f"public, max-age={JWKS_CACHE_S}",
        }
        keys = _jwks(registry.current(), now_us=clock.now_us())
        return json_reply(KeySet(keys=keys), headers=headers)

    return [
        route(EXCHANGE, exchange),
        route(JWKS, show_keys),
    ]


def _jwks(registry: Registry, *, now_us: int) -> list[dict[str, str]]:
    good = {
        kid: key.public
        for kid, key in registry.token_keys.items()
        if key.ends_at_us is None or now_us < key.ends_at_us
    }
    if not good:
        return []
    from weir.tokens.signature import as_jwk

    return [as_jwk(kid, public) for kid, public in good.items()]


def _refusal(error: WeirError) -> Response:
    value = {"error": error.code, "message": str(error), "details": error.details or []}
    return json_reply(value, status=error.status, headers=error_headers(error))
