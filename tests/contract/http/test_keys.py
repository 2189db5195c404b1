"""Who may send: keys, scopes, addresses, origins, rates, and what browsers are told."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.contract.http.ways import Way, unproxied
from tests.unit.ingest.node import (
    BROWSER,
    ELSEWHERE,
    EVENTS_PER_MINUTE,
    EXPIRED,
    FEW_EVENTS,
    HERE,
    INACTIVE,
    INGEST,
    LIMITED,
    QUERY,
    REQUESTS_PER_MINUTE,
    SECRET,
    Node,
    make_registry,
    wait_for,
)
from tests.unit.ingest.wire import Answer, request
from weir.domain.keys import digest_of, make_key

BODY = b'{"event":"a"}'
PATHS = ["/v1/events", "/v1/ingest", "/v1/batch"]
MISTYPED = make_key(public=True, live=True, random=bytes(24))[:-1] + "!"


def _ask(node: Node, sent: bytes) -> Answer:
    with node.connect() as wire:
        return wire.ask(sent)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("", 401, "unauthorized"),
        ("Authorization: Bearer", 401, "unauthorized"),
        ("Authorization: Basic abc", 401, "unauthorized"),
        ("Authorization: Bearer nobody-knows-this-key", 401, "unauthorized"),
        (f"Authorization: Bearer {MISTYPED}", 401, "unauthorized"),
        (f"Authorization: Bearer {'k' * 5000}", 401, "unauthorized"),
        ("Authorization: Bearer \xfc\xdf\xff", 401, "unauthorized"),
        (f"Authorization: Bearer {EXPIRED}", 401, "unauthorized"),
        (f"Cookie: key={INGEST}", 401, "unauthorized"),
        (f"X-API-Key: {QUERY}", 403, "forbidden"),
        (f"X-API-Key: {ELSEWHERE}", 403, "forbidden"),
        (f"X-API-Key: {INACTIVE}", 403, "tenant_inactive"),
    ],
)
def test_bad_credential_is_refused(
    node: Node, path: str, line: str, status: int, code: str
) -> None:
    """Each in the shape of the route, and nothing is stored."""
    lines = [line] if line else []
    answer = _ask(node, request(path, b'{"event":"a"}', *lines))
    assert answer.status == status
    assert answer.json["error"] == code
    assert isinstance(answer.json["message"], str)
    assert node.frames() == []


def test_missing_key_names_the_documentation(node: Node) -> None:
    """The vendor's words (NovaMesh), with our own address."""
    told = _ask(node, request("/v1/ingest")).json
    assert told == {
        "error": "unauthorized",
        "message": f"API key required. See {node.settings.docs_url}",
    }


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {INGEST}",
        f"authorization: bearer {INGEST}",
        f"AUTHORIZATION: BEARER   {INGEST}  ",
        f"X-API-Key: {INGEST}",
        f"X-API-Key: {HERE}",
    ],
)
def test_good_credential_is_taken(node: Node, line: str) -> None:
    """Bearer in any case, or X-API-Key, on every route."""
    for path in PATHS[:2]:
        assert _ask(node, request(path, b'{"event":"a"}', line)).status == 202


@unproxied
@pytest.mark.parametrize("path", PATHS)
def test_unknown_sender_is_refused_before_the_body_takes_budget(node: Node, path: str) -> None:
    """By the head alone, asked to go on or not; whoever has a key may send on."""
    head = request(path, b"", "Expect: 100-continue", length=1_000_000)
    with node.connect() as stranger:
        answer = stranger.ask(head)
        assert (answer.status, answer["connection"]) == (401, "close")
        assert node.call(lambda: node.door.bytes_in_flight) == 0
        stranger.send(b"x" * 100_000)
        assert stranger.is_closed()
    assert node.call(lambda: node.door.bytes_in_flight) == 0


def test_only_credentials_that_can_be_keys_are_remembered(node: Node) -> None:
    """Each once, whatever stands beside it and however it is padded."""
    with node.connect() as wire:
        for number in range(20):
            beside = f"X-API-Key: {'k' * 5000}{number}"
            assert wire.ask(request("/v1/ingest", BODY, beside, key=INGEST)).status == 202
        for number in range(20):
            padded = f"Authorization: Bearer {' ' * (600 + number)}{INGEST}"
            assert wire.ask(request("/v1/ingest", BODY, padded)).status == 202
        for number in range(20):
            lines = (f"Authorization: Basic {number}", f"X-API-Key: {HERE}")
            assert wire.ask(request("/v1/ingest", BODY, *lines)).status == 202
    credentials = node.door._credentials
    assert len(credentials._by_authorization) == 1
    assert {len(memory) for memory in credentials._memories.values()} == {1}


