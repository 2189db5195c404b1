"""The Tapemetric dialect: every field, mixed batches, and what comes out of what was taken."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import LIMITS, admit, stored, values_of
from weir.dialects.beacon import FIELDS_MAX, FORM_BYTES_MAX, read_beacon, render_beacon_error
from weir.dialects.port import BodyTooLarge, Limits
from weir.dialects.tapemetric.events import EVENTS_MAX, render_refusal
from weir.dialects.tapemetric.fields import (
    CONTENT_TYPES,
    EVENT_TYPE_CHARS_MAX,
    FIELDS,
    ID_CHARS_MAX,
    KEPT,
    PLANS,
    TITLE_CHARS_MAX,
)
from weir.errors import InvalidInput, Unavailable

PATH = "/v1/ingest/events"
GOOD: dict[str, Any] = {
    "event_type": "play_start",
    "ts": "2026-04-23T18:30:12.456Z",
    "anonymous_id": "a",
    "session_id": "s",
}
REQUIRED = tuple(GOOD)
TEXTS = [name for name, field in FIELDS.items() if field.kind == "text"]
NUMBERS = [name for name, field in FIELDS.items() if field.kind in ("integer", "number")]
INTEGERS = [name for name, field in FIELDS.items() if field.kind == "integer"]
OBJECTS = ["context", "properties"]
LONGEST = {
    "event_type": EVENT_TYPE_CHARS_MAX,
    "event_id": 256,
    "user_id": ID_CHARS_MAX,
    "content_id": ID_CHARS_MAX,
    "content_title": TITLE_CHARS_MAX,
}
EXTREMES = ["\U0010ffff" * 5, "\u202e", "\ufeff", "é" * 30, "\u0001", '"\\/', "😀" * 12]


def _body(*events: object) -> bytes:
    return msgspec.json.encode({"events": events})


def _event(**fields: object) -> dict[str, Any]:
    """A good event with other fields; ``...`` takes one away."""
    return {name: value for name, value in {**GOOD, **fields}.items() if value is not ...}


def _problems(**fields: object) -> list[tuple[str, str]]:
    """What the reply says of a bad event beside a good one, which is taken."""
    admission = admit(PATH, _body(_event(**fields), GOOD))
    assert (admission.event_count, admission.refused_count) == (1, 1)
    assert len(stored(PATH, _body(_event(**fields), GOOD))) == 1
    told = msgspec.json.decode(admission.reply.body)
    assert (told["accepted"], told["rejected"], told["queued"]) == (1, 1, True)
    assert {each["index"] for each in told["errors"]} == {0}
    return [(each["field"], each["message"]) for each in told["errors"]]


def _one(**fields: object) -> dict[str, Any]:
    """The values of an event that must be taken, both ways of reading it giving the same."""
    (event,) = stored(PATH, _body(_event(**fields)))
    slow = stored(PATH, _body(_event(**fields), {}))[0]
    assert values_of(event) == values_of(slow)
    return values_of(event)


def _properties(**fields: object) -> Any:
    text = _one(**fields)["properties"]
    return None if text is None else msgspec.json.decode(text)


# Fields.


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [..., None], ids=["missing", "null"])
def test_required_field_must_be_there(name: str, value: object) -> None:
    """Missing and null are the same."""
    assert _problems(**{name: value}) == [(name, "is required")]


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in REQUIRED])
def test_optional_field_may_be_missing_or_null(name: str) -> None:
    """A null of the vendor's fields is kept as it was sent."""
    assert _properties() is None
    expected = {name: None} if name in KEPT else None
    assert _properties(**{name: None}) == expected


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, ["a"]])
def test_text_of_another_type_is_refused(name: str, value: object) -> None:
    """No coercion."""
    assert _problems(**{name: value}) == [(name, "must be a string")]


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("value", [5, "a", True, [], [{}]])
def test_object_of_another_type_is_refused(name: str, value: object) -> None:
    """Properties and context are objects."""
    assert _problems(**{name: value}) == [(name, "must be an object")]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["5", "", True, False, [], {}])
