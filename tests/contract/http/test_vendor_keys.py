"""RealAnalytics and clickstream over a running door: keys, limits and refusals in their words."""

import gzip
import json
from pathlib import Path

import pytest

from tests.contract.http.ways import Way, unproxied
from tests.unit.ingest.node import (
    BROWSER,
    ELSEWHERE,
    EVENTS_PER_MONTH,
    EXPIRED,
    HERE,
    INACTIVE,
    INGEST,
    LIMITED,
    QUERY,
    REQUESTS_PER_MINUTE,
    SECRET,
    USED_UP,
    Node,
    running_node,
    wait_for,
)
from tests.unit.ingest.wire import Answer, chunked, request
from weir.ingest.http.credentials import KEYED_BODY_BYTES_MAX

EVENT = {
    "event": "signup_completed",
    "timestamp": "2026-02-03T15:30:00.000Z",
    "distinctId": "user_123",
    "sessionId": "sess_abc",
    "properties": {"plan": "pro"},
}
CLICK = {
    "event_id": "evt_1",
    "event_type": "click",
    "event_name": "button_click",
    "event_time": "2025-09-17T10:00:00Z",
    "user_id": "usr_1",
    "session_id": "sess_1",
    "page_name": "checkout",
}
BATCH = {
    "batchId": "b_1",
    "sentAt": "2025-09-17T10:00:00Z",
    "clientInfo": {"sdkVersion": "1", "deviceId": "d", "appBuild": "7"},
    "events": [CLICK],
}
BODIES: dict[str, bytes] = {
    "/": json.dumps([EVENT]).encode(),
    "/ingest": json.dumps(CLICK).encode(),
    "/ingest/batch": json.dumps(BATCH).encode(),
}
MISSING = {"error": "Unauthorized", "message": "Missing or invalid API key"}
UNKNOWN = {"error": "Unauthorized", "message": "Invalid API key"}
INVALID = {"error": "Invalid API key"}


def _envelope(key: object = INGEST, **more: object) -> bytes:
    return json.dumps({"apiKey": key, "events": [EVENT], **more}).encode()


def _ask(node: Node, sent: bytes) -> Answer:
    with node.connect() as wire:
        return wire.ask(sent)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("line", [f"X-API-Key: {INGEST}", f"Authorization: Bearer {INGEST}"])
def test_key_may_stand_in_either_header(node: Node, path: str, line: str) -> None:
    """Whatever the Content-Type says, compressed or not."""
    for body, more in (
        (BODIES[path], "Content-Type: text/plain"),
        (gzip.compress(BODIES[path]), "Content-Encoding: gzip"),
    ):
        assert _ask(node, request(path, body, line, more)).status == 200
    assert node.bodies() == [BODIES[path]] * 2
    assert len(node.events()) == 2


@pytest.mark.parametrize(
    ("path", "line", "status", "told"),
    [
        ("/", "", 401, INVALID),
        ("/", "X-API-Key: nobody-knows-this-key", 401, INVALID),
        ("/", f"X-API-Key: {EXPIRED}", 401, INVALID),
        ("/ingest", "", 401, MISSING),
        ("/ingest", "X-API-Key: nobody-knows-this-key", 401, UNKNOWN),
        ("/ingest", f"X-API-Key: {EXPIRED}", 401, UNKNOWN),
        ("/ingest/batch", "", 401, MISSING),
        ("/ingest", f"X-API-Key: {ELSEWHERE}", 403, {
            "error": "Forbidden", "message": "IP address not allowed",
        }),
        ("/", f"X-API-Key: {ELSEWHERE}", 403, {
            "error": "This IP address is not allowed to use the API key.",
        }),
        ("/ingest", f"X-API-Key: {INACTIVE}", 403, {
            "error": "Forbidden", "message": "This account is not active.",
        }),
        ("/", f"X-API-Key: {INACTIVE}", 403, {"error": "This account is not active."}),
    ],
)  # fmt: skip
def test_bad_credential_is_refused_in_the_words_of_the_vendor(
    node: Node, path: str, line: str, status: int, told: dict[str, str]
) -> None:
    """And nothing is stored."""
    answer = _ask(node, request(path, BODIES[path], *([line] if line else [])))
    assert (answer.status, answer.json) == (status, told)
    assert node.frames() == []


@pytest.mark.parametrize("path", BODIES)
def test_key_that_may_not_send_is_refused(node: Node, path: str) -> None:
    """A key without the scope ingest."""
    answer = _ask(node, request(path, BODIES[path], key=QUERY))
    assert answer.status == 403
    assert node.frames() == []


# The key in the body.


