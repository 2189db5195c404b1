"""The clickstream dialect: one event, or a batch that is taken whole or not at all."""

import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, route_of, stored
from weir.dialects.clickstream.replies import BATCH_EVENTS_MAX
from weir.dialects.fields import PROBLEMS_MAX
from weir.dialects.port import AdmissionLimits, BodyTooLarge
from weir.domain.event import Event
from weir.errors import Forbidden, InvalidInput, LimitExceeded, Unauthenticated, Unavailable

ONE = "/ingest"
BATCH = "/ingest/batch"
NEEDED: dict[str, Any] = {
    "event_id": "evt_123456789",
    "event_type": "click",
    "event_name": "button_click",
    "event_time": "2025-09-17T10:00:00Z",
    "user_id": "usr_987654321",
    "session_id": "sess_123456789",
    "page_name": "checkout",
}
GOOD: dict[str, Any] = {
    **NEEDED,
    "element_id": "submit_button",
    "device_type": "mobile",
    "platform": "ios",
    "app_version": "2.1.0",
    "network_type": "wifi",
}
CANONICAL = ("event_id", "event_name", "event_time", "user_id", "session_id")
EVENT = json.dumps(GOOD).encode()
AROUND: dict[str, Any] = {
    "batchId": "batch_1",
    "sentAt": "2025-09-17T10:00:05Z",
    "clientInfo": {"sdkVersion": "1.0.0", "deviceId": "dev_1", "appBuild": "77", "os": "17.1"},
}
MISSING = object()


def _without(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not MISSING}


def _with(**fields: object) -> bytes:
    """The good event with other values of some fields."""
    return json.dumps(_without({**GOOD, **fields})).encode()


def _batch(*events: bytes, **fields: object) -> bytes:
    around = json.dumps(_without({**AROUND, **fields}))[:-1].encode()
    return b'%s%s"events":[%s]}' % (around, b", " if len(around) > 1 else b"", b",".join(events))