def test_number_of_another_type_is_refused(name: str, value: object) -> None:
    """Texts of digits and booleans are no numbers."""
    article = "an integer" if name in INTEGERS else "a number"
    assert _problems(**{name: value}) == [(name, f"must be {article}")]


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("text", [b"1.5", b"1e3", b"-0.1"])
def test_fraction_is_no_integer(name: str, text: bytes) -> None:
    """Nor is a number with an exponent."""
    assert _problems(**{name: msgspec.Raw(text)}) == [(name, "must be an integer")]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", [b"0", b"-7", b"4500.0", b"1" + b"0" * 400])
def test_number_is_kept_as_it_was_written(name: str, text: bytes) -> None:
    """Negative, integral with a point, or of any size."""
    found = _one(**{name: msgspec.Raw(text)})["properties"]
    assert found == b'{"%s":%s}' % (name.encode(), text)


@pytest.mark.parametrize("text", [b"-199.50", b"1e999", b"0.1e-3"])
def test_revenue_is_kept_as_it_was_written(text: bytes) -> None:
    """A refund is negative, and nothing is rounded."""
    assert _one(revenue_inr=msgspec.Raw(text))["properties"] == b'{"revenue_inr":%s}' % text


@pytest.mark.parametrize("name", [*REQUIRED, "event_id"])
def test_text_that_may_not_be_empty(name: str) -> None:
    """The required ones, and an id that would make all events one."""
    message = "must be a valid ISO 8601 datetime" if name == "ts" else "must not be empty"
    assert _problems(**{name: ""}) == [(name, message)]


@pytest.mark.parametrize("name", ["user_id", "content_id", "content_title"])
def test_text_that_may_be_empty(name: str) -> None:
    """As clients send it before a user has logged in."""
    values = _one(**{name: ""})
    assert values["user_id"] == ("" if name == "user_id" else None)


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
def test_text_has_a_greatest_length(name: str, letter: str) -> None:
    """In characters, whatever their bytes: at the limit taken, one over it refused."""
    longest = LONGEST[name]
    _one(**{name: letter * longest})
    assert _problems(**{name: letter * (longest + 1)}) == [
        (name, f"must have at most {longest} characters")
    ]


@pytest.mark.parametrize(
    ("name", "choices"), [("content_type", CONTENT_TYPES), ("plan", PLANS)], ids=["type", "plan"]
)
def test_choice_is_one_of_the_list(name: str, choices: tuple[str, ...]) -> None:
    """Each of them, written exactly so."""
    for choice in choices:
        assert _properties(**{name: choice}) == {name: choice}
    for other in ("", choices[0].upper(), choices[0] + " ", "podcast"):
        assert _problems(**{name: other}) == [(name, f"must be one of: {', '.join(choices)}")]


@pytest.mark.parametrize("value", ["yesterday", "2026-02-30T00:00:00Z", "1777000000"])
def test_time_that_is_none_is_refused(value: str) -> None:
    """Texts of other forms, and days that do not exist."""
    assert _problems(ts=value) == [("ts", "must be a valid ISO 8601 datetime")]


@pytest.mark.parametrize("value", [1777000000, 1777000000.5, True, {}])
def test_time_of_another_type_is_refused(value: object) -> None:
    """Numbers are not guessed at."""
    assert _problems(ts=value) == [("ts", "must be a string")]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-04-23T18:30:12Z", datetime(2026, 4, 23, 18, 30, 12, tzinfo=UTC)),
        ("2026-04-23T18:30:12.456789+00:00", datetime(2026, 4, 23, 18, 30, 12, 456789, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_time_is_read(text: str, time: datetime) -> None:
    """The forms that the vendor's examples send, and a day alone: its start in UTC."""
    assert _one(ts=text)["ts"] == time


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in ("content_type", "plan")])
@pytest.mark.parametrize("text", EXTREMES)
def test_unicode_comes_out_as_it_went_in(name: str, text: str) -> None:
    """Characters of every plane, and those that JSON escapes."""
    values = _one(**{name: text})
    target = FIELDS[name].target
    kept = values[target] if target else msgspec.json.decode(values["properties"])[name]
    assert kept == text


