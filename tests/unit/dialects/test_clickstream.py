"""The clickstream dialect: one event, or a batch that is taken whole or not at all."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.corpus import REFUSED_BODIES, REFUSED_VALUES, TAKEN_VALUES
from tests.unit.dialects.making import LIMITS, admit, route_of, stored
from weir.dialects.clickstream.fields import FIELDS, OBJECTS
from weir.dialects.clickstream.replies import BATCH_EVENTS_MAX
from weir.dialects.fields import FIELDS_MAX, PROBLEMS_MAX, check_event
from weir.dialects.port import BodyTooLarge, Limits
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


def _refused(path: str, body: bytes, limits: Limits = LIMITS) -> dict[str, Any]:
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
    """The reply of seed 003; what is not canonical stands in properties."""
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


NEEDED_TEXTS = [name for name in NEEDED if name != "event_time"]
CASES = [
    *((name, MISSING, "validation.required") for name in NEEDED),
    *((name, None, "validation.required") for name in NEEDED),
    *((name, 5, "validation.type") for name in NEEDED),
    *((name, "", "validation.required") for name in NEEDED_TEXTS),
    ("event_id", "i" * 257, "validation.format"),
    ("event_id", "\U0001f389" * 257, "validation.format"),
    ("event_time", "", "validation.format"),
    ("event_time", "17/09/2025", "validation.format"),
    ("event_time", {}, "validation.type"),
    ("user_id", ["u"], "validation.type"),
    *((name, 7, "validation.type") for name in ("element_id", "referrer", "app_version")),
    *((name, "other", "validation.enum") for name in ("device_type", "platform", "network_type")),
    *((name, "", "validation.enum") for name in ("device_type", "platform", "network_type")),
    *((name, True, "validation.type") for name in ("device_type", "platform", "network_type")),
    ("device_type", "Mobile", "validation.enum"),
    *((name, [1], "validation.type") for name in OBJECTS),
    ("content", "{}", "validation.type"),
    ("experiments", "a", "validation.type"),
    ("experiments", ["a", 1], "validation.type"),
    ("experiments", [None], "validation.type"),
]


@pytest.mark.parametrize(("name", "value", "code"), CASES)
def test_bad_field_is_told_by_its_dotted_path(name: str, value: object, code: str) -> None:
    """Alone, in a batch, and beside a field that nobody knows."""
    bad = _with(**{name: value})
    assert _told(ONE, bad) == [(name, code)]
    assert _told(ONE, bad[:-1] + b',"more":1}') == [(name, code)]
    assert _told(BATCH, _batch(EVENT, bad)) == [(f"events.1.{name}", code)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", "i" * 256),
        ("event_id", "\U0001f389" * 256),
        ("event_type", "anything at all"),
        ("event_name", "n" * 5000),
        ("event_name", " \u202e\ufffe\x7f"),
        ("event_time", "2025-09-17"),
        ("event_time", "2025-09-17 10:00:00.123456+05:30"),
        ("page_name", "\U0010ffff"),
        ("element_id", ""),
        ("element_id", None),
        ("device_type", None),
        ("device_type", "tablet"),
        ("platform", "web"),
        ("network_type", "unknown"),
        *((name, {"a": {"b": [1, 2.5, None]}}) for name in OBJECTS),
        *((name, {}) for name in OBJECTS[:2]),
        ("content", None),
        ("experiments", []),
        ("experiments", ["a", "b"]),
        ("experiments", {"a": 1}),
        ("experiments", None),
        ("more", {"deep": [1]}),
        ("more", None),
        ("properties", {"a": 1}),
        ("context", 5),
        ("anonymous_id", "kept as any other"),
        ("ts", "2020-01-01"),
        ("sent_at", "no time"),
    ],
)
def test_good_value_comes_out_as_it_went_in(name: str, value: object) -> None:
    """At each limit, with any characters, known to the vendor or not, null too."""
    (event,) = stored(ONE, _with(**{name: value}))
    _check_values(event, {**GOOD, name: value})
    for event in stored(BATCH, _batch(_with(**{name: value}), EVENT))[:1]:
        _check_values(event, {**GOOD, name: value})


def test_sent_at_of_an_event_is_known_when_it_is_a_time() -> None:
    """The vendor does not know it; over a batch's own it wins."""
    body = _with(sent_at="2025-09-17T10:00:01Z")
    for path, sent in ((ONE, body), (BATCH, _batch(body))):
        (event,) = stored(path, sent)
        assert event.sent_at is not None
        assert event.sent_at.second == 1


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


def _bodies(event: bytes) -> list[tuple[str, bytes]]:
    return [(ONE, event), (BATCH, _batch(event))]


@pytest.mark.parametrize("name", REFUSED_VALUES)
def test_value_that_parsers_disagree_about_is_refused(name: str) -> None:
    """In an object of the vendor's, and in a field that nobody knows."""
    for field in (b"content", b"more"):
        event = EVENT[:-1] + b',"%s":{"v":%s}}' % (field, REFUSED_VALUES[name])
        for path, body in _bodies(event):
            assert [code for _, code in _told(path, body)] == ["validation.format"]


