"""Access tokens in the OpenAPI description."""

from collections.abc import Mapping

from weir.dialects.described import TEXT, Body, Operation
from weir.tokens.issuing import EXCHANGEABLE

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


def _refusal(code: str, message: str, *details: Mapping[str, str]) -> Body:
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
    body=Body(
        schema={
            "type": "object",
            "required": ["api_key", "scope"],
            "properties": {
                "api_key": TEXT,
                "scope": {"type": "string", "enum": list(EXCHANGEABLE)},
                "ttl": {
                    "type": "string",
                    "description": "1 s to 24 h, as `90s`, `15m` or `1h`.",
                    "pattern": "^[1-9][0-9]{0,5}[smh]$",
                    "default": "15m",
                },
            },
        },
        examples={
            "ingest": {
                "api_key": "emq_live_a1b2c3d4e5f6g7h8i9j0",
                "scope": "ingest",
                "ttl": "15m",
            }
        },
    ),
    reply_words="The token. `expires_in` is in seconds, less than `ttl` when the key ends before.",
    reply=Body(
        schema={
            "type": "object",
            "required": ["access_token", "token_type", "expires_in"],
            "properties": {
                "access_token": TEXT,
                "token_type": {"type": "string", "enum": ["Bearer"]},
                "expires_in": {"type": "integer"},
            },
        },
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
        401: _refusal("unauthorized", "The API key is unknown or revoked."),
        403: _refusal("forbidden", "This API key lacks the scope 'admin'."),
        422: _refusal(
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

TOKENS = (EXCHANGE, JWKS)
