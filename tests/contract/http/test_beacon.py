"""The beacon: 200 whatever happens, and what happened stands in the answer and in the ledger."""

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from tests.contract.http.ways import Way
from tests.unit.ingest.node import (
    BROWSER,
    EVENTS_PER_MINUTE,
    EXPIRED,
    FEW_EVENTS,
    INACTIVE,
    INGEST,
    LIMITED,
    QUERY,
    REQUESTS_PER_MINUTE,
    Node,
    make_registry,
    wait_for,
)
from tests.unit.ingest.wire import Answer, request
from weir.domain.keys import digest_of
from weir.domain.registry import Registry

PATH = "/v1/ingest/beacon"
EVENT = b'{"event_type":"left","ts":"2026-04-23T18:30:12Z","anonymous_id":"a","session_id":"s"}'
BODY = b'{"events":[%s]}' % EVENT
TAKEN = {"accepted": 1, "rejected": 0, "queued": True}


def _ask(node: Node, sent: bytes, *, method: str = "POST") -> Answer:
    with node.connect() as wire:
        return wire.ask(sent, method=method)


def _refused(answer: Answer, code: str, rejected: int = 1) -> None:
    told = answer.json
    assert answer.status == 200
    assert (told["accepted"], told["rejected"], told["queued"]) == (0, rejected, False)
    assert told["error"] == code
    assert isinstance(told["message"], str)


def _tallied(node: Node) -> int:
    """Events that the ledger counts as refused outright."""
    wait_for(node.tallies, what="a tally")
    rows = [row for frame in node.tallies() for row in msgspec.msgpack.decode(frame.body)]
    return sum(refused for _, _, _, refused in rows)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain;charset=UTF-8", "application/octet-stream", "nonsense", None],
)
def test_any_content_type_is_taken(node: Node, content_type: str | None) -> None:
    """What sendBeacon makes of a text, of a Blob with a type and without one."""
    lines = [f"Content-Type: {content_type}"] if content_type else []
    answer = _ask(node, request(f"{PATH}?api_key={INGEST}", BODY, *lines))
    assert (answer.status, answer.json) == (200, TAKEN)
    assert node.bodies() == [BODY]


def test_form_fields_are_taken(node: Node) -> None:
    """What sendBeacon makes of URLSearchParams; the frame holds the events alone."""
    form = b"data=" + quote(BODY).encode()
    line = "Content-Type: application/x-www-form-urlencoded"
    assert _ask(node, request(f"{PATH}?api_key={INGEST}", form, line)).json == TAKEN
    assert node.bodies() == [BODY]


def test_multipart_form_is_taken(node: Node) -> None:
    """What sendBeacon makes of FormData; the frame holds the events alone."""
    form = b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n%s\r\n--b--\r\n' % BODY
    line = "Content-Type: multipart/form-data; boundary=b"
    assert _ask(node, request(f"{PATH}?api_key={INGEST}", form, line)).json == TAKEN
    assert node.bodies() == [BODY]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_events_in_the_url_are_taken(node: Node, method: str) -> None:
    """A pixel cannot do otherwise. The key is not written."""
    target = f"{PATH}?data={quote(BODY)}&api_key={INGEST}&server_ts=1"
    answer = _ask(node, request(target, b"", method=method), method=method)
    assert (answer.status, answer.json) == (200, TAKEN)
    assert node.bodies() == [BODY]
    assert INGEST.encode() not in b"".join(frame.meta + frame.body for frame in node.frames())


def test_key_in_a_header_goes_before_the_one_in_the_url(node: Node) -> None:
    """A header is not seen by others, and may hold a key of more scopes."""
    sent = request(f"{PATH}?api_key=nobody-knows-this-key", BODY, f"X-API-Key: {INGEST}")
    assert _ask(node, sent).json == TAKEN
    assert _ask(node, request(f"{PATH}?api_key={QUERY}", BODY, key=INGEST)).json == TAKEN


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "unauthorized"),
        ("nobody-knows-this-key", "unauthorized"),
        (EXPIRED, "unauthorized"),
        (INACTIVE, "tenant_inactive"),
        (QUERY, "forbidden"),
        ("all-scopes-0123456789", "forbidden"),
        ("%FF%00", "unauthorized"),
    ],
)
def test_bad_key_is_told_with_200(node: Node, key: str, code: str) -> None:
    """None, unknown, expired, not for ingest, or good for more than ingest."""
    node.publish(_with_all_scopes("all-scopes-0123456789"))
    wait_for(lambda: node.door._credentials._registry.current().epoch == 2, what="the registry")
    for method, body in (("POST", BODY), ("GET", b"")):
        target = f"{PATH}?api_key={key}&data={quote(BODY)}"
        _refused(_ask(node, request(target, body, method=method), method=method), code)
    assert node.frames() == []


