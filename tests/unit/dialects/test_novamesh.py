"""The NovaMesh dialect: one event, or a batch that is taken whole or not at all."""

from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, stored
from weir.dialects.fields import PROBLEMS_MAX
from weir.dialects.novamesh.events import BATCH_EVENTS_MAX, render_refusal
from weir.dialects.port import BodyTooLarge, Limits
from weir.errors import InvalidInput, Unauthenticated

EVENT = b'{"event":"a"}'


def _batch(*events: bytes, context: bytes = b"") -> bytes:
    shared = b',"context":' + context if context else b""
    return b'{"events":[%s]%s}' % (b",".join(events), shared)


def _refusal(path: str, body: bytes, limits: Limits = LIMITS) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        admit(path, body, limits)
    return caught.value


def test_single_event_is_queued() -> None:
    """The reply of seed 000."""
    admission = admit("/v1/ingest", EVENT)
    assert (admission.event_count, admission.refused_count, admission.meta) == (1, 0, b"")
    assert admission.reply.status == 202
    assert msgspec.json.decode(admission.reply.body) == {"accepted": True, "queued": 1}


def test_batch_is_counted() -> None:
    """The reply of seed 000, with an id of the batch."""
    admission = admit("/v1/batch", _batch(EVENT, EVENT))
    assert admission.event_count == 2
    assert msgspec.json.decode(admission.reply.body) == {
        "accepted": True,
        "events": 2,
        "batch_id": "b_abcd00000007",
    }


@pytest.mark.parametrize("spoil", [False, True], ids=["quick", "slow"])
def test_five_hundred_events_are_taken_and_one_more_is_not(*, spoil: bool) -> None:
    """400 batch_too_large, and all of it counts as refused."""

    def body(count: int) -> bytes:
        last = b'{"event":"a","timestamp":"2026-01-02"}' if spoil else EVENT
        return _batch(*[EVENT] * (count - 1), last)

    assert len(stored("/v1/batch", body(BATCH_EVENTS_MAX))) == BATCH_EVENTS_MAX
    error = _refusal("/v1/batch", body(BATCH_EVENTS_MAX + 1))
    assert (error.status, error.code) == (400, "batch_too_large")
    assert error.context["refused_count"] == BATCH_EVENTS_MAX + 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/ingest", b"", ""),
        ("/v1/ingest", b"{", ""),
        ("/v1/ingest", rb'{"event":"\ud800"}', ""),
        ("/v1/batch", b"{", ""),
        ("/v1/batch", _batch(), "events"),
        ("/v1/batch", _batch(EVENT, context=b"7"), "context"),
        ("/v1/batch", _batch(*[EVENT] * (BATCH_EVENTS_MAX + 1)), ""),
    ],
)
def test_every_400_has_details(path: str, body: bytes, field: str) -> None:
    """What no single event is to blame for has the index null."""
    error = _refusal(path, body)
    told: dict[str, Any] = msgspec.json.decode(render_refusal(error).body)
    (detail,) = told["details"]
    assert (detail["index"], detail["field"]) == (None, field)
    assert set(detail) == {"index", "field", "message"}
    assert detail["message"] in told["message"]


def test_other_refusals_have_no_details() -> None:
    """Seed 000 prints the 401: code and message."""
    told = msgspec.json.decode(render_refusal(Unauthenticated("API key required.")).body)
    assert told == {"error": "unauthorized", "message": "API key required."}


def test_batch_with_one_bad_event_is_refused_whole() -> None:
    """All problems of all events are told by index, and the number refused is that of all."""
    error = _refusal("/v1/batch", _batch(EVENT, b'{"event":5,"user_id":[]}', b"7", EVENT))
    assert error.details == [
        {"index": 1, "field": "event", "message": "must be a string"},
        {"index": 1, "field": "user_id", "message": "must be a string"},
        {"index": 2, "field": "", "message": "must be an object"},
    ]
    assert error.context["refused_count"] == 4
    told: dict[str, Any] = msgspec.json.decode(render_refusal(error).body)
    assert (told["error"], len(told["details"])) == ("invalid_request", 3)


