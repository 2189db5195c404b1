"""The Tapemetric dialect: every field, mixed batches, and what comes out of what was taken."""

from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, stored, values_of
from weir.dialects.port import AdmissionLimits, BodyTooLarge
from weir.dialects.tapemetric.beacon import (
    FIELDS_MAX,
    FORM_BYTES_MAX,
    read_beacon,
    render_beacon_error,
)
from weir.dialects.tapemetric.events import EVENTS_MAX, render_refusal
from weir.dialects.tapemetric.fields import (
    FIELDS,
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


def test_event_over_a_limit_is_refused_alone() -> None:
    """Too large, too deep, or with too many fields: the others are taken."""
    limits = AdmissionLimits(2000, 64, 1 << 20)
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    many = {f"f{n}": n for n in range(500)}
    for bad in (_event(x="x" * 2000), _event(x=deep), _event(**many)):
        fitting = LIMITS if len(bad) > 100 else limits
        admission = admit(PATH, _body(GOOD, bad, GOOD), fitting)
        assert (admission.event_count, admission.refused_count) == (2, 1)
        assert len(stored(PATH, _body(GOOD, bad, GOOD), fitting)) == 2


"""Events that must be taken, with any of the optional fields and some unknown ones."""


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
