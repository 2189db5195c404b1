"""The NovaMesh dialect: ``POST /v1/ingest`` and ``POST /v1/batch``.

Source: seed 000 and spec/ingest.md section 3. A batch is taken whole or refused whole. The batch
``context`` lies under each event's own. Fields that the vendor does not know go into
``properties``, except ``anonymous_id``, ``session_id`` and ``sent_at`` when they are well-formed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from weir.dialects.decoding import (
    MEMBERS_MAX,
    check_count,
    check_each,
    check_item_count,
    check_json,
    check_members,
    check_shared,
    check_sizes,
    count_envelope,
    events_or_refusal,
    is_object,
    judge_each,
    plain_piece,
    plain_properties,
    refuse_problems,
    share_context,
)
from weir.dialects.fields import EVENT_ID_CHARS_MAX, FIELDS_MAX, Field, table
from weir.dialects.hygiene import check_depth, check_text
from weir.dialects.jsontext import is_absent
from weir.dialects.port import Admission, BodyTooLarge, IngestRoute, Reply, Submission
from weir.dialects.replies import encode_reply, render_error, tell_details
from weir.domain.event import ABSENT, Dialect, Event
from weir.domain.frame import Frame
from weir.errors import InvalidInput, WeirError

NAME = "novamesh"
VERSION = 1
BATCH_EVENTS_MAX = 500

EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)]

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


class _NovaEvent(Event):
    event: Annotated[str, msgspec.Meta(min_length=1)]
    event_id: EventId | None = None
    ts: datetime | None = msgspec.field(name="timestamp", default=None)


class _KnownEvent(_NovaEvent, forbid_unknown_fields=True):
    """The same without unknown fields: what needs no folding."""


class _Batch(msgspec.Struct):
    events: list[_NovaEvent]
    context: msgspec.Raw = ABSENT


class _KnownBatch(msgspec.Struct):
    events: list[_KnownEvent]
    context: msgspec.Raw = ABSENT


class _BatchParts(msgspec.Struct):
    events: list[msgspec.Raw]
    context: msgspec.Raw = ABSENT


_decode_event = msgspec.json.Decoder(_NovaEvent).decode
_decode_known_event = msgspec.json.Decoder(_KnownEvent).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_known_batch = msgspec.json.Decoder(_KnownBatch).decode
_decode_parts = msgspec.json.Decoder(_BatchParts).decode

_QUEUED = encode_reply(202, {"accepted": True, "queued": 1})
_TAKEN_ONE = Admission(1, 0, b"", _QUEUED)


def admit_event(submission: Submission) -> Admission:
    """One event, taken or refused."""
    body, limits = submission.body, submission.limits
    if len(body) > limits.event_bytes_max:
        raise BodyTooLarge(f"The event is larger than {limits.event_bytes_max} bytes.")
    check_text(body)
    check_depth(body, _single_pieces(body), depth_max=limits.json_depth_max)
    return _TAKEN_ONE


def admit_batch(submission: Submission) -> Admission:
    """Up to ``BATCH_EVENTS_MAX`` events, all or none."""
    body, limits = submission.body, submission.limits
    check_text(body)
    if len(body) > limits.event_bytes_max:
        check_item_count(count_envelope, body, BATCH_EVENTS_MAX)
    pieces, shared = _batch_pieces(body)
    _check_count(len(pieces))
    check_depth(body, pieces, depth_max=limits.json_depth_max)
    check_shared(shared, len(pieces), limits)
    if len(body) > limits.event_bytes_max:
        check_sizes(_parts(body).events, limits)
    reply = {"accepted": True, "events": len(pieces), "batch_id": submission.batch_id}
    return Admission(len(pieces), 0, b"", encode_reply(202, reply))


def decode_event_frame(frame: Frame) -> Sequence[Event]:
    """The event of a frame that ``admit_event`` took."""
    try:
        known = [_decode_known_event(frame.body)]
    except msgspec.ValidationError:
        return _read_single(frame.body)
    return _read_single(frame.body) if plain_properties(known) is None else known


def decode_batch_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit_batch`` took, each over the batch's context."""
    try:
        batch: _KnownBatch | None = _decode_known_batch(frame.body)
    except msgspec.ValidationError:
        batch = None
    if batch is None or plain_properties(batch.events) is None:
        parts = _parts(frame.body)
        events: Sequence[Event] = events_or_refusal(check_each(parts.events, FIELDS))
        share_context(events, parts.context)
    else:
        events = batch.events
        share_context(events, batch.context)
    return events


def _single_pieces(body: bytes) -> list[bytes]:
    try:
        piece = plain_piece(_decode_event(body)) if body.count(b",") < FIELDS_MAX else None
    except (msgspec.DecodeError, RecursionError):
        piece = None
    if piece is not None:
        return [piece]
    check_json(body)
    refuse_problems(judge_each([msgspec.Raw(body)], FIELDS))
    return [b""]


def _read_single(body: bytes) -> Sequence[Event]:
    return events_or_refusal(check_each([msgspec.Raw(body)], FIELDS))


def _batch_pieces(body: bytes) -> tuple[Sequence[bytes], msgspec.Raw]:
    """The events' properties (empty texts when they are not simply known), and their context."""
    for decode in (_decode_known_batch, _decode_batch):
        try:
            batch = decode(body)
            pieces = plain_properties(batch.events) if is_object(batch.context) else None
        except (msgspec.DecodeError, RecursionError):
            continue
        if pieces is None:
            break
        commas = body.count(b",")
        has_unknown = decode is _decode_batch and commas >= FIELDS_MAX
        if has_unknown or (commas >= MEMBERS_MAX and not is_absent(batch.context)):
            check_members(body, _parts(body).events, FIELDS)
        return pieces, batch.context
    parts = _check_batch(body)
    return [b""] * len(parts.events), parts.context


def _check_batch(body: bytes) -> _BatchParts:
    check_json(body)
    parts = _parts(body)
    _check_count(len(parts.events))
    if not is_object(parts.context):
        raise _shape_problem("context", "must be an object")
    refuse_problems(judge_each(parts.events, FIELDS))
    return parts


def _parts(body: bytes) -> _BatchParts:
    try:
        return _decode_parts(body)
    except msgspec.ValidationError:
        raise _shape_problem("events", "must be an array of events") from None


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("events", "must hold at least one event")
    check_count(count, BATCH_EVENTS_MAX)


def _shape_problem(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"'{field}' {message}.", details=[{"field": field, "message": message}])


def render_refusal(error: WeirError) -> Reply:
    """``{"error": code, "message": text}``, and ``details`` with every 400."""
    if error.status != 400:
        return render_error(error)
    value = {"error": error.code, "message": str(error), "details": tell_details(error)}
    return encode_reply(400, value)


ROUTES = (
    IngestRoute(
        path="/v1/ingest",
        dialect=Dialect(code=2, name=NAME, decode=decode_event_frame),
        dialect_version=VERSION,
        admit=admit_event,
        render_error=render_refusal,
    ),
    IngestRoute(
        path="/v1/batch",
        dialect=Dialect(code=3, name=NAME, decode=decode_batch_frame),
        dialect_version=VERSION,
        admit=admit_batch,
        render_error=render_refusal,
    ),
)
