"""``POST /v1/token/exchange`` and ``/.well-known/jwks.json``: access tokens for API keys.

Errors here are ``{"error", "message", "details"}``, whatever is wrong; 422 names each field.
"""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.api.auth import check_address
from weir.api.replies import error_headers, json_reply
from weir.clock import Clock
from weir.control.token_keys import Signer
from weir.domain.keys import Scope
from weir.domain.registry import Registry
from weir.errors import LimitExceeded, Unprocessable, WeirError
from weir.ingest.http.refusals import body_too_large
from weir.node.registry import RegistryView
from weir.tokens.claims import TTL_S_DEFAULT
from weir.tokens.issuing import EXCHANGEABLE, make_claims, parse_ttl, to_be_signed

BODY_BYTES_MAX = 16384
JWKS_CACHE_S = 300
MINUTE_S = 60


class Exchange(NamedTuple):
    """What is asked for."""

    api_key: str
    scope: Scope
    ttl_s: int

    def __repr__(self) -> str:
        """Without the key."""
        return f"Exchange(scope={self.scope!r}, ttl_s={self.ttl_s})"


class Pace:
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
    pace = Pace(per_minute)

    async def exchange(request: Request) -> Response:
        try:
            asked = read_exchange(await _body(request))
            now_us = clock.now_us()
            known = registry.current()
            key = known.authenticate(asked.api_key, now_us=now_us)
            check_address(key, request)
            claims = make_claims(
                key,
                known,
                scope=asked.scope,
                ttl_s=asked.ttl_s,
                now_us=now_us,
                random=os.urandom(16),
            )
            pace.count(key.key_id, now_us=now_us)

            def issue() -> str:
                from weir.tokens.signature import sign

                kid, private = signer()
                return sign(to_be_signed(claims, kid=kid), private)

            token = await run_in_threadpool(issue)
        except WeirError as error:
            return _refusal(error)
        lasts_s = claims.exp - claims.iat
        return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": lasts_s})

    async def show_keys(_request: Request) -> Response:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": f"public, max-age={JWKS_CACHE_S}",
        }
        keys = _jwks(registry.current(), now_us=clock.now_us())
        return json_reply({"keys": keys}, headers=headers)

    return [
        Route("/v1/token/exchange", exchange, methods=["POST"]),
        Route("/.well-known/jwks.json", show_keys, methods=["GET"]),
    ]


def read_exchange(body: bytes) -> Exchange:
    """What a body asks for; ``Unprocessable`` names every field that is wrong."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unprocessable({"body": "must be a JSON object"}) from None
    api_key, scope = fields.get("api_key"), fields.get("scope")
    ttl = fields.get("ttl")
    ttl_s = TTL_S_DEFAULT if ttl is None else parse_ttl(ttl) if isinstance(ttl, str) else None
    wrong: dict[str, str] = {}
    if not isinstance(api_key, str) or not api_key.strip():
        wrong["api_key"] = "must be the API key's text"
    if scope not in EXCHANGEABLE:
        wrong["scope"] = f"must be one of {', '.join(EXCHANGEABLE)}"
    if ttl_s is None:
        wrong["ttl"] = "must be a time from 1s to 24h, such as 90s, 15m or 1h"
    if wrong:
        raise _unprocessable(wrong)
    assert isinstance(api_key, str), "checked above"
    assert ttl_s is not None, "checked above"
    return Exchange(api_key.strip(), Scope(str(scope)), ttl_s)


def _unprocessable(wrong: Mapping[str, str]) -> Unprocessable:
    words = "; ".join(f"{field} {message}" for field, message in wrong.items())
    details: list[dict[str, object]] = [
        {"field": field, "message": message} for field, message in wrong.items()
    ]
    return Unprocessable(f"{words}.", code="validation_failed", details=details)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise body_too_large(BODY_BYTES_MAX)
    return bytes(body)


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
