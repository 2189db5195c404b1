"""The native dialect: shapes of a body, partial acceptance, counts, what events share."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, stored
from weir.dialects.decoding import SHARED_MEMBERS_MAX
from weir.dialects.native.events import LINES_MAX
from weir.dialects.port import Admission, AdmissionLimits, BodyTooLarge
from weir.domain.frame import decode_meta
from weir.errors import InvalidInput

PATH = "/v1/events"
EVENT = b'{"event":"a"}'


def _reply(admission: Admission) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(admission.reply.body)
    return told


def _refusal(body: bytes, limits: AdmissionLimits = LIMITS) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        admit(PATH, body, limits)
    return caught.value


SHAPES = {
    "single": EVENT,
    "array": b"[%s]" % EVENT,
    "envelope": b'{"events":[%s]}' % EVENT,
    "lines": EVENT + b"\n" + EVENT,
    "single with spaces": b"\r\n " + EVENT + b" \n",
    "array with spaces": b"\n [ %s ] " % EVENT,
    "envelope with more": b'{"v":[1],"events":[%s],"context":null,"sent_at":null}' % EVENT,
    "lines with carriage returns": EVENT + b"\r\n" + EVENT + b"\r\n",
    "lines with gaps": b"\n" + EVENT + b"\n \n\n" + EVENT + b"\n\n",
    "event that has events": b'{"event":"a","events":[1]}',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_taken(shape: str) -> None:
    """One event, an array, an envelope, NDJSON; spaces do not matter."""
    admission = admit(PATH, SHAPES[shape])
    count = 2 if shape.startswith("lines") else 1
    assert (admission.event_count, admission.refused_count) == (count, 0)
    assert admission.meta == b""
    assert admission.reply.status == 202
    assert _reply(admission) == {
        "accepted": count,
        "rejected": 0,
        "batch_id": "b_abcd00000007",
        "results": [],
    }
    assert [event.event for event in stored(PATH, SHAPES[shape])] == ["a"] * count


def test_event_with_a_field_events_keeps_it() -> None:
    """It is an event because it has a name."""
    (event,) = stored(PATH, SHAPES["event that has events"])
    assert bytes(event.properties) == b'{"events":[1]}'


MIXED = [EVENT, b'{"event":""}', b'{"event":"b"}', b"5", b'{"event":"c","user_id":1,"ts":"no"}']
TOLD = [
    (1, "validation.length", "event"),
    (3, "validation.type", ""),
    (4, "validation.type", "user_id"),
    (4, "validation.format", "ts"),
]


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join(MIXED) + b"]",
        b'{"events":[' + b",".join(MIXED) + b"]}",
        b"\n".join(MIXED),
    ],
    ids=["array", "envelope", "lines"],
)
def test_valid_events_of_a_mixed_body_are_taken(body: bytes) -> None:
    """The reply lists exactly the others, with every problem of each."""
    admission = admit(PATH, body)
    told = _reply(admission)
    assert (admission.reply.status, told["accepted"], told["rejected"]) == (202, 2, 3)
    assert [(r["index"], r["code"], r["field"]) for r in told["results"]] == TOLD
    assert all(result["status"] == "rejected" for result in told["results"])
    assert decode_meta(admission.meta).refused == (1, 3, 4)
    assert [event.event for event in stored(PATH, body)] == ["a", "b"]


def test_bad_lines_do_not_spoil_good_ones() -> None:
    """Whatever a line of NDJSON is, it stands for itself."""
    lines = [b"{", EVENT, b"[1]", b"NaN", b'"a"', b'{"event":"b"', EVENT + EVENT, b'{"event":"b"}']
    admission = admit(PATH, b"\n".join(lines))
    assert (admission.event_count, admission.refused_count) == (2, 6)
    codes = [result["code"] for result in _reply(admission)["results"]]
    assert codes == ["invalid_json", *["validation.type"], "invalid_json", "validation.type",
                     "invalid_json", "invalid_json"]  # fmt: skip


def test_deep_line_does_not_spoil_good_ones() -> None:
    """However deep: at the limit, above it, beyond what any parser can hold."""
    for levels in (63, 900, 990, 995, 1000, 100_000):
        deep = b'{"event":"b","x":1,"properties":{"c":' + b"[" * levels + b"]" * levels + b"}}"
        admission = admit(PATH, EVENT + b"\n" + deep)
        assert (admission.event_count, admission.refused_count) == (1, 1)


def test_one_bad_line_alone_is_not_ndjson() -> None:
    """Broken JSON is told as such, not as lines of nothing."""
    for body in (b"{", b'{"event":\n"a"', b"{\n}}", b"a\nb\nc"):
        assert "not valid JSON" in _refusal(body).message


@pytest.mark.parametrize("body", [b"[]", b'{"events":[]}', b" [ ] "])
def test_no_events_is_an_error(body: bytes) -> None:
    """An empty batch is most likely a mistake."""
    error = _refusal(body)
    assert error.details == [
        {
            "field": "events",
            "code": "validation.required",
            "message": "must hold at least one event",
        }
    ]


@pytest.mark.parametrize(
    ("members", "field", "code"),
    [
        (b'"events":null', "events", "validation.type"),
        (b'"events":{}', "events", "validation.type"),
        (b'"events":"a"', "events", "validation.type"),
        (b'"events":[{"event":"a"}],"context":[]', "context", "validation.type"),
        (b'"events":[{"event":"a"}],"context":"a"', "context", "validation.type"),
        (b'"events":[{"event":"a"}],"sent_at":{}', "sent_at", "validation.format"),
        (b'"events":[{"event":"a"}],"sent_at":"soon"', "sent_at", "validation.format"),
    ],
)
def test_bad_envelope_is_refused_whole(members: bytes, field: str, code: str) -> None:
    """What all events share must be right before any is taken."""
    error = _refusal(b"{" + members + b"}")
    assert [(d["field"], d["code"]) for d in error.details or []] == [(field, code)]


def test_shared_context_lies_under_each_own() -> None:
    """The event's names win; an absent or null context takes the shared one as it was sent."""
    body = b"""{"context": {"a":1, "b" : {"c":1e999}}, "sent_at":"2026-01-02T03:04:05Z", "events":[
        {"event":"a"}, {"event":"b","context":null}, {"event":"c","context":{}},
        {"event":"d","context":{"a": 2.0 ,"z":[]},"sent_at":"2026-01-01T00:00:00Z"}]}"""
    events = stored(PATH, body)
    assert [bytes(event.context) for event in events] == [
        b'{"a":1, "b" : {"c":1e999}}',
        b'{"a":1, "b" : {"c":1e999}}',
        b'{"a":1, "b" : {"c":1e999}}',
        b'{"a": 2.0 ,"z":[],"b":{"c":1e999}}',
    ]
    shared = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [event.sent_at for event in events] == [shared] * 3 + [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("repeated", [False, True])
def test_members_of_a_shared_context_are_bounded(*, repeated: bool) -> None:
    """Repeated names count too; one more than the limit is refused."""

    def body(count: int) -> bytes:
        names = (b"a" if repeated else b"a%d" % n for n in range(count))
        context = b",".join(b'"%s":{"b":1}' % name for name in names)
        return b'{"events":[%s],"context":{%s}}' % (EVENT, context)

    assert admit(PATH, body(SHARED_MEMBERS_MAX)).event_count == 1
    with pytest.raises(InvalidInput, match="members"):
        admit(PATH, body(SHARED_MEMBERS_MAX + 1))


@pytest.mark.parametrize("path", [PATH, "/v1/batch"])
def test_deep_shared_context_is_refused_as_such(path: str) -> None:
    """Before anybody walks through its members."""
    levels = 50_000
    context = b'{"a":' * levels + b"1" + b"}" * levels
    with pytest.raises(InvalidInput, match=r"nested|recursion"):
        admit(path, b'{"events":[%s],"context":%s}' % (EVENT, context))
    context = b'{"a":' * 600 + b"1" + b"}" * 600
    with pytest.raises(InvalidInput, match="nested deeper than 64"):
        admit(path, b'{"events":[%s],"context":%s}' % (EVENT, context))


def test_shared_context_is_no_larger_than_an_event() -> None:
    """Else the event under it would be."""
    body = b'{"events":[%s],"context":{"a":"%s"}}' % (EVENT, b"x" * 300)
    with pytest.raises(BodyTooLarge):
        admit(PATH, body, AdmissionLimits(300, 64, 1000))


def test_shared_context_may_not_make_a_small_body_large() -> None:
    """Events times context is bounded like the body itself; one byte less passes."""
    limits = AdmissionLimits(1 << 20, 64, 1000)

    def body(size: int) -> bytes:
        context = b'{"a":"%s"}' % (b"x" * (size - 8))
        return b'{"events":[%s],"context":%s}' % (b",".join([EVENT] * 10), context)

    assert admit(PATH, body(100), limits).event_count == 10
    with pytest.raises(BodyTooLarge):
        admit(PATH, body(101), limits)


def test_millions_of_lines_are_refused_without_being_held() -> None:
    """Empty ones too."""
    error = _refusal(EVENT + b"\n" * 1_000_000 + EVENT)
    assert error.code == "batch_too_large"
    assert f"at most {LINES_MAX} lines" in error.message
    assert admit(PATH, EVENT + b"\n" * (LINES_MAX - 1) + EVENT).event_count == 2


@pytest.mark.parametrize(
    ("body", "sent_at"),
    [
        (b'{"events":[{"event":"a"}],"sent_at":"2026-11-20T10:00:00Z","context":{"os":"x"}}', True),
        (b'{"events":[{"event":"a"}],"context":{"os":"x"}}', False),
    ],
)
def test_known_envelope_gives_what_the_reference_gives(body: bytes, *, sent_at: bool) -> None:
    """Context and time of the envelope reach its events, with an unknown field and without."""
    odd = body.replace(b'"event":"a"', b'"event":"a","odd":1')
    for each in (body, odd):
        [event] = stored("/v1/events", each)
        assert bytes(event.context) == b'{"os":"x"}'
        assert (event.sent_at is not None) is sent_at


def test_an_object_with_an_event_is_one_event_whatever_else_it_has() -> None:
    """``events`` beside ``event`` is an unknown field."""
    [event] = stored("/v1/events", b'{"event":"a","events":[{"event":"b"}]}')
    assert event.event == "a"
    assert b'"events"' in bytes(event.properties)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"a"} {"event":"b"}\n{"event":"c"}',
        b'{"event":\n"a"}\n{"event":"b"}',
        b'{"event":\n"a"}{"event":"b"}',
    ],
)
def test_lines_hold_one_event_each(body: bytes) -> None:
    """Neither two on a line nor one on two, although a JSON parser would read them."""
    try:
        admission = admit("/v1/events", body)
    except InvalidInput:
        return
    assert admission.refused_count > 0