@pytest.mark.parametrize("name", ["Authorization: Bearer ", "X-API-Key: "])
def test_no_break_space_behind_a_key_is_no_part_of_it(node: Node, name: str) -> None:
    """Copied from a page it may come along; what is remembered is the same key."""
    with node.connect() as wire:
        for _ in range(2):
            assert wire.ask(request("/v1/ingest", BODY, f"{name}{INGEST}\xa0")).status == 202


@pytest.mark.parametrize(
    ("key", "forwarded", "status"),
    [
        (ELSEWHERE, "203.0.113.9", 202),
        (ELSEWHERE, "198.51.100.1, 203.0.113.9, 127.0.0.3", 202),
        (ELSEWHERE, "203.0.113.9, 198.51.100.1", 403),
        (ELSEWHERE, "2001:db8::1", 202),
        (ELSEWHERE, "2001:db9::1", 403),
        (ELSEWHERE, "nonsense", 403),
        (HERE, "203.0.113.9", 403),
        (HERE, "127.0.0.2", 202),
    ],
)
def test_address_behind_a_trusted_proxy_counts(
    node: Node, key: str, forwarded: str, status: int
) -> None:
    """By default a proxy on the same machine is trusted; what comes before it is only claimed."""
    sent = request("/v1/ingest", BODY, f"X-Forwarded-For: {forwarded}", key=key)
    assert _ask(node, sent).status == status


def test_address_is_only_claimed_without_a_trusted_proxy(tmp_path: Path, way: Way) -> None:
    """Then the connection's own counts."""
    with way.node(tmp_path / "node", trusted_proxies="192.0.2.1") as node, node.connect() as wire:
        line = "X-Forwarded-For: 203.0.113.9"
        assert wire.ask(request("/v1/ingest", BODY, line, key=HERE)).status == 202
        assert wire.ask(request("/v1/ingest", BODY, line, key=ELSEWHERE)).status == 403


def test_remembered_api_key_is_no_bearer(node: Node) -> None:
    """A key is known only in the header, and the form, in which it was sent."""
    assert _ask(node, request("/v1/ingest", BODY, f"X-API-Key: {INGEST}")).status == 202
    assert _ask(node, request("/v1/ingest", BODY, f"Authorization: {INGEST}")).status == 401
    lines = (f"Authorization: Bearer {MISTYPED}", f"X-API-Key: {INGEST}")
    assert _ask(node, request("/v1/ingest", BODY, *lines)).status == 401


def test_bearer_goes_before_the_other_header(node: Node) -> None:
    """Where both are sent the Authorization header counts."""
    both = ("X-API-Key: nobody-knows-this-key", f"Authorization: Bearer {INGEST}")
    assert _ask(node, request("/v1/ingest", b'{"event":"a"}', *both)).status == 202


def test_place_comes_from_the_key(node: Node) -> None:
    """Never from the body."""
    body = b'{"event":"a","tenant_id":2,"project_id":9}'
    assert _ask(node, request("/v1/ingest", body, key=FEW_EVENTS)).status == 202
    place = node.frames()[0].place
    assert (place.tenant_id, place.project_id, place.key_id) == (2, 1, 8)


def test_revoked_key_is_refused_by_the_next_request(node: Node) -> None:
    """On a connection that used it a moment ago, with the same bytes."""
    sent = request("/v1/ingest", b'{"event":"a"}', key=INGEST)
    with node.connect() as wire:
        assert [wire.ask(sent).status for _ in range(3)] == [202] * 3
        node.publish(make_registry(2, without=INGEST))
        assert wire.ask(sent).status == 401
        node.publish(make_registry(3))
        assert wire.ask(sent).status == 202


def test_key_expires_while_it_is_in_use(node: Node) -> None:
    """Expiry is looked at for each request, although the key is remembered."""
    sent = request("/v1/ingest", b'{"event":"a"}', key=INGEST)
    with node.connect() as wire:
        assert wire.ask(sent).status == 202
        node.clock.now_s *= 2
        assert wire.ask(sent).status == 401


