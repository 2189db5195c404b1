"""The NovaMesh dialect: one event, or a batch that is taken whole or not at all."""

from typing import Any

import msgspec
import pytest

from tests.unit.dialects.making import LIMITS, admit, stored
from weir.dialects.novamesh.events import BATCH_EVENTS_MAX, render_refusal
from weir.dialects.port import AdmissionLimits, BodyTooLarge
from weir.errors import InvalidInput, Unauthenticated

EVENT = b'{"event":"a"}'


def _batch(*events: bytes, context: bytes = b"") -> bytes:
    shared = b',"context":' + context if context else b""
    return b'{"events":[%s]%s}' % (b",".join(events), shared)


def _refusal(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        admit(path, body, limits)
    return caught.value


def test_single_event_is_queued() -> None:
    """The reply is the vendor's."""
    admission = admit("/v1/ingest", EVENT)
    assert (admission.event_count, admission.refused_count, admission.meta) == (1, 0, b"")
    assert admission.reply.status == 202
    assert msgspec.json.decode(admission.reply.body) == {"accepted": True, "queued": 1}


def test_batch_is_counted() -> None:
    """The reply is the vendor's, with an id of the batch."""
    admission = admit("/v1/batch", _batch(EVENT, EVENT))
    assert admission.event_count == 2
    assert msgspec.json.decode(admission.reply.body) == {
        "accepted": True,
        "events": 2,
        "batch_id": "b_abcd00000007",
    }


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
    limits = AdmissionLimits(1 << 20, 64, 1000)
    context = b'{"a":"%s"}' % (b"x" * 92)
    assert admit("/v1/batch", _batch(*[EVENT] * 10, context=context), limits).event_count == 10
    with pytest.raises(BodyTooLarge):
        admit("/v1/batch", _batch(*[EVENT] * 11, context=context), limits)
