"""The RealAnalytics dialect: an event, an array or an envelope, taken whole or not at all."""

import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, stored
from weir.dialects.fields import PROBLEMS_MAX
from weir.dialects.port import AdmissionLimits, RateWindow
from weir.dialects.realanalytics.events import EVENTS_MAX, PROPERTIES_MAX, find_key
from weir.dialects.realanalytics.replies import render_error
from weir.domain.event import Event
from weir.errors import Forbidden, InvalidInput, LimitExceeded, Unauthenticated, Unavailable

PATH = "/"
GOOD: dict[str, Any] = {
    "event": "signup_completed",
    "timestamp": "2026-02-03T15:30:00.000Z",
    "distinctId": "user_123",
    "sessionId": "sess_abc",
    "properties": {"plan": "pro", "source": "pricing_page"},
}
EVENT = json.dumps(GOOD).encode()
FORMS = {
    "one": (b"%s", []),
    "array": (b"[%s]", ["0"]),
    "envelope": (b'{"apiKey":"pk_live_x","events":[%s]}', ["events", "0"]),
}
MISSING = object()


def _with(**fields: object) -> bytes:
    """The good event with other values of some fields."""
    changed = {**GOOD, **fields}
    return json.dumps({name: v for name, v in changed.items() if v is not MISSING}).encode()


def _told(body: bytes, limits: AdmissionLimits = LIMITS) -> list[dict[str, Any]]:
    """What the vendor's clients are told of a body that is refused whole."""
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, body, limits)
    reply = render_error(caught.value)
    told = msgspec.json.decode(reply.body)
    assert (reply.status, told["error"]) == (400, "Validation failed")
    details: list[dict[str, Any]] = told["details"]
    assert all(set(each) == {"path", "code", "message"} for each in details)
    return details


def _take(body: bytes) -> list[Event]:
    """The events of a body that is taken, read from what is written."""
    admission = admit(PATH, body)
    events = stored(PATH, body if admission.body is None else admission.body)
    assert msgspec.json.decode(admission.reply.body) == {"success": True, "events": len(events)}
    return events


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_body_is_taken(form: str) -> None:
    """200 with the number of events; the vendor's names become the canonical ones."""
    (event,) = _take(FORMS[form][0] % EVENT)
    assert event.ts is not None
    assert event.ts.isoformat() == "2026-02-03T15:30:00+00:00"
    assert (event.event, event.user_id, event.session_id) == (
        *("signup_completed", "user_123", "sess_abc"),
    )
    assert json.loads(bytes(event.properties)) == GOOD["properties"]
    assert (event.anonymous_id, event.event_id, bytes(event.context)) == (None, None, b"")


CASES = [
    ("event", MISSING, "validation.required"),
    ("distinctId", None, "validation.required"),
    ("event", ["a"], "validation.type"),
    ("sessionId", "", "validation.length"),
    ("event", "e" * 101, "validation.length"),
    ("timestamp", 1770132600000, "validation.type"),
    ("timestamp", "2026-02-30T00:00:00Z", "validation.format"),
    ("properties", {f"p{n}": n for n in range(PROPERTIES_MAX + 1)}, "validation.maxItems"),
]
"""One of each code."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "code"), CASES)
def test_bad_field_is_told_by_its_path(form: str, name: str, value: object, code: str) -> None:
    """In every form of the body, also beside a field that nobody knows."""
    text, path = FORMS[form]
    for bad in (_with(**{name: value}), _with(**{name: value}, more=1)):
        (told,) = _told(text % bad)
        assert (told["path"], told["code"]) == ([*path, name], code)


def test_sent_at_is_known_when_it_is_a_time() -> None:
    """It tells of the client's clock; the vendor does not know it."""
    (event,) = _take(_with(sent_at="2026-02-03T15:31:00Z"))
    assert event.sent_at is not None
    assert json.loads(bytes(event.properties)) == GOOD["properties"]


def test_all_problems_of_all_events_are_told_and_nothing_is_taken() -> None:
    """By index; the whole request counts as refused."""
    body = b"[%s,{},7,%s]" % (EVENT, _with(event="", sessionId=5))
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, body)
    assert caught.value.context["refused_count"] == 4
    assert [each["path"] for each in _told(body)] == [
        *([["1", name] for name in GOOD]), ["2"], ["3", "event"], ["3", "sessionId"],
    ]  # fmt: skip
    many = b"[%s]" % b",".join([b"{}"] * EVENTS_MAX)
    assert len(_told(many)) == PROBLEMS_MAX


