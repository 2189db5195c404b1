"""The clickstream dialect: ``POST /ingest`` and ``POST /ingest/batch``.

Source: seed 003 and spec/ingest.md section 6. A batch is taken whole or refused whole, and every
problem is told by its dotted path. Fields that are not canonical, whether the vendor knows them
or not, go into ``properties``; ``batchId`` and ``clientInfo`` are the context of a batch's events.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from weir.dialects.clickstream.fields import (
    BATCH_FIELDS,
    CLIENT_FIELDS,
    FIELDS,
    Batch,
    BatchParts,
    BatchTexts,
    Click,
    ClientInfo,
    Kept,
    KeptBatch,
    KnownBatch,
)
from weir.dialects.clickstream.replies import (
    BATCH_EVENTS_MAX,
    render_batch_error,
    render_event_error,
    tell,
    tell_event,
    tell_event_of_batch,
    too_many_events,
)
from weir.dialects.decoding import (
    check_each,
    check_item_count,
    check_json,
    check_members,
    check_shared,
    check_sizes,
    count_array,
    count_envelope,
    events_or_refusal,
    judge_each,
    refuse_problems,
    share_context,
)
from weir.dialects.fields import FIELDS_MAX, PROBLEMS_MAX, Problem, judge_event
from weir.dialects.hygiene import check_depth, check_depth_apart, check_text
from weir.dialects.jsontext import is_absent, member_names
from weir.dialects.port import Admission, BodyTooLarge, IngestRoute, RateLimits, Submission
from weir.dialects.replies import encode_reply
from weir.domain.event import Dialect, Event
from weir.domain.frame import Frame
from weir.domain.instants import parse_time
from weir.errors import InvalidInput

NAME = "clickstream"
VERSION = 1

_COMMAS_MIN = sum(1 for field in FIELDS.values() if field.required) - 1
"""Of a valid event."""

_decode_event = msgspec.json.Decoder(Click).decode
_decode_known_batch = msgspec.json.Decoder(KnownBatch).decode
_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_client = msgspec.json.Decoder(ClientInfo).decode
_decode_kept_event = msgspec.json.Decoder(Kept).decode
_decode_kept_batch = msgspec.json.Decoder(KeptBatch).decode
_decode_texts = msgspec.json.Decoder(BatchTexts).decode
_decode_parts = msgspec.json.Decoder(BatchParts).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_time = msgspec.json.Decoder(datetime).decode
_encode = msgspec.json.Encoder().encode


class _Judged(NamedTuple):
    """A valid batch."""

    batch_id: str
    client_info: msgspec.Raw
    event_count: int


def admit_event(submission: Submission) -> Admission:
    """One event, taken or refused."""
    body, limits = submission.body, submission.limits
    if len(body) > limits.event_bytes_max:
        raise BodyTooLarge(f"The event is larger than {limits.event_bytes_max} bytes.")
    check_text(body)
    event_id = _event_id(body)
    check_depth(body, [b""], depth_max=limits.json_depth_max)
    return Admission(1, 0, b"", encode_reply(200, {"status": "success", "eventId": event_id}))


def admit_batch(submission: Submission) -> Admission:
    """Up to ``BATCH_EVENTS_MAX`` events, all or none."""
    body, limits = submission.body, submission.limits
    check_text(body)
    if len(body) > limits.event_bytes_max:
        check_item_count(count_envelope, body, BATCH_EVENTS_MAX)
    batch = _known_batch(body) or _judge_batch(body)
    count = batch.event_count
    check_depth_apart(body, _texts, siblings=count, depth_max=limits.json_depth_max)
    if len(body) > limits.event_bytes_max:
        check_sizes(_decode_texts(body).events, limits)
    check_shared(_context(batch.batch_id, batch.client_info), count, limits)
    reply = {"status": "success", "batchId": batch.batch_id, "eventsProcessed": count}
    return Admission(count, 0, b"", encode_reply(200, reply))


def decode_event_frame(frame: Frame) -> Sequence[Event]:
    """The event of a frame that ``admit_event`` took."""
    try:
        return [_decode_kept_event(frame.body).event()]
    except msgspec.ValidationError:
        return events_or_refusal(check_each([msgspec.Raw(frame.body)], FIELDS))


def decode_batch_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit_batch`` took, each over the batch's context."""
    try:
        batch = _decode_kept_batch(frame.body)
    except msgspec.ValidationError:
        return _decode_batch_slowly(frame.body)
    events = [kept.event() for kept in batch.events]
    return _over(events, _context(batch.batch_id, batch.client_info), batch.sent_at)


def _decode_batch_slowly(body: bytes) -> Sequence[Event]:
    parts = _parts(body)
    events = events_or_refusal(check_each(_items(parts.events), FIELDS))
    context = _context(_decode_text(parts.batch_id), parts.client_info)
    return _over(events, context, _time_of(parts.sent_at))