def test_all_problems_of_all_events_are_told() -> None:
    """By index, field by field; nothing is stored."""
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, _body({}, _event(season="1", plan="x", context=[])))
    assert caught.value.context["refused_count"] == 2
    told = [(each["index"], each["field"]) for each in caught.value.details or []]
    second = ("context", "season", "plan")
    assert told == [(0, name) for name in FIELDS if name in REQUIRED] + [(1, n) for n in second]


# What becomes of an event.


def test_fields_of_the_vendor_go_into_properties() -> None:
    """Under their own names, behind the properties of the client."""
    found = _one(properties={"a": 1}, content_id="c", position_sec=0, buffer_count=2)
    assert found["properties"] == b'{"a":1,"content_id":"c","position_sec":0,"buffer_count":2}'
    assert (found["event"], found["anonymous_id"], found["session_id"]) == ("play_start", "a", "s")


def test_unknown_fields_are_kept_with_them() -> None:
    """Known ones first, in the order of the reference, however they were sent."""
    found = _one(device_id="d", buffer_count=2, content_id="c", properties={})
    assert found["properties"] == b'{"content_id":"c","buffer_count":2,"device_id":"d"}'


def test_field_keeps_its_name_when_a_property_has_it_too() -> None:
    """The sent properties then stand under ``properties``."""
    found = _properties(plan="svod", properties={"plan": "gold", "n": 1})
    assert found == {"plan": "svod", "properties": {"plan": "gold", "n": 1}}


def test_sent_at_is_understood_where_it_fits() -> None:
    """The vendor does not know it: what is no time is an unknown field."""
    assert _one(sent_at="2026-04-23T18:30:12Z")["sent_at"] is not None
    assert _properties(sent_at=5) == {"sent_at": 5}


def test_refused_events_leave_the_others_in_order() -> None:
    """Wherever they stand in the batch."""
    events = [_event(user_id=str(n)) if n % 3 else {"n": n} for n in range(12)]
    found = [event.user_id for event in stored(PATH, _body(*events))]
    assert found == [str(n) for n in range(12) if n % 3]


# Bodies.


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b'{"events":[{]}', "not valid JSON"),
        (b"{}", "array of events"),
        (b"[]", "array of events"),
        (b'{"events":null}', "array of events"),
        (b'{"events":{}}', "array of events"),
        (b'{"events":[]}', "at least one event"),
        (b'{"events":[1,"a",null,[]]}', "No event"),
        (b'{"events":[' + b"[" * 5000 + b"]" * 5000 + b"]}", "nested too deeply"),
    ],
)
def test_body_that_is_no_batch_is_refused(body: bytes, message: str) -> None:
    """400 with words that say why."""
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, body)
    details = " ".join(str(each["message"]) for each in caught.value.details or [])
    assert message in f"{caught.value} {details}"


@pytest.mark.parametrize("more", [{}, {"x": 1}, {"ts": "2026-01-02"}], ids=str)
def test_five_hundred_events_are_taken_and_one_more_is_not(more: dict[str, object]) -> None:
    """Quick, with unknown fields, and one by one."""
    events = [GOOD] * (EVENTS_MAX - 1) + [_event(**more)]
    assert len(stored(PATH, _body(*events))) == EVENTS_MAX
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, _body(*events, GOOD))
    assert caught.value.code == "batch_too_large"
    assert caught.value.context["refused_count"] == EVENTS_MAX + 1


def test_event_over_a_limit_is_refused_alone() -> None:
    """Too large, too deep, or with too many fields: the others are taken."""
    limits = Limits(2000, 64, 1 << 20)
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    many = {f"f{n}": n for n in range(500)}
    for bad in (_event(x="x" * 2000), _event(x=deep), _event(**many)):
        fitting = LIMITS if len(bad) > 100 else limits
        admission = admit(PATH, _body(GOOD, bad, GOOD), fitting)
        assert (admission.event_count, admission.refused_count) == (2, 1)
        assert len(stored(PATH, _body(GOOD, bad, GOOD), fitting)) == 2


def test_large_batch_of_small_events_is_taken() -> None:
    """The limit of an event is not that of a request."""
    limits = Limits(300, 64, 1 << 20)
    for more in ({}, {"x": 1}):
        assert len(stored(PATH, _body(*[_event(**more)] * 20), limits)) == 20


