"""Exchanging keys for tokens: what is given, what is refused, and the public keys."""

import base64
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from tests.unit.tokens.making import pair
from weir.api.app import build_app
from weir.api.auth import authenticator
from weir.api.routes.tokens import token_routes
from weir.control.records import KeyRequest, NewKey, TenantChange, TokenKeyRotation
from weir.control.service import ControlService
from weir.domain.keys import Scope
from weir.errors import WeirError
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.tokens.issuing import parse_ttl

Ask = Callable[..., httpx.Response]
NOW_S = 1_795_176_000
PER_MINUTE = 3


@pytest.fixture
def app(
    view: RegistryView, service: ControlService, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> Starlette:
    """The app of the two routes; its signing keys were made before, which is slow."""
    ready = iter([pair(), pair("newer"), pair("stranger")])
    monkeypatch.setattr("weir.tokens.signature.make_pair", lambda: next(ready))
    return build_app(
        token_routes(view, service.token_keys.signer, clock=clock, per_minute=PER_MINUTE)
    )


@pytest.fixture
def ask(call: Callable[..., httpx.Response], app: Starlette) -> Ask:
    """Exchanges what is given, from the address 10.1.2.3."""

    def send(fields: object, **headers: str) -> httpx.Response:
        content = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        named = {"x-weir-client-address": "10.1.2.3"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return call(app, "POST", "/v1/token/exchange", content=content, headers=named)

    return send


@pytest.fixture
def key(service: ControlService) -> NewKey:
    """A key with most scopes."""
    scopes = (Scope.INGEST, Scope.QUERY, Scope.METRICS, Scope.DEPLOY)
    return service.keys.create(KeyRequest(scopes=scopes))


def _wanted(key: NewKey, **changes: object) -> dict[str, object]:
    return {"api_key": key.text, "scope": "ingest"} | changes


def _claims(reply: httpx.Response) -> Any:
    payload = reply.json()["access_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def test_token_says_who_and_how_long(ask: Ask, key: NewKey) -> None:
    """Its reply has three fields, its payload eight claims; a header of ours is RS256 and JWT."""
    reply = ask(_wanted(key, ttl=None))
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert (told["token_type"], told["expires_in"], len(told)) == ("Bearer", 900, 3)
    claims = _claims(reply)
    assert len(base64.urlsafe_b64decode(claims.pop("jti") + "==")) == 16
    assert claims == {
        "iss": "weir",
        "aud": "weir",
        "sub": key.key.id,
        "tenant": "default",
        "scopes": ["ingest"],
        "iat": NOW_S,
        "exp": NOW_S + 900,
    }
    header = jwt.get_unverified_header(told["access_token"])
    assert (header["alg"], header["typ"], len(header)) == ("RS256", "JWT", 3)
    assert _claims(ask(_wanted(key)))["jti"] != _claims(reply)["jti"]


def test_token_lasts_as_long_as_is_asked(ask: Ask, key: NewKey) -> None:
    """Seconds, minutes and hours, up to a day."""
    for ttl, lasts_s in (("1s", 1), ("90s", 90), ("24h", 86400)):
        reply = ask(_wanted(key, ttl=ttl))
        assert reply.json()["expires_in"] == lasts_s
        assert _claims(reply)["exp"] == NOW_S + lasts_s
    assert (parse_ttl("15m"), parse_ttl("1h"), parse_ttl("1440m")) == (900, 3600, 86400)


@pytest.mark.parametrize(
    "text",
    ["", "0s", "25h", "86401s", "1441m", "15", "m", "1d", "-1s", "+1s", "1.5h", "015m", "1 h", "1H",
     "15m\n", "٣m", "9999999s"],
)  # fmt: skip
def test_other_times_are_none(text: str) -> None:
    """From one second to a day, written one way."""
    assert parse_ttl(text) is None


def test_token_never_outlives_its_key(ask: Ask, service: ControlService, clock: Any) -> None:
    """It ends in the key's last whole second; in that second there is none."""
    ends = datetime.fromtimestamp(NOW_S + 100, UTC).replace(microsecond=500_000)
    made = service.keys.create(KeyRequest(expires_at=ends))
    reply = ask(_wanted(made))
    assert (reply.json()["expires_in"], _claims(reply)["exp"]) == (100, NOW_S + 100)
    clock.us = (NOW_S + 100) * 1_000_000
    assert ask(_wanted(made)).status_code == 401


WRONG: dict[str, tuple[object, set[str]]] = {
    "nothing": ({}, {"api_key", "scope"}),
    "key a number": ({"api_key": 7, "scope": "ingest"}, {"api_key"}),
    "key blank": ({"api_key": " ", "scope": "ingest"}, {"api_key"}),
    "scope unknown": ({"api_key": "k" * 20, "scope": "root"}, {"scope"}),
    "scope that no token has": ({"api_key": "k" * 20, "scope": "deploy"}, {"scope"}),
    "scope a list": ({"api_key": "k" * 20, "scope": ["ingest"]}, {"scope"}),
    "ttl a number": ({"api_key": "k" * 20, "scope": "ingest", "ttl": 900}, {"ttl"}),
    "ttl too long": ({"api_key": "k" * 20, "scope": "ingest", "ttl": "25h"}, {"ttl"}),
    "all": ({"api_key": None, "scope": None, "ttl": ""}, {"api_key", "scope", "ttl"}),
    "a list": ([], {"body"}),
    "no JSON": (b"api_key=x", {"body"}),
    "no UTF-8": (b'{"api_key": "\xff"}', {"body"}),
    "a lone surrogate": ({"api_key": "\ud800", "scope": "ingest"}, {"body"}),
    "empty": (b"", {"body"}),
    "deep": (b"[" * 10000, {"body"}),
}


def test_every_wrong_field_is_named(ask: Ask) -> None:
    """422, before the key is looked at."""
    for kind, (body, fields) in WRONG.items():
        reply = ask(body)
        assert reply.status_code == 422, kind
        told = reply.json()
        assert (set(told), told["error"]) == ({"error", "message", "details"}, "validation_failed")
        assert {item["field"] for item in told["details"]} == fields, kind
        assert all(item["message"] for item in told["details"])


def test_wrong_keys_are_refused(ask: Ask, service: ControlService, key: NewKey) -> None:
    """Unknown, revoked, a token, from elsewhere, without the scope, of an inactive tenant."""
    bound = service.keys.create(KeyRequest(networks=("192.0.2.0/24",)))
    revoked = service.keys.create(KeyRequest())
    service.keys.revoke(revoked.key.id)
    token = ask(_wanted(key)).json()["access_token"]
    cases = [
        (ask(_wanted(key, api_key="emq_live_a1b2c3d4e5f6g7h8i9j0")), 401, "unauthorized"),
        (ask(_wanted(revoked)), 401, "unauthorized"),
        (ask(_wanted(key, api_key=token)), 401, "unauthorized"),
        (ask({"scope": "ingest", "api_key": "k" * 20}, authorization=f"Bearer {key.text}"), 401,
         "unauthorized"),
        (ask(_wanted(bound)), 403, "forbidden"),
        (ask(_wanted(key, scope="admin")), 403, "forbidden"),
        (ask(b"x" * 20000), 413, "payload_too_large"),
    ]  # fmt: skip
    service.tenants.change(TenantChange(slug="default", active=False))
    cases.append((ask(_wanted(key)), 403, "tenant_inactive"))
    for reply, status, code in cases:
        assert (reply.status_code, reply.json()["error"]) == (status, code)
        assert reply.json()["details"] == []
        assert key.text not in reply.text
    assert cases[0][0].headers["www-authenticate"] == "Bearer"


def test_key_is_exchanged_so_often_a_minute(ask: Ask, key: NewKey, clock: Any) -> None:
    """Signing is dear; the next minute is a new one, and other keys are not held up."""
    for _ in range(PER_MINUTE):
        assert ask(_wanted(key)).status_code == 200
    reply = ask(_wanted(key))
    assert (reply.status_code, reply.json()["error"]) == (429, "rate_limited")
    assert int(reply.headers["retry-after"]) == 60
    clock.us += 60_000_000
    assert ask(_wanted(key)).status_code == 200


def test_strangers_library_accepts_our_tokens(
    ask: Ask, call: Callable[..., httpx.Response], app: Starlette, key: NewKey
) -> None:
    """PyJWT, with the keys that /.well-known/jwks.json gives to anybody."""
    where = "/.well-known/jwks.json"
    assert call(app, "GET", where).json() == {"keys": []}
    token = ask(_wanted(key)).json()["access_token"]
    reply = call(app, "GET", where)
    assert reply.headers["cache-control"] == "public, max-age=300"
    [found] = jwt.PyJWKSet.from_dict(reply.json()).keys
    assert found.key_id == jwt.get_unverified_header(token)["kid"]
    for name in ("d", "p", "q", "dp", "dq", "qi"):
        assert name not in reply.json()["keys"][0]
    claims = jwt.decode(
        token,
        found,
        algorithms=["RS256"],
        audience="weir",
        issuer="weir",
        options={"verify_exp": False, "verify_iat": False, "require": ["exp", "jti", "sub"]},
    )
    assert claims["sub"] == key.key.id


def test_rotation_overlaps(
    ask: Ask,
    call: Callable[..., httpx.Response],
    app: Starlette,
    service: ControlService,
    view: RegistryView,
    key: NewKey,
    clock: Any,
) -> None:
    """A new key signs at once; the old one verifies for a day, then neither it nor its JWK is."""
    authenticate = authenticator(view, clock=clock, docs_url="")

    def status(token: str) -> int:
        headers = [(b"authorization", f"Bearer {token}".encode())]
        try:
            authenticate(Request({"type": "http", "headers": headers}))
        except WeirError as error:
            return error.status
        return 200

    def kids() -> list[str]:
        return [item["kid"] for item in call(app, "GET", "/.well-known/jwks.json").json()["keys"]]

    old = ask(_wanted(key, ttl="24h")).json()["access_token"]
    records = service.token_keys.rotate(TokenKeyRotation(overlap_s=86400))
    new = ask(_wanted(key, ttl="24h")).json()["access_token"]
    assert kids() == [record.id for record in records]
    assert [record.signs for record in records] == [False, True]
    assert jwt.get_unverified_header(new)["kid"] == records[1].id
    assert (status(old), status(new)) == (200, 200)
    clock.us += 86_399_000_000
    assert (status(old), status(new)) == (200, 200)
    assert len(kids()) == 2
    clock.us += 1_000_000
    assert (status(old), status(new)) == (401, 401)
    assert kids() == [records[1].id]
    last = ask(_wanted(key)).json()["access_token"]
    service.token_keys.rotate(TokenKeyRotation(overlap_s=0))
    assert status(last) == 401
    assert len(kids()) == 1


def test_private_half_stays_in_the_database(
    ask: Ask, service: ControlService, directory: Directory, key: NewKey
) -> None:
    """Not in the registry, not in a representation; a rotated key has none; the file is 0600."""
    ask(_wanted(key))
    signer = service.token_keys.signer()
    assert directory.control_db.stat().st_mode & 0o777 == 0o600
    assert signer.private not in directory.registry.read_bytes()
    assert signer.private[-40:] not in directory.registry.read_bytes()
    assert repr(signer) == f"Signer(kid='{signer.kid}')"
    service.token_keys.rotate(TokenKeyRotation(overlap_s=86400))
    with sqlite3.connect(f"file:{directory.control_db}?mode=ro", uri=True) as raw:
        halves = raw.execute("SELECT private IS NULL FROM token_keys ORDER BY id").fetchall()
    raw.close()
    assert halves == [(1,), (0,)]