def _with_all_scopes(text: str) -> Registry:
    registry = make_registry(2)
    known = registry.keys[digest_of(INGEST).hex()]
    wide = msgspec.structs.replace(known, scopes=frozenset({"ingest", "query"}), slot=20, key_id=20)
    return msgspec.structs.replace(registry, keys={**registry.keys, digest_of(text).hex(): wide})


def test_url_key_is_taken_on_no_other_route(node: Node) -> None:
    """Only where the dialect says so."""
    for path in ("/v1/ingest/events", "/v1/batch", "/ingest/batch", "/"):
        assert _ask(node, request(f"{path}?api_key={INGEST}", BODY)).status == 401


def test_revoked_key_in_the_url_is_refused(node: Node) -> None:
    """Remembered keys go with the epoch of the registry."""
    sent = request(f"{PATH}?api_key={INGEST}", BODY)
    assert _ask(node, sent).json == TAKEN
    node.publish(make_registry(2, without=INGEST))
    wait_for(lambda: node.door._credentials._registry.current().epoch == 2, what="the registry")
    _refused(_ask(node, sent), "unauthorized")


def test_origin_of_the_page_is_checked(node: Node) -> None:
    """The preflight and the answer allow credentials; the key's own list decides."""
    target = f"{PATH}?api_key={BROWSER}"
    allowed = _ask(node, request(target, BODY, "Origin: https://shop.example"))
    assert allowed.json == TAKEN
    assert allowed["access-control-allow-credentials"] == "true"
    _refused(_ask(node, request(target, BODY, "Origin: https://evil.example")), "forbidden")
    preflight = _ask(
        node,
        request(target, b"", "Origin: https://shop.example", method="OPTIONS"),
        method="OPTIONS",
    )
    assert preflight.status == 204
    assert preflight["access-control-allow-methods"] == "POST, GET, OPTIONS"


@pytest.mark.parametrize(
    ("body", "code", "rejected"),
    [
        (b"", "invalid_request", 1),
        (b"{", "invalid_request", 1),
        (b"\xff", "invalid_request", 1),
        (b'{"events":[]}', "invalid_request", 1),
        (b'{"events":[{},{},{}]}', "invalid_request", 3),
        (b'{"events":[%s]}' % b",".join([EVENT] * 501), "batch_too_large", 501),
    ],
)
def test_bad_events_are_told_with_200_and_counted(
    node: Node, body: bytes, code: str, rejected: int
) -> None:
    """In the answer and in the ledger alike; nothing is stored."""
    _refused(_ask(node, request(f"{PATH}?api_key={INGEST}", body)), code, rejected)
    assert _tallied(node) == rejected
    assert node.frames() == []


def test_good_events_of_a_mixed_beacon_are_taken(node: Node) -> None:
    """The counts are honest, and the frame carries the number of those refused."""
    body = b'{"events":[{},%s,7]}' % EVENT
    told = _ask(node, request(f"{PATH}?api_key={INGEST}", body)).json
    assert (told["accepted"], told["rejected"], told["queued"]) == (1, 2, True)
    assert [(frame.event_count, frame.refused_count) for frame in node.frames()] == [(1, 2)]
    assert [event.event for event in node.events()] == ["left"]


def test_limits_are_told_with_200_and_counted(node: Node) -> None:
    """Requests of the key, events of the tenant."""
    sent = request(f"{PATH}?api_key={LIMITED}", BODY)
    for _ in range(REQUESTS_PER_MINUTE):
        assert _ask(node, sent).json == TAKEN
    answer = _ask(node, sent)
    _refused(answer, "rate_limited")
    assert answer["retry-after"] is not None
    many = b'{"events":[%s]}' % b",".join([EVENT] * (EVENTS_PER_MINUTE + 1))
    _refused(
        _ask(node, request(f"{PATH}?api_key={FEW_EVENTS}", many)),
        "rate_limited",
        EVENTS_PER_MINUTE + 1,
    )
    wait_for(lambda: _tallied(node) == EVENTS_PER_MINUTE + 2, what="both in the tally")


def test_overloaded_node_says_so_with_200(node: Node) -> None:
    """The sender cannot send again, so the ledger is all that tells."""
    node.backlog[0] = 1 << 50
    node.call(node.overload.tick)
    _refused(_ask(node, request(f"{PATH}?api_key={INGEST}", BODY)), "unavailable")
    node.backlog[0] = 0
    node.call(node.overload.tick)
    assert _tallied(node) == 1


def test_body_over_a_limit_is_told_with_200(tmp_path: Path, way: Way) -> None:
    """Before it is read, too."""
    with way.node(tmp_path / "node", body_bytes_max=1024) as node:
        sent = request(f"{PATH}?api_key={INGEST}", b"x" * 2000)
        _refused(_ask(node, sent), "payload_too_large")


def test_other_methods_are_not_taken(node: Node) -> None:
    """405, with those that are."""
    answer = _ask(node, request(f"{PATH}?api_key={INGEST}", b"", method="PUT"), method="PUT")
    assert (answer.status, answer["allow"]) == (405, "POST, GET, OPTIONS")