def test_key_ends_at_its_second(node: Node) -> None:
    """Good in the last second before, refused in the one that it names."""
    registry = make_registry(2)
    digest = digest_of(INGEST).hex()
    end_s = node.clock.now_s + 2
    principal = structs.replace(registry.keys[digest], expires_at_us=end_s * 1_000_000)
    node.publish(structs.replace(registry, keys={**registry.keys, digest: principal}))
    sent = request("/v1/ingest", BODY, key=INGEST)
    with node.connect() as wire:
        assert wire.ask(sent).status == 202
        node.clock.now_s = end_s - 1
        assert wire.ask(sent).status == 202
        node.clock.now_s = end_s
        assert wire.ask(sent).status == 401


def test_unreadable_registry_refuses_everybody_for_now(node: Node) -> None:
    """Who cannot be confirmed is not let in: 503, not 401."""
    sent = request("/v1/ingest", b'{"event":"a"}', key=INGEST)
    with node.connect() as wire:
        assert wire.ask(sent).status == 202
        kept = node.directory.registry.read_bytes()
        node.directory.registry.write_bytes(b"torn")
        node.board.set(0, 2)
        answer = wire.ask(sent)
        assert (answer.status, answer["retry-after"]) == (503, "1")
        node.directory.registry.write_bytes(kept)
        assert wire.ask(sent).status == 503
        node.publish(make_registry(3))
        assert wire.ask(sent).status == 202


# Rates.