def test_key_may_stand_in_an_envelope_and_is_not_written(node: Node) -> None:
    """As a beacon sends it: no header, text/plain; chunked and compressed too."""
    body = _envelope()
    with node.connect() as wire:
        for sent in (
            request("/", body, "Content-Type: text/plain;charset=UTF-8"),
            chunked(body[:20], body[20:], target="/"),
            request("/", gzip.compress(body), "Content-Encoding: gzip"),
            request("/", body, key=INGEST),
        ):
            answer = wire.ask(sent)
            assert (answer.status, answer.json) == (200, {"success": True, "events": 1})
            assert answer["connection"] != "close"
    written = b'{"events":%s}' % json.dumps([EVENT]).encode()
    assert node.bodies() == [written] * 4
    assert {frame.place.key_id for frame in node.frames()} == {1}
    assert node.call(lambda: node.door.bytes_in_flight) == 0


def test_key_in_a_header_wins_over_the_one_in_the_body(node: Node) -> None:
    """Whichever of the two is good."""
    assert _ask(node, request("/", _envelope("nobody-knows-this-key"), key=INGEST)).status == 200
    assert _ask(node, request("/", _envelope(), key="nobody-knows-this-key")).status == 401
    assert len(node.frames()) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (_envelope("nobody-knows-this-key"), 401),
        (_envelope(EXPIRED), 401),
        (_envelope(INACTIVE), 403),
        (_envelope(ELSEWHERE), 403),
        (_envelope(SECRET), 403),
        (_envelope(QUERY), 403),
        (_envelope(None), 401),
        (_envelope(""), 401),
        (_envelope(7), 401),
        (_envelope(event="a"), 401),
        (json.dumps([{"apiKey": INGEST, **EVENT}]).encode(), 401),
        (json.dumps({"apiKey": INGEST, **EVENT}).encode(), 401),
        (b"{", 401),
        (b"\xff", 401),
        (b"", 401),
    ],
)
def test_body_without_a_good_key_of_its_own_is_refused(
    node: Node, body: bytes, status: int
) -> None:
    """One that may do more than send events does not belong into a body; nothing is stored."""
    with node.connect() as wire:
        assert wire.ask(request("/", body)).status == status
        assert wire.ask(request("/", BODIES["/"], key=INGEST)).status == 200
    assert len(node.frames()) == 1
    assert node.call(lambda: node.door.bytes_in_flight) == 0


def test_bounds_of_a_key_hold_in_a_body_too(node: Node) -> None:
    """Its addresses and its origins."""
    assert _ask(node, request("/", _envelope(HERE))).status == 200
    for origin, status in (("https://shop.example", 200), ("https://evil.example", 403)):
        answer = _ask(node, request("/", _envelope(BROWSER), f"Origin: {origin}"))
        assert (answer.status, answer["access-control-allow-origin"]) == (status, origin)


@unproxied
def test_body_is_searched_for_a_key_only_when_it_is_small(node: Node) -> None:
    """By its head, in chunks, and inflated; a key in a header is asked for."""
    large = _envelope(more="x" * KEYED_BODY_BYTES_MAX)
    inflating = gzip.compress(_envelope(more="x" * 300_000))
    for sent in (
        request("/", b"", length=KEYED_BODY_BYTES_MAX + 1),
        chunked(large, target="/"),
        request("/", inflating, "Content-Encoding: gzip"),
    ):
        answer = _ask(node, sent)
        assert answer.status == 413
        assert str(answer.json["error"]).endswith("Send the key in a header.")
    assert _ask(node, request("/", large, key=INGEST)).status == 200
    for path in ("/ingest", "/ingest/batch"):
        answer = _ask(node, request(path, b"", length=KEYED_BODY_BYTES_MAX))
        assert (answer.status, answer["connection"]) == (401, "close")
    assert node.call(lambda: node.door.bytes_in_flight) == 0


def test_bodies_that_bring_their_key_share_the_budget_of_unknown_senders(tmp_path: Path) -> None:
    """Until the key is found; meanwhile events with a key in a header get through."""
    part = _envelope(more="x" * 40_000)
    with running_node(tmp_path / "node", in_flight_bytes_max=1 << 20) as node:
        with node.connect() as first:
            first.send(request("/", part[:-10], length=len(part)))
            wait_for(lambda: node.call(lambda: node.door.bytes_in_flight) == len(part) - 10)
            answer = _ask(node, request("/", part))
            assert (answer.status, answer["connection"]) == (503, "close")
            assert answer.json == {"error": "Service unavailable"}
            assert _ask(node, request("/", BODIES["/"], key=INGEST)).status == 200
            first.send(part[-10:])
            assert first.read().status == 200
        assert _ask(node, request("/", part)).status == 200


# Limits.


