"""Tokens made with PyJWT, which knows nothing of our code, and a registry that takes them."""

from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_der_private_key

from weir.domain.keys import Scope, digest_of
from weir.domain.registry import Endpoint, Principal, Project, Registry, Tenant, TokenKey
from weir.tokens.signature import KeyPair, make_pair

NOW_S = 1_800_000_000
NOW_US = NOW_S * 1_000_000
KEY = "a-key-of-sixteen-characters-or-more"


BITS = 2048
"""As in keys of earlier versions, which go on working: a new one takes three times as long."""


def pair(name: str = "signs") -> KeyPair:
    """A signing key, made once in a test process: that is slow."""
    return _pairs()[name]


@cache
def _pairs() -> dict[str, KeyPair]:
    return {name: make_pair(bits=BITS) for name in ("signs", "newer", "stranger")}


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says; a claim that is changed to ``None`` is left out."""
    good = {
        "iss": "weir",
        "aud": "weir",
        "sub": "key_4",
        "tenant": "acme",
        "scopes": ["ingest"],
        "iat": NOW_S,
        "exp": NOW_S + 900,
        "jti": "c2l4dGVlbiByYW5kb20hIQ",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(*, by: KeyPair | None = None, headers: Any = None, **changes: Any) -> str:
    """A token signed by PyJWT with one of our keys."""
    signer = by or pair()
    private: Any = load_der_private_key(signer.private, None, unsafe_skip_rsa_key_validation=True)
    named = {"kid": signer.kid} | (headers or {})
    return jwt.encode(claims(**changes), private, algorithm="RS256", headers=named)


def registry(*, epoch: int = 7, active: bool = True, **changes: Any) -> Registry:
    """One tenant, one key with the scopes ingest and query, one key that signs."""
    values: dict[str, Any] = {
        "key_id": 4,
        "public_id": "key_4",
        "tenant_id": 1,
        "project_id": 2,
        "endpoint_id": 3,
        "scopes": frozenset({Scope.INGEST.value, Scope.QUERY.value}),
        "slot": 5,
        "requests_per_minute": 60,
        "networks": ("10.0.0.0/8",),
        "origins": ("https://shop.example",),
    }
    return Registry(
        epoch=epoch,
        keys={digest_of(KEY).hex(): Principal(**(values | changes))},
        projects={2: Project(project_id=2, tenant_id=1, slug="web", endpoint_id=3)},
        tenants={1: Tenant(tenant_id=1, slug="acme", active=active)},
        endpoints={3: Endpoint(endpoint_id=3, project_id=2, public_id="e")},
        token_keys={pair().kid: TokenKey(public=pair().public)},
    )