def test_requests_over_the_limit_are_refused_until_the_window_ends(node: Node) -> None:
    """429 with the three headers, each once; the next minute starts anew."""
    sent = request("/v1/ingest", b'{"event":"a"}', key=LIMITED)
    reset_s = (node.clock.now_s // 60 + 1) * 60
    with node.connect() as wire:
        for number in range(REQUESTS_PER_MINUTE):
            answer = wire.ask(sent)
            assert answer.status == 202
            assert answer["x-ratelimit-limit"] == str(REQUESTS_PER_MINUTE)
            assert answer["x-ratelimit-remaining"] == str(REQUESTS_PER_MINUTE - number - 1)
            assert answer["x-ratelimit-reset"] == str(reset_s)
        answer = wire.ask(sent)
        assert (answer.status, answer.json["error"]) == (429, "rate_limited")
        assert answer["retry-after"] == str(reset_s - node.clock.now_s)
        assert answer["x-ratelimit-limit"] == str(REQUESTS_PER_MINUTE)
        assert answer["x-ratelimit-remaining"] == "0"
        assert answer["x-ratelimit-reset"] == str(reset_s)
        assert wire.ask(request("/v1/ingest", b'{"event":"a"}', key=INGEST)).status == 202
        node.clock.now_s = reset_s - 1
        assert wire.ask(sent)["retry-after"] == "1"
        node.clock.now_s = reset_s
        assert wire.ask(sent).status == 202
    assert len(node.bodies()) == REQUESTS_PER_MINUTE + 2


def test_events_over_the_limit_are_refused_whole(node: Node) -> None:
    """A batch that does not fit takes nothing of what is left."""

    def batch(count: int) -> bytes:
        events = b",".join([b'{"event":"a"}'] * count)
        return request("/v1/batch", b'{"events":[%s]}' % events, key=FEW_EVENTS)

    with node.connect() as wire:
        assert wire.ask(batch(EVENTS_PER_MINUTE - 1))["x-ratelimit-remaining"] == "1"
        answer = wire.ask(batch(2))
        assert (answer.status, answer["x-ratelimit-remaining"]) == (429, "1")
        assert wire.ask(batch(1)).status == 202
        assert wire.ask(batch(1)).status == 429
    assert sum(frame.event_count for frame in node.frames()) == EVENTS_PER_MINUTE


def test_key_with_its_own_number_is_not_charged_for_others(node: Node) -> None:
    """What another key of the tenant has sent is not in its window, nor the other way round."""
    registry = make_registry(2)
    digest = digest_of(SECRET).hex()
    own = structs.replace(registry.keys[digest], tenant_id=2, events_per_minute=1)
    node.publish(structs.replace(registry, keys={**registry.keys, digest: own}))
    with node.connect() as wire:
        for key, left in ((FEW_EVENTS, EVENTS_PER_MINUTE - 1), (SECRET, 0)):
            answer = wire.ask(request("/v1/ingest", BODY, key=key))
            assert (answer.status, answer["x-ratelimit-remaining"]) == (202, str(left))
        answer = wire.ask(request("/v1/ingest", BODY, key=SECRET))
        assert answer.status == 429
        assert "of this API key" in str(answer.json["message"])
        answer = wire.ask(request("/v1/ingest", BODY, key=FEW_EVENTS))
        assert answer["x-ratelimit-remaining"] == str(EVENTS_PER_MINUTE - 2)


def test_both_limits_of_a_node_are_told_once(tmp_path: Path, way: Way) -> None:
    """With a limit on requests and one on events, the refusing one is shown, not both."""
    limits: dict[str, Any] = {"rate_limit_requests": 10, "rate_limit_events": 1}
    with way.node(tmp_path / "node", **limits) as node, node.connect() as wire:
        sent = request("/v1/ingest", b'{"event":"a"}', key=INGEST)
        assert wire.ask(sent)["x-ratelimit-limit"] == "10"
        answer = wire.ask(sent)
        assert (answer.status, answer["x-ratelimit-limit"]) == (429, "1")
        assert answer["x-ratelimit-remaining"] == "0"


def test_refused_events_are_told_their_window_too(node: Node) -> None:
    """With a limit on events alone nothing is counted, and the answer says how much is left."""
    bad = request("/v1/ingest", b"{}", key=FEW_EVENTS)
    none_taken = request("/v1/events", b"[{}]", key=FEW_EVENTS)
    with node.connect() as wire:
        assert wire.ask(request("/v1/ingest", BODY, key=FEW_EVENTS)).status == 202
        for sent in (bad, none_taken):
            answer = wire.ask(sent)
            assert answer.status == 400
            assert answer["x-ratelimit-limit"] == str(EVENTS_PER_MINUTE)
            assert answer["x-ratelimit-remaining"] == str(EVENTS_PER_MINUTE - 1)
        plain = wire.ask(request("/v1/ingest", b"{}", key=INGEST))
        assert plain["x-ratelimit-limit"] is None


# Browsers.


def test_preflight_passes_and_echoes(node: Node) -> None:
    """Any origin, without a key; what the browser asks for is what it may do."""
    lines = (
        "Origin: https://shop.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type, x-api-key",
    )
    for path in PATHS:
        with node.connect() as wire:
            answer = wire.ask(request(path, b"", *lines, method="OPTIONS"))
            assert answer.status == 204
            assert (
                dict(answer.headers).items()
                >= {
                    "access-control-allow-origin": "https://shop.example",
                    "access-control-allow-credentials": "true",
                    "access-control-allow-methods": "POST, OPTIONS",
                    "access-control-allow-headers": "content-type, x-api-key",
                    "access-control-max-age": "86400",
                    "vary": "Origin",
                }.items()
            )
            assert answer["content-length"] is None
            assert wire.ask(request(path, b"", *lines, method="OPTIONS")).status == 204


def test_preflight_of_an_old_or_closing_client_ends_as_asked(node: Node) -> None:
    """Its answer says what becomes of the connection."""
    sent = request("/v1/batch", b"", "Connection: close", method="OPTIONS")
    with node.connect() as wire:
        assert wire.ask(sent)["connection"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize("key", [INGEST, "nobody-knows-this-key", ""])
def test_answers_to_a_browser_can_be_read_by_it(node: Node, key: str) -> None:
    """Errors too carry the origin; without an Origin nothing is added."""
    for origin in ("https://shop.example", "null"):
        answer = _ask(node, request("/v1/ingest", b'{"event":"a"}', f"Origin: {origin}", key=key))
        assert answer["access-control-allow-origin"] == origin
        assert answer["access-control-allow-credentials"] == "true"
        assert answer["vary"] == "Origin"
    plain = _ask(node, request("/v1/ingest", key=key))
    assert not [name for name, _ in plain.headers if name.startswith("access-control")]


def test_origin_list_is_checked_on_the_request(node: Node) -> None:
    """Another origin is refused, a server without an Origin is not."""

    def status(*lines: str) -> int:
        return _ask(node, request("/v1/ingest", b'{"event":"a"}', *lines, key=BROWSER)).status

    assert status("Origin: https://shop.example") == 202
    assert status("Origin: https://evil.example") == 403
    assert status("Origin: https://shop.example.evil.example") == 403
    assert status("Origin: null") == 403
    assert status() == 202
    assert len(node.bodies()) == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_wrong_method_is_told_which_are_right(node: Node, method: str) -> None:
    """405 with Allow; the connection goes on."""
    with node.connect() as wire:
        for path in PATHS:
            answer = wire.ask(request(path, b"", method=method), method=method)
            assert (answer.status, answer["allow"]) == (405, "POST, OPTIONS")
            assert bool(answer.body) == (method != "HEAD")
            if answer.body:
                assert answer.json["message"] == "The path does not take this method."


def test_unknown_paths_belong_to_the_api(node: Node) -> None:
    """Whatever is no ingest path, but for its slashes, is relayed."""
    with node.connect() as wire:
        for path in ("/v1/event", "/V1/EVENTS", "/v1/%65vents", "/v1/query", "/v1/query/"):
            assert wire.ask(request(path, b"x", key=INGEST)).json["target"] == path
    assert node.frames() == []


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/events/", "/v1/events"),
        ("/v1//events", "/v1/events"),
        ("/ingest/", "/ingest"),
        ("//", "/"),
        ("/v1/endpoints/x/ingest/", "/v1/endpoints/{id}/ingest"),
    ],
)
def test_page_sees_that_its_path_has_a_slash_too_many(node: Node, path: str, meant: str) -> None:
    """The preflight passes and the 404 names its origin; else all that shows is a network error."""
    origin = "Origin: https://shop.example"
    with node.connect() as wire:
        asked = ("Access-Control-Request-Headers: x-api-key", "Access-Control-Request-Method: POST")
        preflight = wire.ask(request(path, b"", origin, *asked, method="OPTIONS"), method="OPTIONS")
        assert (preflight.status, preflight["access-control-allow-headers"]) == (204, "x-api-key")
        answer = wire.ask(request(path, b"{}", origin, key=INGEST))
    assert (answer.status, answer["access-control-allow-origin"]) == (404, "https://shop.example")
    assert f"Use {meant}".encode() in answer.body
    assert node.frames() == []