def _count_until_refused(node: Node, sent: bytes) -> tuple[int, Answer]:
    with node.connect() as wire:
        for count in range(10):
            answer = wire.ask(sent)
            if answer.status != 200:
                return count, answer
    raise AssertionError("never refused")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", {"error": "Rate limit exceeded"}),
        ("/ingest", {"error": "Too Many Requests", "message": "Rate limit exceeded"}),
        ("/ingest/batch", {"error": "Too Many Requests", "message": "Rate limit exceeded"}),
    ],
)
def test_rate_limit_of_the_node_holds_unless_the_key_has_its_own(
    tmp_path: Path, way: Way, path: str, told: dict[str, str]
) -> None:
    """Told in the vendor's words, with Retry-After and the window's headers."""
    with way.node(tmp_path / "node", rate_limit_requests=2) as node:
        sent = request(path, BODIES[path], key=INGEST)
        count, answer = _count_until_refused(node, sent)
        assert (count, answer.status, answer.json) == (2, 429, told)
        assert (answer["x-ratelimit-limit"], answer["x-ratelimit-remaining"]) == ("2", "0")
        assert answer["retry-after"] == "50"
        own, _ = _count_until_refused(node, request(path, BODIES[path], key=LIMITED))
        assert own == REQUESTS_PER_MINUTE


def test_default_limit_is_a_thousand_requests_a_minute(node: Node) -> None:
    """Of both vendors and nobody else; a key in the body is counted as one in a header is."""
    for path, body in BODIES.items():
        answer = _ask(node, request(path, body, key=HERE))
        assert answer["x-ratelimit-limit"] == "1000"
    answer = _ask(node, request("/", _envelope(HERE)))
    assert answer["x-ratelimit-remaining"] == "996"
    plain = _ask(node, request("/v1/ingest", b'{"event":"a"}', key=INGEST))
    assert (plain.status, plain["x-ratelimit-limit"]) == (202, None)


def test_keyless_head_that_is_known_is_the_same_head(node: Node) -> None:
    """The door remembers the bytes of heads; the key is looked for in every body."""
    with node.connect() as wire:
        taken = [wire.ask(request("/", _envelope(key))).status for key in (HERE, HERE, "wk_x")]
        assert taken == [200, 200, 401]


def test_plan_limit_is_told_with_its_numbers_and_the_request_is_refused_whole(node: Node) -> None:
    """The vendor's body (RealAnalytics); Retry-After is the time to the month's end."""

    def send(events: int) -> Answer:
        body = json.dumps([EVENT] * events).encode()
        return _ask(node, request("/", body, key=USED_UP))

    assert send(EVENTS_PER_MONTH - 1).status == 200
    answer = send(2)
    assert (answer.status, answer.json) == (
        429,
        {
            "error": "Monthly event limit exceeded",
            "code": "EVENT_LIMIT_EXCEEDED",
            "limit": EVENTS_PER_MONTH,
            "used": EVENTS_PER_MONTH - 1,
            "remaining": 1,
        },
    )
    assert int(answer["retry-after"] or 0) > 0
    assert send(1).status == 200
    answer = _ask(node, request("/ingest", BODIES["/ingest"], key=USED_UP))
    assert (answer.status, answer.json["error"]) == (429, "Too Many Requests")
    assert len(node.frames()) == 2


def test_overload_is_told_in_the_words_of_the_vendor(node: Node) -> None:
    """503 with Retry-After; nothing is stored."""
    node.backlog[0] = node.settings.journal_backlog_bytes_max + 1
    node.call(node.door.tick)
    for path, words in (
        ("/", {"error": "Service unavailable"}),
        ("/ingest", {"error": "Service unavailable", "message": "Failed to process event"}),
    ):
        answer = _ask(node, request(path, BODIES[path], key=INGEST))
        assert (answer.status, answer.json) == (503, words)
        assert int(answer["retry-after"] or 0) > 0
    assert node.frames() == []


# Other methods.


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods_of_the_root_are_refused(node: Node, method: str) -> None:
    """405 with Allow; with a body or without, no key is asked for."""
    with node.connect() as wire:
        for body in (b"", b"x"):
            sent = request("/?a=b", body, method=method)
            answer = wire.ask(sent, method=method)
            assert (answer.status, answer["allow"]) == (405, "POST, GET, HEAD, OPTIONS")
    assert node.frames() == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_root_is_read_from_the_api_process(node: Node, method: str) -> None:
    """A browser finds the first page where events are posted; nothing of it is taken for events."""
    with node.connect() as wire:
        for lines in ((), ("Origin: https://a.example",)):
            answer = wire.ask(request("/?a=b", b"", *lines, method=method), method=method)
            assert answer.status == 200
            assert answer["access-control-allow-origin"] is None
    assert [(each.method, each.target) for each in node.upstream.requests[-2:]] == [
        (method, "/?a=b")
    ] * 2
    assert node.frames() == []


def test_other_methods_of_clickstream_paths_are_refused(node: Node) -> None:
    """405 with Allow, in the shape of the door."""
    for path in ("/ingest", "/ingest/batch"):
        with node.connect() as wire:
            answer = wire.ask(request(path, b"", method="GET"), method="GET")
            assert (answer.status, answer["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("path", BODIES)
def test_preflight_passes(node: Node, path: str) -> None:
    """From any origin, for the headers that it names."""
    lines = ("Origin: https://shop.example", "Access-Control-Request-Headers: x-api-key")
    answer = _ask(node, request(path, b"", *lines, method="OPTIONS"))
    assert (answer.status, answer["access-control-allow-headers"]) == (204, "x-api-key")