def _refused(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> dict[str, Any]:
    """What the vendor's clients are told of a body that is refused whole."""
    with pytest.raises(InvalidInput) as caught:
        admit(path, body, limits)
    reply = route_of(path).render_error(caught.value)
    assert reply.status == 400
    told: dict[str, Any] = msgspec.json.decode(reply.body)
    return told


def _told(path: str, body: bytes) -> list[tuple[str, str]]:
    """The dotted path and the code of everything that is wrong with a body."""
    told = _refused(path, body)
    assert told["error"] == ("Invalid event" if path == ONE else "Invalid batch")
    assert all(set(each) == {"field", "message", "code"} for each in told["details"])
    return [(each["field"], each["code"]) for each in told["details"]]


def _check_values(event: Event, sent: dict[str, Any]) -> None:
    """The values of a stored event are those that were sent."""
    assert event.ts is not None
    assert (event.event_id, event.event, event.user_id, event.session_id) == (
        *(sent["event_id"], sent["event_name"], sent["user_id"], sent["session_id"]),
    )
    rest = {name: value for name, value in sent.items() if name not in CANONICAL}
    assert json.loads(bytes(event.properties)) == rest


def test_single_event_is_answered_with_its_id() -> None:
    """The reply is the vendor's; what is not canonical stands in properties."""
    admission = admit(ONE, EVENT)
    assert msgspec.json.decode(admission.reply.body) == {
        "status": "success",
        "eventId": "evt_123456789",
    }
    assert (admission.reply.status, admission.event_count) == (200, 1)
    (event,) = stored(ONE, EVENT)
    _check_values(event, GOOD)
    assert event.ts is not None
    assert event.ts.isoformat() == "2025-09-17T10:00:00+00:00"
    assert (event.anonymous_id, event.sent_at, bytes(event.context)) == (None, None, b"")


def test_batch_is_counted_and_lies_around_its_events() -> None:
    """Its id and its client are context, its ``sentAt`` tells of the client's clock."""
    admission = admit(BATCH, _batch(EVENT, _with(event_id="b", more=1)))
    assert msgspec.json.decode(admission.reply.body) == {
        "status": "success",
        "batchId": "batch_1",
        "eventsProcessed": 2,
    }
    for events in (_batch(EVENT, EVENT), _batch(EVENT, _with(more=1, event_time="2025-09-17"))):
        for event in stored(BATCH, events):
            assert json.loads(bytes(event.context)) == {
                "batchId": "batch_1",
                "clientInfo": AROUND["clientInfo"],
            }
            assert event.sent_at is not None
            assert event.sent_at.isoformat() == "2025-09-17T10:00:05+00:00"


CASES = [
    ("event_id", MISSING, "validation.required"),
    ("user_id", None, "validation.required"),
    ("page_name", "", "validation.required"),
    ("session_id", 5, "validation.type"),
    ("event_id", "i" * 257, "validation.format"),
    ("event_time", "17/09/2025", "validation.format"),
    ("event_time", {}, "validation.type"),
    ("device_type", "Mobile", "validation.enum"),
    ("network_type", True, "validation.type"),
    ("content", [1], "validation.type"),
    ("experiments", ["a", 1], "validation.type"),
]
"""One of each code that the vendor has."""


@pytest.mark.parametrize(("name", "value", "code"), CASES)
def test_bad_field_is_told_by_its_dotted_path(name: str, value: object, code: str) -> None:
    """Alone, in a batch, and beside a field that nobody knows."""
    bad = _with(**{name: value})
    assert _told(ONE, bad) == [(name, code)]
    assert _told(ONE, bad[:-1] + b',"more":1}') == [(name, code)]
    assert _told(BATCH, _batch(EVENT, bad)) == [(f"events.1.{name}", code)]


def test_sent_at_of_an_event_is_known_when_it_is_a_time() -> None:
    """The vendor does not know it; over a batch's own it wins."""
    body = _with(sent_at="2025-09-17T10:00:01Z")
    for path, sent in ((ONE, body), (BATCH, _batch(body))):
        (event,) = stored(path, sent)
        assert event.sent_at is not None
        assert event.sent_at.second == 1


@pytest.mark.parametrize(
    ("fields", "more", "order"),
    [
        ({}, b"", ["event_type", "page_name", "platform"]),
        ({"sentAt": "2025-09-17 10:00"}, b"", ["platform", "page_name", "event_type"]),
        ({}, b'"sent_at":"2025-09-17T10:00:00Z",', ["platform", "page_name", "event_type"]),
        ({}, b'"x":1,', ["x", "platform", "page_name", "event_type"]),
    ],
)
def test_properties_keep_the_order_they_always_had(
    fields: dict[str, Any], more: bytes, order: list[str]
) -> None:
    """The table's for a plain batch, the sent one for any other: frames decode alike for ever."""
    needed = {**{name: NEEDED[name] for name in CANONICAL}, "platform": "ios"}
    event = {**needed, "page_name": "p", "event_type": "e"}
    text = b"{" + more + json.dumps(event).encode()[1:]
    (stored_event,) = stored(BATCH, _batch(text, **fields))
    assert list(json.loads(bytes(stored_event.properties))) == order


BATCH_CASES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"batchId": MISSING}, [("batchId", "validation.required")]),
    ({"batchId": None}, [("batchId", "validation.required")]),
    ({"batchId": ""}, [("batchId", "validation.required")]),
    ({"batchId": 5}, [("batchId", "validation.type")]),
    ({"sentAt": MISSING}, [("sentAt", "validation.required")]),
    ({"sentAt": 1758103205}, [("sentAt", "validation.type")]),
    ({"sentAt": "now"}, [("sentAt", "validation.format")]),
    ({"clientInfo": MISSING}, [("clientInfo", "validation.required")]),
    ({"clientInfo": []}, [("clientInfo", "validation.type")]),
    (
        {"clientInfo": {"sdkVersion": "", "deviceId": 5}},
        [
            ("clientInfo.sdkVersion", "validation.required"),
            ("clientInfo.deviceId", "validation.type"),
            ("clientInfo.appBuild", "validation.required"),
        ],
    ),
]