@pytest.mark.parametrize("path", ["/v1/events", "/v1/ingest/events", "/ingest", "/"])
def test_401_tells_how_to_authenticate(node: Node, path: str) -> None:
    """As RFC 9110 asks (section 11.6.1); a beacon's 200 does not."""
    for sent, status, told in (
        (request(path, b"{}"), 401, "Bearer"),
        (request(path, b"{}", key=INGEST), 400, None),
        (request("/v1/ingest/beacon", b"{}"), 200, None),
    ):
        with node.connect() as wire:
            answer = wire.ask(sent)
            assert (answer.status, answer["www-authenticate"]) == (status, told)


@pytest.mark.parametrize("size", [0, 300_000], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize("path", ["/v1/events", "/v1/ingest"])
def test_byte_order_mark_is_passed_over(node: Node, path: str, size: int) -> None:
    """As .NET and PowerShell write one; an opaque record keeps its own."""
    body = b'{"event":"a","properties":{"x":"%s"}}' % (b"x" * size)
    with node.connect() as wire:
        assert wire.ask(request(path, b"\xef\xbb\xbf" + body, key=INGEST)).status == 202
        opaque = request(
            "/ingest", b"\xef\xbb\xbf{}", "Content-Type: application/jsonl", key=INGEST
        )
        assert wire.ask(opaque).status == 202
    assert node.bodies() == [body, b"\xef\xbb\xbf{}"]


def test_refusals_are_tallied(node: Node) -> None:
    """Events refused for a known key reach the journal as counts, once."""
    with node.connect() as wire:
        wire.ask(request("/v1/ingest", b"{}", key=INGEST))
        wire.ask(request("/v1/batch", b'{"events":[{},{"event":"a"}]}', key=INGEST))
        wire.ask(request("/v1/ingest", b"{}"))
    node.call(node.door.tick)
    node.call(node.door.tick)
    wait_for(node.tallies)
    node.end()
    assert len(node.tallies()) == 1
