"""The NovaMesh dialect: ``POST /v1/ingest`` and ``POST /v1/batch``.

A batch is taken whole or refused whole. The batch ``context`` lies under each event's own. Fields
that the vendor does not know go into ``properties``, except ``anonymous_id``, ``session_id`` and
``sent_at`` when they are well-formed. Source: docs/guide/coming-from-novamesh.md.
"""

from functools import partial

import msgspec

from weir.dialects.batches import AllOrNone, SingleEvent, judge_all
from weir.dialects.decoding import check_count, check_item_count, count_envelope, tell_index
from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table
from weir.dialects.frame_reader import FrameReader
from weir.dialects.jsontext import is_object
from weir.dialects.port import Admission, AdmissionLimits, IngestRoute, Reply, Submission
from weir.dialects.replies import encode_reply, render_error, tell_details
from weir.dialects.shapes import BodyFormat, Envelope, Items, envelope_splitter, single_event
from weir.domain.event import ABSENT, Dialect
from weir.errors import InvalidInput, WeirError

NAME = "novamesh"
VERSION = 1
BATCH_EVENTS_MAX = 500

FIELDS = table(
    Field("event", "event", "text", required=True, chars_min=1),
    Field("event_id", "event_id", "text", chars_min=1, chars_max=EVENT_ID_CHARS_MAX),
    Field("user_id", "user_id", "text"),
    Field("anonymous_id", "anonymous_id", "text", lenient=True),
    Field("session_id", "session_id", "text", lenient=True),
    Field("timestamp", "ts", "time"),
    Field("sent_at", "sent_at", "time", lenient=True),
    Field("properties", "properties", "object"),
    Field("context", "context", "object"),
)
_BESIDE = ("context",)

_TAKEN_ONE = Admission(1, 0, b"", encode_reply(202, {"accepted": True, "queued": 1}))

_split_members = envelope_splitter(_BESIDE)


def admit_event(submission: Submission) -> Admission:
    """One event, taken or refused."""
    _check_event(submission)
    return _TAKEN_ONE


def admit_batch(submission: Submission) -> Admission:
    """Up to ``BATCH_EVENTS_MAX`` events, all or none."""
    count = _decide(submission).count
    reply = {"accepted": True, "events": count, "batch_id": submission.batch_id}
    return Admission(count, 0, b"", encode_reply(202, reply))


def render_refusal(error: WeirError) -> Reply:
    """``{"error": code, "message": text}``, and ``details`` with every 400."""
    if error.status != 400:
        return render_error(error)
    value = {"error": error.code, "message": str(error), "details": tell_details(error)}
    return encode_reply(400, value)


def _split(body: bytes) -> Items:
    try:
        return _split_members(body)
    except msgspec.ValidationError:
        raise _shape_problem("events", "must be an array of events") from None


def _read_envelope(context: msgspec.Raw = ABSENT) -> Envelope:
    if not is_object(context):
        raise _shape_problem("context", "must be an object")
    return Envelope(context)


def _check_large(body: bytes, _: AdmissionLimits) -> None:
    check_item_count(count_envelope, body, BATCH_EVENTS_MAX)


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("events", "must hold at least one event")
    check_count(count, BATCH_EVENTS_MAX)


def _shape_problem(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"'{field}' {message}.", details=[{"field": field, "message": message}])


EVENT = single_event(FIELDS)
BATCH = BodyFormat(
    fields=FIELDS,
    policy="all or none",
    shapes=("envelope",),
    events_max=BATCH_EVENTS_MAX,
    beside=_BESIDE,
    split=_split,
    check_count=_check_count,
    read_envelope=_read_envelope,
)
_check_event = SingleEvent(EVENT, judge=partial(judge_all, EVENT, tell_index)).check
_decide = AllOrNone(
    BATCH, judge=partial(judge_all, BATCH, tell_index), check_large=_check_large
).decide


def make_routes(*, event_code: int, batch_code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; the codes are what frames of one event and of a batch carry."""
    return (
        IngestRoute(
            path="/v1/ingest",
            dialect=Dialect(code=event_code, name=NAME, decode=FrameReader(EVENT).decode),
            dialect_version=VERSION,
            bodies=EVENT,
            admit=admit_event,
            render_error=render_refusal,
        ),
        IngestRoute(
            path="/v1/batch",
            dialect=Dialect(code=batch_code, name=NAME, decode=FrameReader(BATCH).decode),
            dialect_version=VERSION,
            bodies=BATCH,
            admit=admit_batch,
            render_error=render_refusal,
        ),
    )