@pytest.mark.parametrize(("fields", "told"), BATCH_CASES)
def test_bad_batch_names_what_is_wrong_around_its_events(
    fields: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    """Together with what is wrong with the events."""
    assert _told(BATCH, _batch(EVENT, **fields)) == told
    both = [*told, ("events.0.event_id", "validation.required")]
    assert _told(BATCH, _batch(_with(event_id=None), **fields)) == both


@pytest.mark.parametrize(
    ("events", "code"),
    [
        (b"null", "validation.required"),
        (b"{}", "validation.type"),
        (b'"a"', "validation.type"),
        (b"[]", "validation.minItems"),
    ],
)
def test_batch_needs_events(events: bytes, code: str) -> None:
    """A list with at least one."""
    body = json.dumps(AROUND).encode()[:-1] + b',"events":%s}' % events
    assert _told(BATCH, body) == [("events", code)]
    assert _told(BATCH, json.dumps(AROUND).encode()) == [("events", "validation.required")]


def test_all_problems_are_collected_and_the_whole_batch_is_refused() -> None:
    """In the order in which they stand; the list is bounded."""
    body = _batch(EVENT, b"7", _with(platform="symbian", content=[]))
    assert _told(BATCH, body) == [
        ("events.1", "validation.type"),
        ("events.2.platform", "validation.enum"),
        ("events.2.content", "validation.type"),
    ]
    with pytest.raises(InvalidInput) as caught:
        admit(BATCH, body)
    assert caught.value.context["refused_count"] == 3
    assert _told(ONE, b"{}") == [(name, "validation.required") for name in NEEDED]
    assert len(_told(BATCH, _batch(*[b"{}"] * BATCH_EVENTS_MAX))) == PROBLEMS_MAX


@pytest.mark.parametrize("event", [EVENT, _with(more=1), _with(event_time="2025-09-17")])
def test_fifty_events_are_taken_and_one_more_is_not(event: bytes) -> None:
    """In the vendor's words, quick or slow, valid or not."""
    assert len(stored(BATCH, _batch(*[event] * BATCH_EVENTS_MAX))) == BATCH_EVENTS_MAX
    for last in (event, b"{}", b"7"):
        body = _batch(*[event] * BATCH_EVENTS_MAX, last)
        assert _refused(BATCH, body) == {
            "error": "Batch too large",
            "message": "Maximum batch size is 50 events",
        }


@pytest.mark.parametrize("path", [ONE, BATCH])
@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"a"', b"[%s]" % EVENT])
def test_body_of_another_shape_is_refused(path: str, body: bytes) -> None:
    """Only an object is an event or a batch."""
    assert _told(path, body) == [("", "validation.type")]


# Hygiene.


@pytest.mark.parametrize("place", ["content", "more", "clientInfo", "around"])
@pytest.mark.parametrize("count", [1, BATCH_EVENTS_MAX])
def test_depth_is_bounded_in_every_place(place: str, count: int) -> None:
    """64 levels of the body as it was sent, 65 not, however many events stand beside."""
    around = {"content": 3, "more": 3, "clientInfo": 1, "around": 1}[place]
    for above in (False, True):
        levels = LIMITS.json_depth_max - around - 1 + above
        deep: Any = {**AROUND["clientInfo"], "d": json.loads("[" * levels + "]" * levels)}
        if place in ("content", "more"):
            body = _batch(_with(**{place: deep}), *[EVENT] * (count - 1))
        else:
            body = _batch(*[_with(content={})] * count, **{place: deep})
        if above:
            assert "deeper than 64" in _refused(BATCH, body)["details"][0]["message"]
        else:
            assert admit(BATCH, body).event_count == count


def test_bytes_are_bounded() -> None:
    """413 for one event over its limit, and for a context that would be stored many times."""
    limits = AdmissionLimits(len(EVENT), 64, 1000)
    assert admit(ONE, EVENT, limits).event_count == 1
    assert admit(BATCH, _batch(EVENT, EVENT), limits).event_count == 2
    large = EVENT[:-1] + b" }"
    for path, body in ((ONE, large), (BATCH, _batch(large))):
        with pytest.raises(BodyTooLarge) as caught:
            admit(path, body, limits)
        reply = route_of(path).render_error(caught.value)
        assert reply.status == 413
        assert msgspec.json.decode(reply.body).keys() == {"error", "message"}
    client = {**AROUND["clientInfo"], "x": "y" * 100}
    with pytest.raises(BodyTooLarge):
        admit(BATCH, _batch(*[EVENT] * 10, clientInfo=client), limits)


# What is accepted comes out.


# Errors in the vendor's words.


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            Unauthenticated("API key required.", is_missing=True),
            (401, "Unauthorized", "Missing or invalid API key"),
        ),
        (Unauthenticated("Unknown."), (401, "Unauthorized", "Invalid API key")),
        (Forbidden("No.", bound="address"), (403, "Forbidden", "IP address not allowed")),
        (Forbidden("No scope."), (403, "Forbidden", "No scope.")),
        (LimitExceeded("Too many."), (429, "Too Many Requests", "Rate limit exceeded")),
        (
            LimitExceeded("Used up.", code="quota_exceeded"),
            (429, "Too Many Requests", "Used up."),
        ),
        (Unavailable("Full."), (503, "Service unavailable", "Failed to process event")),
    ],
)
def test_error_has_the_shape_of_the_vendor(error: Forbidden, told: tuple[int, str, str]) -> None:
    """Of each status that is not about the body, on both routes."""
    for path in (ONE, BATCH):
        reply = route_of(path).render_error(error)
        body = msgspec.json.decode(reply.body)
        assert (reply.status, body["error"], body["message"]) == told
        assert body.keys() == {"error", "message"}