def test_list_of_problems_is_bounded() -> None:
    """A batch of nothing but mistakes does not make a reply of megabytes."""
    error = _refusal("/v1/batch", _batch(*[b'{"user_id":1}'] * BATCH_EVENTS_MAX))
    assert len(error.details or []) == PROBLEMS_MAX


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "events"),
        (b'{"events":null}', "events"),
        (b'{"events":{}}', "events"),
        (b'{"events":[]}', "events"),
        (b"[]", "events"),
        (b'[{"event":"a"}]', "events"),
        (b'{"batch":[{"event":"a"}],"writeKey":"k"}', "events"),
        (_batch(EVENT, context=b"[]"), "context"),
        (_batch(EVENT, context=b'"a"'), "context"),
    ],
)
def test_bad_batch_names_what_is_wrong(body: bytes, field: str) -> None:
    """Missing, of another type, or empty."""
    assert [detail["field"] for detail in _refusal("/v1/batch", body).details or []] == [field]


def test_batch_context_lies_under_each_own() -> None:
    """The event's keys win, quick or slow."""
    for more in (b"", b',"x":1'):
        body = _batch(
            EVENT,
            b'{"event":"b","context":{"a": 2 }%s}' % more,
            b'{"event":"c","context":null}',
            context=b'{"a":1,"b":1e999}',
        )
        contexts = [bytes(event.context) for event in stored("/v1/batch", body)]
        shared = b'{"a":1,"b":1e999}'
        assert contexts == [shared, b'{"a": 2 ,"b":1e999}', shared]


def test_batch_context_may_not_make_a_small_body_large() -> None:
    """Events times context is bounded like the body itself."""
    limits = Limits(1 << 20, 64, 1000)
    context = b'{"a":"%s"}' % (b"x" * 92)
    assert admit("/v1/batch", _batch(*[EVENT] * 10, context=context), limits).event_count == 10
    with pytest.raises(BodyTooLarge):
        admit("/v1/batch", _batch(*[EVENT] * 11, context=context), limits)


@pytest.mark.parametrize("path", ["/v1/ingest", "/v1/batch"])
@pytest.mark.parametrize("place", ["properties", "context", "unknown", "shared"])
@pytest.mark.parametrize("above", [False, True], ids=["at the limit", "above"])
def test_depth_is_bounded_in_every_place(path: str, place: str, *, above: bool) -> None:
    """64 levels of the body as it was sent, 65 not."""
    if place == "shared" and path == "/v1/ingest":
        return
    outside = 1 if place == "shared" or path == "/v1/ingest" else 3
    levels = LIMITS.json_depth_max - outside - 1 + above
    deep = b'{"d":' + b"[" * levels + b"]" * levels + b"}"
    event = EVENT if place == "shared" else b'{"event":"a","%s":%s}' % (place.encode(), deep)
    shared = deep if place == "shared" else b""
    body = event if path == "/v1/ingest" else _batch(event, context=shared)
    if above:
        assert "deeper than 64 levels" in _refusal(path, body).message
    else:
        assert admit(path, body).event_count == 1


def test_event_bytes_are_bounded() -> None:
    """413 that names the event; a batch may be larger than its events."""
    limits = Limits(300, 64, 1 << 20)

    def event(size: int) -> bytes:
        return b'{"event":"a","user_id":"%s"}' % (b"x" * (size - 26))

    assert admit("/v1/ingest", event(300), limits).event_count == 1
    with pytest.raises(BodyTooLarge):
        admit("/v1/ingest", event(301), limits)
    assert admit("/v1/batch", _batch(event(300), event(300)), limits).event_count == 2
    with pytest.raises(BodyTooLarge) as caught:
        admit("/v1/batch", _batch(event(300), event(301)), limits)
    assert caught.value.details == [{"index": 1, "field": "", "message": "is too large"}]


@pytest.mark.parametrize("item", [b"1", b"{}", EVENT, b"[]"])
def test_millions_of_items_are_refused_without_being_held(item: bytes) -> None:
    """A body of nothing but commas does not become a list of objects."""
    assert _refusal("/v1/batch", _batch(*[item] * 300_000)).status == 400


def test_lenient_fields_are_taken_when_they_fit() -> None:
    """Fields that the vendor does not know but we do."""
    body = b'{"event":"a","anonymous_id":"n","session_id":"s","sent_at":"2026-01-02T03:04:05Z"}'
    (event,) = stored("/v1/ingest", body)
    assert (event.anonymous_id, event.session_id) == ("n", "s")
    assert event.sent_at is not None
    assert bytes(event.properties) == b""
