"""The RealAnalytics dialect: an event, an array or an envelope, taken whole or not at all."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.corpus import REFUSED_BODIES, REFUSED_VALUES, TAKEN_VALUES
from tests.unit.dialects.making import LIMITS, admit, stored, values_of
from weir.dialects.decoding import MEMBERS_MAX
from weir.dialects.fields import FIELDS_MAX, PROBLEMS_MAX, check_event
from weir.dialects.port import BodyTooLarge, Limits, Usage
from weir.dialects.realanalytics.events import EVENTS_MAX, FIELDS, PROPERTIES_MAX, find_key
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


def _told(body: bytes, limits: Limits = LIMITS) -> list[dict[str, Any]]:
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
    ("event", None, "validation.required"),
    ("event", 5, "validation.type"),
    ("event", ["a"], "validation.type"),
    ("event", "", "validation.length"),
    ("event", "e" * 101, "validation.length"),
    ("event", "\U0001f389" * 101, "validation.length"),
    ("timestamp", MISSING, "validation.required"),
    ("timestamp", None, "validation.required"),
    ("timestamp", 1770132600000, "validation.type"),
    ("timestamp", {}, "validation.type"),
    ("timestamp", "", "validation.format"),
    ("timestamp", "yesterday", "validation.format"),
    ("timestamp", "2026-02-30T00:00:00Z", "validation.format"),
    ("distinctId", MISSING, "validation.required"),
    ("distinctId", None, "validation.required"),
    ("distinctId", 42, "validation.type"),
    ("distinctId", "", "validation.length"),
    ("sessionId", MISSING, "validation.required"),
    ("sessionId", None, "validation.required"),
    ("sessionId", True, "validation.type"),
    ("sessionId", "", "validation.length"),
    ("properties", MISSING, "validation.required"),
    ("properties", None, "validation.required"),
    ("properties", [], "validation.type"),
    ("properties", "{}", "validation.type"),
    ("properties", {f"p{n}": n for n in range(PROPERTIES_MAX + 1)}, "validation.maxItems"),
    ("event_id", 5, "validation.type"),
    ("event_id", "", "validation.length"),
    ("event_id", "i" * 257, "validation.length"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "code"), CASES)
def test_bad_field_is_told_by_its_path(form: str, name: str, value: object, code: str) -> None:
    """In every form of the body, also beside a field that nobody knows."""
    text, path = FORMS[form]
    for bad in (_with(**{name: value}), _with(**{name: value}, more=1)):
        (told,) = _told(text % bad)
        assert (told["path"], told["code"]) == ([*path, name], code)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event", "e" * 100),
        ("event", "\U0001f389" * 100),
        ("event", "$pageview"),
        ("event", " \u202e\ufffe\x7f"),
        ("timestamp", "2026-02-03"),
        ("timestamp", "2026-02-03 15:30:00.123456+05:30"),
        ("distinctId", "d" * 5000),
        ("sessionId", "\u0001"),
        ("properties", {}),
        ("properties", {f"p{n}": {"a": {"b": n}} for n in range(PROPERTIES_MAX)}),
        ("properties", {"": "\U0001f389", "\U0010ffff": "\u0301"}),
        ("event_id", "i" * 256),
        ("event_id", None),
        ("more", {"deep": [1, 2.5, None]}),
        ("more", None),
        ("anonymous_id", "kept as any other"),
        ("context", 5),
        ("user_id", "not the canonical one"),
        ("ts", "2020-01-01"),
        ("sent_at", "no time"),
    ],
)
def test_good_value_comes_out_as_it_went_in(name: str, value: object) -> None:
    """At each limit, with any characters; what the vendor does not know stands in properties."""
    for text, _ in FORMS.values():
        (event,) = _take(text % _with(**{name: value}))
        _check_values(event, {**GOOD, name: value})


def _check_values(event: Event, sent: dict[str, Any]) -> None:
    """The values of a stored event are those that were sent."""
    unknown = {name: v for name, v in sent.items() if name not in (*GOOD, "event_id")}
    assert event.ts is not None
    assert (event.event, event.user_id, event.session_id, event.event_id) == (
        *(sent["event"], sent["distinctId"], sent["sessionId"], sent.get("event_id")),
    )
    own = sent["properties"]
    folded = {**unknown, "properties": own} if unknown.keys() & own.keys() else {**own, **unknown}
    assert json.loads(bytes(event.properties) or b"{}") == folded


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


def test_repeated_property_names_count_once() -> None:
    """A hundred keys are a hundred names, whatever stands inside them."""
    many = b",".join(b'"a":{"b":1}' for _ in range(2 * PROPERTIES_MAX))
    (event,) = _take(EVENT.replace(b'"plan": "pro"', many))
    assert bytes(event.properties).count(b'"a"') == 2 * PROPERTIES_MAX


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


def _holding(form: str, value: bytes) -> bytes:
    return FORMS[form][0] % EVENT.replace(b'"pro"', value)


@pytest.mark.parametrize("name", REFUSED_VALUES)
def test_value_that_parsers_disagree_about_is_refused(name: str) -> None:
    """In every form of the body."""
    for form in FORMS:
        _told(_holding(form, REFUSED_VALUES[name]))


@pytest.mark.parametrize("name", TAKEN_VALUES)
def test_good_value_is_kept_byte_for_byte(name: str) -> None:
    """As part of the properties as they were sent."""
    value = TAKEN_VALUES[name]
    for form in FORMS:
        inner = value[2:-2] if name == "deepest" else value
        (event,) = _take(_holding(form, inner))
        assert bytes(event.properties) == b'{"plan": %s, "source": "pricing_page"}' % inner


@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_bad_body_is_refused(name: str) -> None:
    """Whatever it is instead of events."""
    _told(REFUSED_BODIES[name])


@pytest.mark.parametrize("form", FORMS)
def test_every_truncation_is_refused(form: str) -> None:
    """No part of a body from its start is taken for a smaller body."""
    body = FORMS[form][0] % _with(more={"a": [1, "é"]})
    for cut in range(len(body)):
        _told(body[:cut])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["properties", "more"])
def test_depth_is_bounded(form: str, place: str) -> None:
    """64 levels of the body as it was sent, 65 not."""
    around = {"one": 1, "array": 2, "envelope": 3}[form]
    for above in (False, True):
        levels = LIMITS.json_depth_max - around - 1 + above
        deep: Any = {"d": json.loads("[" * levels + "]" * levels)}
        body = FORMS[form][0] % _with(**{place: deep})
        if above:
            assert "deeper than 64 levels" in _told(body)[0]["message"]
        else:
            assert len(_take(body)) == 1


def test_event_bytes_are_bounded() -> None:
    """413, though the body may be larger than its events."""
    limits = Limits(len(EVENT), 64, 1 << 20)
    for text, _ in FORMS.values():
        assert admit(PATH, text % EVENT, limits).event_count == 1
        with pytest.raises(BodyTooLarge) as caught:
            admit(PATH, text % (EVENT[:-1] + b" }"), limits)
        assert render_error(caught.value).status == 413
    assert admit(PATH, b"[%s,%s]" % (EVENT, EVENT), limits).event_count == 2


@pytest.mark.parametrize("form", ["array", "envelope"])
@pytest.mark.parametrize("item", [b"1", b"{}", b"[]"])
def test_millions_of_items_are_refused_without_being_held(form: str, item: bytes) -> None:
    """A body of nothing but commas does not become a list of objects."""
    assert len(_told(FORMS[form][0] % b",".join([item] * 300_000))) == 1


def test_fields_and_members_are_bounded() -> None:
    """What would have to be taken apart, of an event and of a request."""

    def event(members: int, name: str = "f") -> bytes:
        return _with(**{f"{name}{n}": 1 for n in range(members)})

    assert len(_take(event(FIELDS_MAX - len(GOOD)))) == 1
    (told,) = _told(b"[%s,%s]" % (EVENT, event(FIELDS_MAX - len(GOOD) + 1)))
    assert (told["path"], told["code"]) == (["1"], "validation.length")
    heavy = _with(more=1, properties={"a": [{f"m{n}": n for n in range(3000)}]})
    assert heavy.count(b":") * EVENTS_MAX > MEMBERS_MAX
    assert len(_take(b"[%s]" % b",".join([heavy] * 4))) == 4


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
events = st.fixed_dictionaries(
    {
        "event": texts.map(lambda text: text[:100]),
        "timestamp": st.datetimes().map(lambda when: when.isoformat() + "Z"),
        "distinctId": texts,
        "sessionId": texts,
        "properties": st.dictionaries(texts, values, max_size=4),
    },
    optional={"event_id": texts, "more": values, "user_id": values, "context": values},
)


@given(st.lists(events, min_size=1, max_size=3), st.sampled_from(list(FORMS)), st.booleans())
@settings(max_examples=60)
def test_whatever_is_taken_comes_out_with_its_values(
    sent: list[dict[str, Any]], form: str, is_ascii: bool
) -> None:
    """Every event of every form, fast or slow."""
    sent = sent[:1] if form == "one" else sent
    text = ",".join(json.dumps(each, ensure_ascii=is_ascii) for each in sent).encode()
    if b"\\u0000" in text or b"\0" in text:
        return
    for event, own in zip(_take(FORMS[form][0] % text), sent, strict=True):
        _check_values(event, own)


@given(events)
@settings(max_examples=60)
def test_fast_decoder_agrees_with_the_reference(sent: dict[str, Any]) -> None:
    """The loader makes the same event by either way."""
    text = json.dumps(sent)
    if "\\u0000" in text:
        return
    reference = check_event(msgspec.Raw(text.encode()), FIELDS)
    assert isinstance(reference, Event)
    (event,) = _take(text.encode())
    assert values_of(event) == values_of(reference)


# Errors in the vendor's words.


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (Unauthenticated("API key required."), 401, {"error": "Invalid API key"}),
        (Forbidden("Not from here."), 403, {"error": "Not from here."}),
        (LimitExceeded("Too many."), 429, {"error": "Rate limit exceeded"}),
        (Unavailable("Full."), 503, {"error": "Service unavailable"}),
        (
            LimitExceeded("Used up.", code="quota_exceeded", usage=Usage(10000, 3, 0)),
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