@pytest.mark.parametrize("form", ["array", "envelope"])
@pytest.mark.parametrize("more", [b"", b',"more":1'], ids=["known", "unknown"])
def test_hundred_events_are_taken_and_one_more_is_not(form: str, more: bytes) -> None:
    """The vendor's limit, quick or slow."""
    event = EVENT[:-1] + more + b"}"
    text, _ = FORMS[form]
    assert len(_take(text % b",".join([event] * EVENTS_MAX))) == EVENTS_MAX
    (told,) = _told(text % b",".join([event] * (EVENTS_MAX + 1)))
    assert told["code"] == "batch_too_large"
    (told,) = _told(text % b"")
    assert told["code"] == "validation.minItems"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"7", []),
        (b'"event"', []),
        (b"null", []),
        (b'{"events":{}}', ["events"]),
        (b'{"events":null}', ["events"]),
        (b'{"events":"a","apiKey":"k"}', ["events"]),
        (b"", []),
        (b"[", []),
    ],
)
def test_body_of_another_shape_is_refused(body: bytes, path: list[str]) -> None:
    """What is no event, no array and no envelope."""
    (told,) = _told(body)
    assert told["path"] == path


def test_event_with_a_field_named_events_is_an_event() -> None:
    """Only a body without ``event`` is an envelope."""
    (event,) = _take(_with(events=[1, 2]))
    assert json.loads(bytes(event.properties))["events"] == [1, 2]
    (told,) = _told(_with(events=[1, 2], event=5))
    assert told["path"] == ["event"]


# The key in the body.


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"apiKey":"pk_live_x","events":[]}', "pk_live_x"),
        (b' {"events":[%s],"apiKey":"k"}' % EVENT, "k"),
        (b'{"\\u0061piKey":"k","events":5}', "k"),
        (b'{"apiKey":"a","apiKey":"b","events":[]}', "b"),
        (b'{"apiKey":null,"events":[]}', None),
        (b'{"apiKey":7,"events":[]}', None),
        (b'{"events":[]}', None),
        (b'{"apiKey":"k"}', None),
        (b'{"apiKey":"k","events":[],"event":"a"}', None),
        (b'[{"apiKey":"k","events":[]}]', None),
        (b'{"apiKey":"k","events":[', None),
        (b'{"apiKey":"\xff","events":[]}', None),
        (b"[" * 5000, None),
        (b"", None),
    ],
)
def test_key_is_found_in_an_envelope_only(body: bytes, key: str | None) -> None:
    """Whatever else the body is, it has no key and does no harm."""
    assert find_key(body) == key


@pytest.mark.parametrize("name", [b"apiKey", b"\\u0061piKey", b"api\\u004bey"])
def test_key_is_not_written(name: bytes) -> None:
    """The journal gets the envelope without it, the events byte for byte; others as they came."""
    events = b"[ %s ,%s]" % (EVENT, _with(event="apiKey"))
    written = admit(PATH, b'{"%s":"pk_live_x","events":%s}' % (name, events)).body
    assert written == b'{"events":%s}' % events
    assert admit(PATH, b'{"events":%s}' % events).body is None
    assert admit(PATH, events).body is None
    assert admit(PATH, _with(apiKey="mine")).body is None


# Hygiene.


# What is accepted comes out.


# Errors in the vendor's words.


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (Unauthenticated("API key required."), 401, {"error": "Invalid API key"}),
        (Forbidden("Not from here."), 403, {"error": "Not from here."}),
        (LimitExceeded("Too many."), 429, {"error": "Rate limit exceeded"}),
        (Unavailable("Full."), 503, {"error": "Service unavailable"}),
        (
            LimitExceeded("Used up.", code="quota_exceeded", window=RateWindow(10000, 3, 0)),
            429,
            {
                "error": "Monthly event limit exceeded",
                "code": "EVENT_LIMIT_EXCEEDED",
                "limit": 10000,
                "used": 9997,
                "remaining": 3,
            },
        ),
    ],
)
def test_error_has_the_shape_of_the_vendor(
    error: Exception, status: int, told: dict[str, object]
) -> None:
    """Of each status that is not about the body."""
    reply = render_error(error)  # type: ignore[arg-type]  # a table of several kinds
    assert (reply.status, msgspec.json.decode(reply.body)) == (status, told)
