"""Access tokens at the door: every dialect takes them, and refuses them as it refuses keys."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.ingest.node import (
    ELSEWHERE,
    INGEST,
    LIMITED,
    REQUESTS_PER_MINUTE,
    SECRET,
    START_US,
    Node,
    make_registry,
    running_node,
)
from tests.unit.ingest.wire import Answer, request
from tests.unit.tokens.making import pair, token
from weir.domain.registry import Registry, TokenKey

ENDPOINT = "11111111-1111-4111-8111-111111111111"
NOW_S = START_US // 1_000_000
CLICK = {
    "event_id": "evt_1",
    "event_type": "click",
    "event_name": "button_click",
    "event_time": "2025-09-17T10:00:00Z",
    "user_id": "usr_1",
    "session_id": "sess_1",
    "page_name": "checkout",
}
SIGNUP = {
    "event": "signup",
    "timestamp": "2026-02-03T15:30:00.000Z",
    "distinctId": "u",
    "sessionId": "s",
    "properties": {},
}
PLAYED = {
    "event_type": "play",
    "ts": "2026-04-23T18:30:12Z",
    "anonymous_id": "a",
    "session_id": "s",
}
BATCH = {
    "batchId": "b",
    "sentAt": "2025-09-17T10:00:00Z",
    "clientInfo": {"sdkVersion": "1", "deviceId": "d", "appBuild": "7"},
    "events": [CLICK],
}
BODIES: dict[str, object] = {
    "/v1/events": {"event": "e"},
    "/v1/ingest": {"event": "e"},
    "/v1/batch": {"events": [{"event": "e"}]},
    "/": [SIGNUP],
    f"/v1/endpoints/{ENDPOINT}/ingest": {"anything": 1},
    "/ingest": CLICK,
    "/ingest/batch": BATCH,
    "/v1/ingest/events": {"events": [PLAYED]},
    "/v1/ingest/beacon": {"events": [PLAYED]},
}


def _registry(epoch: int, *, without: str = "") -> Registry:
    made = make_registry(epoch, without=without)
    return msgspec.structs.replace(made, token_keys={pair().kid: TokenKey(public=pair().public)})


@contextmanager
def _node(root: Path) -> Iterator[Node]:
    with running_node(root) as running:
        running.publish(_registry(2))
        yield running


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """An edge worker that knows the key of the tokens here."""
    with _node(tmp_path / "node") as running:
        yield running


def _token(number: int = 1, **changes: Any) -> str:
    good: dict[str, Any] = {
        "sub": f"key_{number}",
        "tenant": "one",
        "iat": NOW_S,
        "exp": NOW_S + 900,
    }
    return token(**(good | changes))


def _ask(node: Node, path: str, *lines: str, origin: str = "") -> Answer:
    more = (*lines, *([f"Origin: {origin}"] if origin else []))
    with node.connect() as wire:
        return wire.ask(request(path, json.dumps(BODIES[path]).encode(), *more))


@pytest.mark.parametrize("path", BODIES)
def test_token_sends_as_its_key_does(node: Node, path: str) -> None:
    """The same answer, apart from ids, and a frame of the same place: tenant, endpoint and key."""
    by_token = _ask(node, path, f"Authorization: Bearer {_token()}")
    by_key = _ask(node, path, f"Authorization: Bearer {INGEST}")
    assert by_token.status == by_key.status
    assert by_token.status in (200, 202)
    assert by_token.json.keys() == by_key.json.keys()
    assert [frame.place.key_id for frame in node.frames()] == [1, 1]


@pytest.mark.parametrize("path", BODIES)
def test_refused_token_is_answered_as_a_refused_key(node: Node, path: str) -> None:
    """Expired, forged, of a revoked key, as X-API-Key: 401 in the dialect's words, nothing stored.

    The beacon answers 200 and says what it refused, for a token as for a key.
    """
    node.publish(_registry(3, without=SECRET))
    unknown = _ask(node, path, "Authorization: Bearer nobody-knows-this-key")
    for line in (
        f"Authorization: Bearer {_token(exp=NOW_S, iat=NOW_S - 900)}",
        f"Authorization: Bearer {_token(by=pair('stranger'))}",
        f"Authorization: Bearer {_token(10)}",
        f"X-API-Key: {_token()}",
    ):
        answer = _ask(node, path, line)
        told, expected = ({**item.json, "message": ""} for item in (answer, unknown))
        assert (answer.status, told) == (unknown.status, expected)
    assert node.frames() == []


@pytest.mark.parametrize("path", ["/v1/events", "/v1/ingest", "/", "/ingest"])
def test_token_of_another_scope_may_not_send(node: Node, path: str) -> None:
    """Although its key may."""
    assert _ask(node, path, f"Authorization: Bearer {_token(10)}").status < 300
    refused = _ask(node, path, f"Authorization: Bearer {_token(10, scopes=['query'])}")
    assert refused.status == 403


def test_token_in_body_or_url_is_no_key(node: Node) -> None:
    """Tokens stand in headers alone: URLs and bodies are kept in histories and logs."""
    envelope = json.dumps({"apiKey": _token(), "events": [SIGNUP]}).encode()
    single = json.dumps({"event": "e"}).encode()
    played = json.dumps({"events": [PLAYED]}).encode()
    for sent, status in (
        (request("/", envelope), 401),
        (request(f"/v1/events?api_key={_token()}", single), 401),
        (request(f"/v1/ingest/beacon?api_key={_token()}", played), 200),
    ):
        with node.connect() as wire:
            answer = wire.ask(sent)
        assert answer.status == status
        assert answer.json.get("accepted", 0) == 0
    assert node.frames() == []


def test_known_token_is_refused_from_its_end_and_its_keys_end_on(node: Node) -> None:
    """On the same connection: good, then expired; good, then its key is revoked."""
    body = b'{"event": "e"}'
    first = request("/v1/events", body, f"Authorization: Bearer {_token(10)}")
    later = request("/v1/events", body, f"Authorization: Bearer {_token(10, exp=NOW_S + 1800)}")
    with node.connect() as wire:
        for _ in range(2):
            assert (wire.ask(first).status, wire.ask(later).status) == (202, 202)
        node.clock.now_s = NOW_S + 899
        assert wire.ask(first).status == 202
        node.clock.now_s = NOW_S + 900
        expired = wire.ask(first)
        assert (expired.status, wire.ask(later).status) == (401, 202)
        assert "expired" in str(expired.json["message"])
        node.publish(_registry(3, without=SECRET))
        assert wire.ask(later).status == 401


def test_token_has_the_bounds_and_the_limits_of_its_key(node: Node) -> None:
    """Addresses; and a window that both fill together."""
    assert _ask(node, "/v1/events", f"Authorization: Bearer {_token(4)}").status == 202
    assert _ask(node, "/v1/events", f"Authorization: Bearer {_token(5)}").status == 403
    assert _ask(node, "/v1/events", f"X-API-Key: {ELSEWHERE}").status == 403
    origin = "https://shop.example"
    assert _ask(node, "/", f"Authorization: Bearer {_token(6)}", origin=origin).status == 200
    strange = _ask(node, "/", f"Authorization: Bearer {_token(6)}", origin="https://a.example")
    assert strange.status == 403
    lines = [f"Authorization: Bearer {_token(7)}", f"X-API-Key: {LIMITED}"]
    statuses = [_ask(node, "/v1/events", lines[n % 2]).status for n in range(4)]
    assert statuses == [202] * REQUESTS_PER_MINUTE + [429]


def test_door_remembers_tokens_as_it_does_keys(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """One signature is checked, however many requests come; a forged one is never remembered."""
    from weir.tokens import signature

    checked: list[bytes] = []
    check = signature.is_signed

    def noted(signed: bytes, *rest: bytes) -> bool:
        checked.append(signed)
        return check(signed, *rest)

    monkeypatch.setattr(signature, "is_signed", noted)
    sent = request("/v1/events", b'{"event": "e"}', f"Authorization: Bearer {_token()}")
    with node.connect() as wire:
        assert {wire.ask(sent).status for _ in range(5)} == {202}
    assert len(checked) == 1
    for _ in range(3):
        _ask(node, "/v1/events", f"Authorization: Bearer {_token(by=pair('stranger'))}")
    assert len(checked) == 1  # a kid that is not ours costs no signature
    assert len(node.door._credentials._by_authorization) == 1


def test_relayed_body_with_a_token_counts_for_its_tenant(tmp_path: Path) -> None:
    """A query by body with a good token counts in the budget of its tenant."""
    with _node(tmp_path / "node") as node:
        body = b'{"q": "SELECT 1"}'
        bearer = f"Authorization: Bearer {_token(10, scopes=['query'])}"
        with node.connect() as wire:
            assert wire.ask(request("/v1/query", body, bearer)).status == 200
        assert not node.door._credentials._by_authorization
        assert len(node.door._credentials._authentication.tokens._known) == 1