@pytest.mark.parametrize("name", TAKEN_VALUES)
def test_good_value_is_kept_byte_for_byte(name: str) -> None:
    """Whatever it is, and wherever it stands."""
    value = TAKEN_VALUES[name][2:-2] if name == "deepest" else TAKEN_VALUES[name]
    for field in (b"content", b"more"):
        for path, body in _bodies(EVENT[:-1] + b',"%s":{"v":%s}}' % (field, value)):
            (event,) = stored(path, body)
            assert b'"%s":{"v":%s}' % (field, value) in bytes(event.properties)


@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_bad_body_is_refused(name: str) -> None:
    """Whatever it is instead of events."""
    for path in (ONE, BATCH):
        assert _told(path, REFUSED_BODIES[name])


@pytest.mark.parametrize("path", [ONE, BATCH])
def test_every_truncation_is_refused(path: str) -> None:
    """No part of a body from its start is taken for a smaller body."""
    event = _with(content={"a": [1, "é"]})
    body = event if path == ONE else _batch(event)
    for cut in range(len(body)):
        assert _told(path, body[:cut])


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


def test_depth_of_a_single_event_is_bounded() -> None:
    """64 levels of the body, 65 not."""
    for above in (False, True):
        levels = LIMITS.json_depth_max - 2 + above
        body = _with(extras={"d": json.loads("[" * levels + "]" * levels)})
        if above:
            assert _told(ONE, body) == [("", "validation.format")]
        else:
            assert admit(ONE, body).event_count == 1


def test_bytes_are_bounded() -> None:
    """413 for one event over its limit, and for a context that would be stored many times."""
    limits = Limits(len(EVENT), 64, 1000)
    assert admit(ONE, EVENT, limits).event_count == 1
    assert admit(BATCH, _batch(EVENT, EVENT), limits).event_count == 2
    large = EVENT[:-1] + b" }"
    for path, body in _bodies(large):
        with pytest.raises(BodyTooLarge) as caught:
            admit(path, body, limits)
        reply = route_of(path).render_error(caught.value)
        assert reply.status == 413
        assert msgspec.json.decode(reply.body).keys() == {"error", "message"}
    client = {**AROUND["clientInfo"], "x": "y" * 100}
    with pytest.raises(BodyTooLarge):
        admit(BATCH, _batch(*[EVENT] * 10, clientInfo=client), limits)


@pytest.mark.parametrize("item", [b"1", b"{}", b"[]"])
def test_millions_of_items_are_refused_without_being_held(item: bytes) -> None:
    """A body of nothing but commas does not become a list of objects."""
    assert _refused(BATCH, _batch(*[item] * 600_000))


def test_fields_of_an_event_are_bounded() -> None:
    """Known and unknown; at the limit they are all kept."""

    def event(fields: int) -> bytes:
        return _with(**{f"f{n}": 1 for n in range(fields - len(GOOD))})

    for path, body in _bodies(event(FIELDS_MAX)):
        (taken,) = stored(path, body)
        assert bytes(taken.properties).count(b":") == FIELDS_MAX - len(CANONICAL)
    assert _told(ONE, event(FIELDS_MAX + 1)) == [("", "validation.maxItems")]
    assert _told(BATCH, _batch(event(FIELDS_MAX + 1))) == [("events.0", "validation.maxItems")]


# What is accepted comes out.

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
objects = st.dictionaries(texts, values, max_size=3)
events = st.fixed_dictionaries(
    {
        **dict.fromkeys(NEEDED_TEXTS, texts),
        "event_time": st.datetimes().map(lambda when: when.isoformat() + "Z"),
    },
    optional={
        "element_id": texts,
        "platform": st.sampled_from(["ios", "android", "web"]),
        **dict.fromkeys(OBJECTS, objects),
        "experiments": st.lists(texts, max_size=3) | objects,
        "more": values,
        "properties": values,
    },
)


@given(st.lists(events, min_size=1, max_size=3), st.booleans())
@settings(max_examples=60)
def test_whatever_is_taken_comes_out_with_its_values(
    sent: list[dict[str, Any]], is_ascii: bool
) -> None:
    """Alone and in a batch, fast or slow."""
    bodies = [json.dumps(each, ensure_ascii=is_ascii).encode() for each in sent]
    if any(b"\\u0000" in body or b"\0" in body for body in bodies):
        return
    for event, own in zip(stored(BATCH, _batch(*bodies)), sent, strict=True):
        _check_values(event, own)
    (event,) = stored(ONE, bodies[0])
    _check_values(event, sent[0])


@given(events)
@settings(max_examples=60)
def test_fast_decoder_agrees_with_the_reference(sent: dict[str, Any]) -> None:
    """The loader makes an event of the same values by either way."""
    text = json.dumps(sent)
    if "\\u0000" in text:
        return
    reference = check_event(msgspec.Raw(text.encode()), FIELDS)
    assert isinstance(reference, Event)
    _check_values(reference, sent)
    (event,) = stored(ONE, text.encode())
    assert event.ts == reference.ts


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