def _over(
    events: Sequence[Event], context: msgspec.Raw, sent_at: datetime | None
) -> Sequence[Event]:
    share_context(events, context)
    for event in events:
        event.sent_at = event.sent_at or sent_at
    return events


def _context(batch_id: str, client_info: msgspec.Raw) -> msgspec.Raw:
    """What all events of a batch have around them."""
    return msgspec.Raw(_encode({"batchId": batch_id, "clientInfo": client_info}))


def _time_of(raw: msgspec.Raw) -> datetime | None:
    try:
        return _decode_time(raw)
    except msgspec.ValidationError:
        return parse_time(_decode_text(raw))


def _event_id(body: bytes) -> str:
    """The id of the event, which is valid; raises ``InvalidInput`` with everything that is not."""
    if body.count(b",") < FIELDS_MAX:
        try:
            return _decode_event(body).event_id
        except (msgspec.DecodeError, RecursionError):
            pass  # told below what is wrong, if anything is
    check_json(body)
    refuse_problems(judge_each([msgspec.Raw(body)], FIELDS), tell_event)
    return _decode_text(member_names(body)["event_id"])


def _known_batch(body: bytes) -> _Judged | None:
    """A batch that is simply known to be valid; None when it must be looked at closely."""
    for decode in (_decode_known_batch, _decode_batch):
        try:
            batch = decode(body)
            _decode_client(batch.client_info)
        except (msgspec.DecodeError, RecursionError):
            continue
        count = len(batch.events)
        if not 0 < count <= BATCH_EVENTS_MAX:
            return None
        commas_elsewhere = (count - 1) * _COMMAS_MIN
        if decode is _decode_batch and body.count(b",") - commas_elsewhere >= FIELDS_MAX:
            check_members(body, _decode_texts(body).events, FIELDS, tell_event_of_batch)
        return _Judged(batch.batch_id, batch.client_info, count)
    return None


def _texts(body: bytes) -> list[bytes]:
    return [bytes(raw) for raw in _decode_texts(body).events]


def _judge_batch(body: bytes) -> _Judged:
    """A batch; raises ``InvalidInput`` with everything that is wrong with it."""
    check_json(body)
    parts = _parts(body)
    details = [tell("", problem) for problem in judge_event(msgspec.Raw(body), BATCH_FIELDS)[0]]
    if bytes(parts.client_info).startswith(b"{"):
        found = judge_event(parts.client_info, CLIENT_FIELDS).problems
        details += [tell("clientInfo", problem) for problem in found]
    raws: list[msgspec.Raw] = []
    if bytes(parts.events).startswith(b"["):
        raws = _items(parts.events)
    if not raws:
        details.append(tell("", _absence_of_events(parts.events)))
    for index, problems in enumerate(judge_each(raws, FIELDS)):
        details += [tell_event_of_batch(index, problem) for problem in problems]
    if details:
        raise InvalidInput(
            "The batch is not valid; nothing was stored.",
            details=details[:PROBLEMS_MAX],
            refused_count=max(1, len(raws)),
        )
    return _Judged(_decode_text(parts.batch_id), parts.client_info, len(raws))


def _absence_of_events(events: msgspec.Raw) -> Problem:
    if is_absent(events):
        return Problem("events", "validation.required", "is required")
    if bytes(events).startswith(b"["):
        return Problem("events", "validation.minItems", "must hold at least 1 event")
    return Problem("events", "validation.type", "must be an array")


def _parts(body: bytes) -> BatchParts:
    try:
        return _decode_parts(body)
    except msgspec.ValidationError:
        problem = Problem("", "validation.type", "must be an object")
        raise InvalidInput("The body must be an object.", details=[tell("", problem)]) from None


def _items(events: msgspec.Raw) -> list[msgspec.Raw]:
    """The events of a batch, an array; raises ``InvalidInput`` when they are too many."""
    check_item_count(count_array, bytes(events), BATCH_EVENTS_MAX)
    raws = _decode_array(events)
    if len(raws) > BATCH_EVENTS_MAX:
        raise too_many_events(len(raws))
    return raws


_RATES = RateLimits(requests=1000)

ROUTES = (
    IngestRoute(
        path="/ingest",
        dialect=Dialect(code=11, name=NAME, decode=decode_event_frame),
        dialect_version=VERSION,
        admit=admit_event,
        render_error=render_event_error,
        rates=_RATES,
    ),
    IngestRoute(
        path="/ingest/batch",
        dialect=Dialect(code=12, name=NAME, decode=decode_batch_frame),
        dialect_version=VERSION,
        admit=admit_batch,
        render_error=render_batch_error,
        rates=_RATES,
    ),
)