VALUES: dict[str, st.SearchStrategy[object]] = {
    "text": st.sampled_from(["a", "é\u202e", "\U0010ffff", '"\\/\u0001', "x" * 48]),
    "integer": st.integers(),
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "time": st.sampled_from(
        ["2026-04-23T18:30:12.456Z", "0001-01-01T00:00Z", "2026-04-23 18:30+05:30"]
    ),
    "object": st.sampled_from([{}, {"a": 1}, {"plan": [None], "x": {}}, {"season": 1.5}]),
}
DRAWN = {
    name: st.sampled_from(field.choices) if field.choices else VALUES[field.kind]
    for name, field in FIELDS.items()
}
good_events = st.fixed_dictionaries(
    {name: DRAWN[name] for name in REQUIRED},
    optional={
        **{name: values for name, values in DRAWN.items() if name not in REQUIRED},
        "x": VALUES["object"],
        "y": VALUES["number"],
    },
)
"""Events that must be taken, with any of the optional fields and some unknown ones."""


@given(st.lists(good_events, min_size=1, max_size=3), st.booleans())
@settings(max_examples=200)
def test_what_is_taken_comes_out_with_the_same_values(
    events: list[dict[str, Any]], beside_bad: bool
) -> None:
    """Every field, whether the batch is read at once or event by event."""
    found = stored(PATH, _body(*events, *[{}] * beside_bad))
    for sent, event in zip(events, found, strict=True):
        for name, field in FIELDS.items():
            if field.kind == "text" and field.target:
                assert getattr(event, field.target) == sent.get(name)
        assert event.ts == datetime.fromisoformat(sent["ts"])
        own = sent.get("properties", {})
        further = {n: v for n, v in sent.items() if n not in FIELDS or n in KEPT}
        taken = bool(own.keys() & further.keys())
        expected = {**further, "properties": own} if taken else {**own, **further}
        assert msgspec.json.decode(bytes(event.properties) or b"{}") == expected


# Refusals.


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff", ""),
        (b"[]", "events"),
        (_body(), "events"),
        (_body(*[GOOD] * (EVENTS_MAX + 1)), ""),
    ],
    ids=["empty", "broken", "no text", "array", "none", "too many"],
)
def test_refusal_of_a_body_has_details(body: bytes, field: str) -> None:
    """With the index null: no single event is to blame."""
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, body)
    reply = render_refusal(caught.value)
    told = msgspec.json.decode(reply.body)
    assert (reply.status, set(told)) == (400, {"error", "message", "details"})
    (detail,) = told["details"]
    assert (detail["index"], detail["field"]) == (None, field)
    assert detail["message"]


def test_every_refusal_has_the_same_shape() -> None:
    """Where nothing is told of the body, the details are empty."""
    told = msgspec.json.decode(render_refusal(Unavailable("Not now.")).body)
    assert told == {"error": "unavailable", "message": "Not now.", "details": []}


# The beacon.


@pytest.mark.parametrize(
    ("target", "body", "found"),
    [
        (b"/b?data=%7B%7D", b"", b"{}"),
        (b"/b?data=%7B%7D", b'{"a":1}', b'{"a":1}'),
        (b"/b?api_key=k&data=%22%C3%A9%2B+%22", b"", '"é+ "'.encode()),
        (b"/b", b"data=%7B%22a%22%3A1%7D", b'{"a":1}'),
        (b"/b?data=7", b"v=1&data=%7B%22a%22%3A1%7D&w=2", b'{"a":1}'),
        (b"/b", b'{"a":"&data=1"}', b'{"a":"&data=1"}'),
        (b"/b", b"\x1f\x8b&data", b"\x1f\x8b&data"),
        (b"/b?data=%FF", b"", b"\xff"),  # which the dialect then refuses
    ],
)
def test_beacon_is_read_from_its_body_or_url(target: bytes, body: bytes, found: bytes) -> None:
    """The body first; form fields are told by their name."""
    assert read_beacon(target, body) == found


def _form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--x-1\r\n%s\r\n" % part for part in parts) + b"--x-1" + end


