"""The EdgeMQ data plane: records of any bytes, their columns, and what survives of the rest."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import LIMITS, route_of
from weir.dialects.edgemq.events import DEPTH_MAX, ENDPOINT_PATH, LINES_MAX, RAW_EVENT, RECORDS_MAX
from weir.dialects.hygiene import check_text
from weir.dialects.port import Admission, AdmissionLimits, BodyTooLarge, Submission
from weir.domain.event import Event
from weir.domain.frame import Frame, Place, decode_meta
from weir.errors import InvalidInput

ROUTE = route_of(ENDPOINT_PATH)
NDJSON = b"application/x-ndjson"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def _admit(
    body: bytes, content_type: bytes | None = None, limits: AdmissionLimits = LIMITS
) -> Admission:
    return ROUTE.admit(Submission(body, limits, "abcd", 7, content_type))


def _stored(body: bytes, content_type: bytes | None = None) -> list[Event]:
    admission = _admit(body, content_type)
    frame = Frame(
        journal_id="00", position=0, next_position=8, offset=0, received_at_us=1,
        place=Place(1, 1, 1, 1), dialect=ROUTE.dialect.code, dialect_version=1,
        event_count=admission.event_count, refused_count=0, flags=0, meta=admission.meta, body=body,
    )  # fmt: skip
    events = list(ROUTE.dialect.decode([frame]))
    assert len(events) == admission.event_count
    return events


def _payload(event: Event) -> bytes:
    """The bytes of an event that was no object."""
    assert event.event == RAW_EVENT
    value = msgspec.json.decode(event.properties)
    [(name, text)] = value.items()
    check_text(bytes(event.properties))
    return base64.b64decode(text) if name == "payload_base64" else text.encode()


def test_reply_counts_records_and_bytes() -> None:
    """One a body, or one a line that holds something."""
    lines = b'{"a":1}\r\n\n  \n[2]\nno json'
    for content_type, count in ((NDJSON, 3), (b"application/json", 1), (None, 1)):
        admission = _admit(lines, content_type)
        assert (admission.event_count, admission.reply.status) == (count, 202)
        told = msgspec.json.decode(admission.reply.body)
        assert told == {"accepted": count, "bytes": len(lines)}


def test_content_type_is_kept_with_the_frame() -> None:
    """As it was sent, within bounds; decoding goes by it."""
    assert decode_meta(_admit(b"x", b"text/csv; a=\xe9").meta).content_type == "text/csv; a=é"
    assert _admit(b"x").meta == b""
    long = decode_meta(_admit(b"x", b"text/" + b"x" * 5000).meta).content_type
    assert long is not None
    assert len(long) == 200


@pytest.mark.parametrize(("body", "kind"), [(b"", None), (b"", NDJSON), (b"\n \r\n", NDJSON)])
def test_nothing_is_refused(body: bytes, kind: bytes | None) -> None:
    """A body without a record."""
    with pytest.raises(InvalidInput):
        _admit(body, kind)


def test_records_are_bounded() -> None:
    """In size each, in number together, and so are the lines around them."""
    limits = AdmissionLimits(10, 64, 1 << 20)
    assert _admit(b"x" * 10, None, limits).event_count == 1
    assert _admit(b"x" * 10 + b"\n" + b"y" * 10, NDJSON, limits).event_count == 2
    with pytest.raises(BodyTooLarge):
        _admit(b"x" * 11, None, limits)
    with pytest.raises(BodyTooLarge) as caught:
        _admit(b"x" * 10 + b"\n" + b"y" * 11, NDJSON, limits)
    assert caught.value.details == [{"index": 1, "field": "", "message": "is too large"}]
    assert caught.value.context["refused_count"] == 2
    assert _admit(b"1\n" * RECORDS_MAX, NDJSON).event_count == RECORDS_MAX
    for body, told in (
        (b"1\n" * (RECORDS_MAX + 1), f"at most {RECORDS_MAX} records"),
        (b"1" + b"\n" * LINES_MAX, f"at most {LINES_MAX} lines"),
    ):
        with pytest.raises(InvalidInput, match=told):
            _admit(body, NDJSON)


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["event", "event_type", "event_name", "type"], "event"),
        (["user_id", "userId", "distinct_id", "distinctId"], "user_id"),
        (["timestamp", "ts", "event_time", "time"], "ts"),
    ],
)
@pytest.mark.parametrize("wrong", [..., None, "", 7, {}, [], True], ids=repr)
def test_column_is_of_the_first_member_that_fits(
    names: list[str], column: str, wrong: object
) -> None:
    """In the order of the reference; missing, null, empty and other types are passed over."""
    text = "2026-01-02T12:00:00Z" if column == "ts" else "v"
    for at, name in enumerate(names):
        value = dict.fromkeys(names[:at], wrong) if wrong is not ... else {}
        rest = dict.fromkeys(names[at + 1 :], "2020-01-01" if column == "ts" else "other")
        (event,) = _stored(msgspec.json.encode({**rest, name: text, **value}))
        assert getattr(event, column) == (NOON if column == "ts" else "v")
    (event,) = _stored(msgspec.json.encode(dict.fromkeys(names, wrong if wrong is not ... else 1)))
    assert getattr(event, column) == (RAW_EVENT if column == "event" else None)


def test_time_that_is_none_is_passed_over() -> None:
    """For the next name that holds one."""
    (event,) = _stored(b'{"timestamp":"soon","time":"2026-01-02T12:00:00Z"}')
    assert event.ts == NOON


@pytest.mark.parametrize(
    ("text", "kept"),
    [('"i"', "i"), ('"%s"' % ("x" * 256), "x" * 256), ('"%s"' % ("x" * 257), None), ('""', None),
     ("5", None), ("null", None), ("{}", None), ('"\U0010ffff"', "\U0010ffff")],
)  # fmt: skip
def test_event_id_of_an_object_is_taken_where_it_is_one(text: str, kept: str | None) -> None:
    """A non-empty text of at most 256 characters; any other is a member like the rest."""
    (event,) = _stored(b'{"event_id":%s}' % text.encode())
    assert event.event_id == kept


def test_object_stands_whole_in_properties() -> None:
    """Members that became columns too, and byte for byte but for the space around it."""
    text = b'{ "event" : "a", "n": 1e999, "x":1, "x":2 }'
    (event,) = _stored(b"\n " + text + b"\r\n")
    assert (event.event, bytes(event.properties)) == ("a", text)


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"1", b'"a"', b"null", b"{", b"{}x", b"{]", b"\xef\xbb\xbf{}", b"\xff", b"{\xff}",
        b'{"a":NaN}', b'{"event":5,', b'{"event":5}{}', b'{"a":"\\u0000"}', b'{"a":"\\ud800"}',
        b'{"a":"\\ud83c\\udf89"', b"\0",
        b"a\0b", b'{"a":"\0"}', b" ", b"\x1f", "é\U0010ffff\u2028".encode(), b"\\", b'"',
        b'{"d":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}",
        b'{"d":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_object_survives_as_it_is(body: bytes) -> None:
    """As text, or in base64 where it is none; the engine is never handed what it cannot read."""
    (event,) = _stored(body)
    assert _payload(event) == body


@given(st.binary(min_size=1, max_size=40) | st.text(min_size=1).map(lambda text: text.encode()))
@settings(max_examples=300)
def test_any_bytes_survive(body: bytes) -> None:
    """Whatever they are."""
    (event,) = _stored(body)
    if event.properties and not bytes(event.properties).startswith(b'{"payload'):
        assert bytes(event.properties) == body.strip()
    else:
        assert _payload(event) == body


OBJECTS = st.dictionaries(
    st.sampled_from(["event", "type", "ts", "userId", "event_id", "é", "n"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    | st.integers()
    | st.none()
    | st.lists(st.booleans()),
)


@given(st.lists(OBJECTS, min_size=1, max_size=5))
@settings(max_examples=200)
def test_objects_come_out_with_the_same_values(sent: list[dict[str, object]]) -> None:
    """A line each, in order."""
    body = b"\n".join(msgspec.json.encode(each) for each in sent)
    found = _stored(body, NDJSON)
    assert [msgspec.json.decode(event.properties) for event in found] == sent


def test_lines_are_records_of_their_own() -> None:
    """A bad one changes nothing about the others, and keeps its carriage return."""
    found = _stored(b'{"event":"a"}\r\n\xff\r\n\n{"event":\n{"event":"b"}', NDJSON)
    assert [event.event for event in found] == ["a", RAW_EVENT, RAW_EVENT, "b"]
    assert [_payload(event) for event in found[1:3]] == [b"\xff\r", b'{"event":']
