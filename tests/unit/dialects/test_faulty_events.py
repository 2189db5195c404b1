"""Events whose text may not be stored: refused alone where mixed batches are taken."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import admit, stored, values_of
from weir.dialects.hygiene import MENDED_MAX, find_fault, is_sound
from weir.errors import InvalidInput

TAPE = b'"event_type":"a","ts":"2026-01-02","anonymous_id":"n","session_id":"s"'
NATIVE = b'"event":"a"'
NATIVE_FORMS = {"array": b"[%s]", "envelope": b'{"v":1,"events":[%s],"context":{"c":"\\\\ud800"}}'}
FORMS = [
    ("/v1/events", NATIVE_FORMS["array"], b","),
    ("/v1/events", NATIVE_FORMS["envelope"], b" ,\n"),
    ("/v1/events", b"%s\n", b"\r\n"),
    ("/v1/ingest/events", b'{"events":[%s]}', b","),
    ("/v1/ingest/beacon", b'{"events":[%s]}', b" , "),
]
VALUES = {
    "NUL": rb'"\u0000"',
    "high surrogate": rb'"x\ud800"',
    "low surrogate": rb'"\uDFFFx"',
    "two high ones": rb'"\ud83c\ud83c\udf89"',
    "behind a backslash": rb'"\\\ud800"',
    "deep inside": rb'[{"a":[{"b":"\u0000"}]}]',
    "in a name": rb'{"\ud800":1}',
}


def _event(path: str, value: bytes = b"1") -> bytes:
    needed = NATIVE if path == "/v1/events" else TAPE
    return b'{%s,"properties":{"v":%s}}' % (needed, value)


def _told(path: str, body: bytes) -> list[dict[str, Any]]:
    """What the answer says of the events that were refused."""
    reply = msgspec.json.decode(admit(path, body).reply.body)
    found: list[dict[str, Any]] = reply["results" if path == "/v1/events" else "errors"]
    return found


@pytest.mark.parametrize(("path", "form", "between"), FORMS)
@pytest.mark.parametrize("value", VALUES)
def test_one_faulty_event_of_fifty_is_refused_alone(
    path: str, form: bytes, between: bytes, value: str
) -> None:
    """Told by index, field and byte; the others come out of the frame as they were sent."""
    events = [_event(path, b'"\\ud83c\\udf89 \\\\u0000 %d"' % n) for n in range(50)]
    events[17] = _event(path, VALUES[value])
    body = form % between.join(events)
    admission = admit(path, body)
    assert (admission.event_count, admission.refused_count) == (49, 1)
    (told,) = _told(path, body)
    assert (told["index"], told["field"]) == (17, "properties.v")
    at = events[17].index(rb"\ud83c" if value == "two high ones" else VALUES[value][1:3])
    if value not in ("high surrogate", "behind a backslash", "deep inside", "in a name"):
        assert f"(byte {at} of it)" in told["message"]
    if path == "/v1/events":
        assert told["code"] == "invalid_json"
    found = [bytes(event.properties) for event in stored(path, body)]
    assert found == [_properties(event) for n, event in enumerate(events) if n != 17]


def _properties(event: bytes) -> bytes:
    return event[event.index(b'"properties":') + len(b'"properties":') : -1]


@pytest.mark.parametrize(("path", "form", "between"), FORMS)
def test_faulty_name_of_a_field_is_refused_alone(path: str, form: bytes, between: bytes) -> None:
    """The decoder would not take such a body apart at all."""
    bad = _event(path)[:-1] + rb',"\udc00":1}'
    body = form % between.join([_event(path), bad, _event(path)])
    assert [each["index"] for each in _told(path, body)] == [1]
    assert len(stored(path, body)) == 2


@pytest.mark.parametrize(("path", "form", "between"), FORMS)
def test_faulty_and_wrong_events_are_told_together(path: str, form: bytes, between: bytes) -> None:
    """Each with what is wrong with it; what is not known cannot be wrong besides."""
    deep = _event(path, b"[" * 63 + b"]" * 63)
    events = [b"{}", _event(path), _event(path, rb'"\u0000"'), deep, rb'{"x":"\ud800"}']
    told = _told(path, form % between.join(events))
    assert {each["index"] for each in told} == {0, 2, 3, 4}
    assert sum(each["index"] == 4 for each in told) == 1


def test_single_faulty_event_is_refused_with_its_field() -> None:
    """As one of many is: 400 with the same body."""
    admission = admit("/v1/events", rb'{"event":"\ud800"}')
    assert (admission.event_count, admission.refused_count, admission.reply.status) == (0, 1, 400)
    told = msgspec.json.decode(admission.reply.body)
    assert told["results"] == [
        {
            "index": 0,
            "status": "rejected",
            "code": "invalid_json",
            "field": "event",
            "message": "holds a NUL escape or a lone surrogate (byte 10 of it)",
        }
    ]


def test_tapemetric_batch_of_faulty_events_alone_is_refused() -> None:
    """400 with every one of them."""
    bad = _event("/v1/ingest/events", rb'"\u0000"')
    with pytest.raises(InvalidInput) as caught:
        admit("/v1/ingest/events", b'{"events":[%s,%s]}' % (bad, bad))
    assert [each["index"] for each in caught.value.details or []] == [0, 1]


# NDJSON.


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"\xff"}',
        b'{"\xff":1,"event":"b"}',
        b'{"event":"b"',
        b'{"event":"\\ud8"}',
        b"7",
        b"\x00",
        b'"\\ud800"',
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_bad_line_is_one_refused_item(line: bytes, place: int) -> None:
    """Whatever is wrong with it, and wherever it stands."""
    lines = [b'{"event":"a"}', '{"event":"é"}'.encode()]
    lines.insert(place, line)
    body = b"\n".join(lines)
    assert [each["index"] for each in _told("/v1/events", body)] == [place]
    assert [event.event for event in stored("/v1/events", body)] == ["a", "é"]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"event":"a"},{"event":"\xff"}]',
        b'{"events":[{"event":"a"}],"context":{"a":"\xff"}}',
        b'{"event":"\xff"}',
        b'\xff\n{"event":',
        b'{"event":"a"}\xff',
    ],
)
def test_encoding_of_what_is_no_line_is_the_bodys(body: bytes) -> None:
    """Nothing of it is taken, and the byte is that of the body."""
    with pytest.raises(InvalidInput, match=rf"not valid UTF-8 \(byte {body.index(0xFF)}\)"):
        admit("/v1/events", body)


# Around the events.


@pytest.mark.parametrize("path", ["/v1/events", "/v1/ingest/events"])
@pytest.mark.parametrize(
    "member", [rb'"context":{"a":"\ud800"}', rb'"x":"\u0000"', rb'"\u0000":1', rb'"\udc00":1']
)
def test_fault_beside_the_events_is_the_bodys(path: str, member: bytes) -> None:
    """It belongs to no event, and would be under all of them."""
    with pytest.raises(InvalidInput, match="NUL escape"):
        admit(path, b'{"events":[%s],%s}' % (_event(path), member))


@pytest.mark.parametrize("path", ["/v1/events", "/v1/ingest/events"])
def test_more_surrogates_than_an_event_holds_are_refused_whole(path: str) -> None:
    """The work on a body is bounded."""
    body = b'{"events":[%s,%s]}' % (_event(path), rb'{"a":"%s"}' % (rb"\ud800" * (MENDED_MAX + 1)))
    with pytest.raises(InvalidInput, match="lone surrogate"):
        admit(path, body)


# Agreement.

PIECES = [
    rb"\\",
    rb"\"",
    rb"\n",
    rb"\u0000",
    rb"\ud800",
    rb"\uDBFF",
    rb"\udc00",
    rb"\u00e9",
    b"u0000",
]


@given(
    st.sampled_from(FORMS),
    st.lists(st.lists(st.sampled_from(PIECES), max_size=4), min_size=2, max_size=5),
)
@settings(max_examples=400)
def test_an_event_is_taken_exactly_when_its_text_is_sound(
    form: tuple[str, bytes, bytes], literals: list[list[bytes]]
) -> None:
    """Beside others it is judged, and stored, as it is alone."""
    path, around, between = form
    events = [_event(path, b'"%s"' % b"".join(pieces)) for pieces in literals]
    body = around % between.join(events)
    good = [event for event in events if is_sound(event)]
    if not good and path != "/v1/events":
        with pytest.raises(InvalidInput):
            admit(path, body)
        return
    found = stored(path, body)
    assert [bytes(event.properties) for event in found] == [_properties(event) for event in good]
    assert all(
        find_fault(msgspec.json.encode(values_of(event)["event"])) is None for event in found
    )