DISPOSITION = b"Content-Disposition: form-data; name="


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (_form(DISPOSITION + b'"data"\r\n\r\n{}'), b"{}"),
        (_form(DISPOSITION + b'"data"\r\n\r\n{}', end=b"--"), b"{}"),
        (_form(DISPOSITION + b'"a"\r\n\r\n1', DISPOSITION + b'"data"\r\n\r\n2'), b"2"),
        (_form(DISPOSITION + b'"data"\r\n\r\n1', DISPOSITION + b'"data"\r\n\r\n2'), b"1"),
        (
            _form(
                DISPOSITION + b'"data"; filename="blob"\r\nContent-Type: application/json\r\n\r\n{}'
            ),
            b"{}",
        ),
        (_form(b"content-type: a/b\r\ncontent-disposition:form-data;name=data\r\n\r\n{}"), b"{}"),
        (
            _form(DISPOSITION + b'"data"\r\n\r\n{\r\n\r\n--x "\xff"}\r\n'),
            b'{\r\n\r\n--x "\xff"}\r\n',
        ),
        (_form(DISPOSITION + b'"data"\r\n\r\n'), b""),
    ],
)
def test_beacon_is_read_from_a_multipart_form(body: bytes, found: bytes) -> None:
    """What sendBeacon makes of FormData, of a text and of a Blob; its bytes are kept."""
    assert read_beacon(b"/b?data=7", body) == found


@pytest.mark.parametrize(
    "body",
    [
        _form(),
        _form(DISPOSITION + b'"other"\r\n\r\n{}'),
        _form(DISPOSITION + b'"data2"\r\n\r\n{}'),
        _form(DISPOSITION + b'"x"\r\n\r\n' + DISPOSITION + b'"data"'),
        _form(DISPOSITION + b'"data"\r\n{}'),
        _form(DISPOSITION + b'"data"\r\n\r\n{}', end=b"\r\n"),
        _form(DISPOSITION + b'"data"\r\n\r\n{}')[:-6],
        _form(*[DISPOSITION + b'"a"\r\n\r\n1'] * FIELDS_MAX, DISPOSITION + b'"data"\r\n\r\n{}'),
    ],
)
def test_multipart_form_without_data_is_refused(body: bytes) -> None:
    """No such field, broken off, not as browsers write it, or too many fields."""
    with pytest.raises(InvalidInput, match="multipart form"):
        read_beacon(b"/b?data=7", body)


@pytest.mark.parametrize(
    "body",
    [
        b"data=" + b"%41" * (FORM_BYTES_MAX // 3),
        b"data=1" + b"&a=1" * (FORM_BYTES_MAX // 4),
        b"a=1&data=" + b"1" * FORM_BYTES_MAX,
        _form(DISPOSITION + b'"data"\r\n\r\n' + b" " * FORM_BYTES_MAX),
    ],
)
def test_form_is_no_larger_than_a_browser_sends(body: bytes) -> None:
    """Taking it apart takes turns from other connections; JSON may be as large as any body."""
    with pytest.raises(BodyTooLarge):
        read_beacon(b"/b", body)
    json_text = b'{"events":["%s"]}' % body
    assert read_beacon(b"/b", json_text) == json_text


def test_form_has_few_fields() -> None:
    """The same for a small one."""
    with pytest.raises(InvalidInput, match="fields"):
        read_beacon(b"/b", b"data=1" + b"&a=1" * FIELDS_MAX)


@pytest.mark.parametrize("target", [b"/b", b"/b?data=", b"/b?api_key=k"])
def test_beacon_without_events_is_refused(target: bytes) -> None:
    """Neither a body nor the parameter."""
    with pytest.raises(InvalidInput):
        read_beacon(target, b"")


def test_refused_beacon_says_so_with_200() -> None:
    """Nothing accepted, as many rejected as are known of, and why."""
    reply = render_beacon_error(Unavailable("Not now.", refused_count=3))
    assert reply.status == 200
    assert msgspec.json.decode(reply.body) == {
        "accepted": 0,
        "rejected": 3,
        "queued": False,
        "error": "unavailable",
        "message": "Not now.",
    }


def test_both_routes_take_the_same() -> None:
    """The beacon differs in how it is sent, not in what is taken."""
    body = _body(GOOD, {})
    assert admit(PATH, body) == admit("/v1/ingest/beacon", body, LIMITS)
