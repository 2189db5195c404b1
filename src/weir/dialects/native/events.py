"""The native dialect: ``POST /v1/events``.

Source: spec/ingest.md section 2. The body is one event, an array, ``{"events": […], "context":
{…}, "sent_at": …}`` or NDJSON; at most ``EVENTS_MAX`` events. Valid events of a mixed batch are
taken; the reply lists the others, so that a client knows exactly what to send again. The key may
also stand in the query parameter ``api_key``, if it is good for ingest only: a browser's beacon has
no headers.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from weir.dialects.credentials import ANY_ROUTE, query_parameter
from weir.dialects.decoding import (
    check_beside,
    check_count,
    check_each,
    check_item_count,
    check_json,
    check_shared,
    count_array,
    count_envelope,
    find_faulty,
    find_refused,
    is_object,
    malformed,
    pieces_of,
    plain_properties,
    share_context,
)
from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, Problem, table, time_in
from weir.dialects.hygiene import check_depth, check_encoding, is_sound, mend
from weir.dialects.jsontext import is_absent
from weir.dialects.port import Admission, IngestRoute, Limits, Reply, Submission
from weir.dialects.replies import encode_reply, render_error
from weir.domain.event import ABSENT, Dialect, Event
from weir.domain.frame import Frame, FrameMeta, decode_meta, encode_meta
from weir.errors import InvalidInput

NAME = "native"
VERSION = 1
EVENTS_MAX = 1000
LINES_MAX = 8 * EVENTS_MAX
"""Lines of NDJSON, the empty ones included."""

EVENT_CHARS_MAX = 200

FIELDS = table(
    Field("event", "event", "text", required=True, chars_min=1, chars_max=EVENT_CHARS_MAX),
    Field("event_id", "event_id", "text", chars_min=1, chars_max=EVENT_ID_CHARS_MAX),
    Field("user_id", "user_id", "text"),
    Field("anonymous_id", "anonymous_id", "text"),
    Field("session_id", "session_id", "text"),
    Field("ts", "ts", "time", epoch=True),
    Field("sent_at", "sent_at", "time", epoch=True),
    Field("properties", "properties", "object"),
    Field("context", "context", "object"),
)


class _NativeEvent(Event, forbid_unknown_fields=True):
    event: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_CHARS_MAX)]
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)] | None = (
        None
    )


class _Envelope(msgspec.Struct):
    events: list[msgspec.Raw]
    context: msgspec.Raw = ABSENT
    sent_at: msgspec.Raw = ABSENT


class _KnownEnvelope(msgspec.Struct):
    events: list[_NativeEvent]
    context: msgspec.Raw = ABSENT
    sent_at: msgspec.Raw = ABSENT
    event: msgspec.Raw = ABSENT
    """Present in a body that is one event, whatever its ``events`` are."""


class _Known(NamedTuple):
    """Events that are valid and have no unknown fields, and what the envelope says of them."""

    events: Sequence[Event]
    context: msgspec.Raw = ABSENT
    sent_at: datetime | None = None


class _Split(NamedTuple):
    """The items of a body, and what the envelope says of all of them."""

    raws: Sequence[msgspec.Raw]
    levels_around: int = 0
    """Levels of JSON around an item."""
    context: msgspec.Raw = ABSENT
    sent_at: datetime | None = None


_TAKEN = b'{"accepted":%d,"rejected":0,"batch_id":"%b","results":[]}'

_decode_event = msgspec.json.Decoder(_NativeEvent).decode
_decode_known_envelope = msgspec.json.Decoder(_KnownEnvelope).decode
_decode_events = msgspec.json.Decoder(list[_NativeEvent]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def admit(submission: Submission) -> Admission:
    """Takes the valid events of a body and tells of each of the others why it was refused."""
    body, limits = submission.body, submission.limits
    sound = is_sound(body)
    known = _known(body) if sound and len(body) <= limits.event_bytes_max else None
    if known is not None:
        _check_around(len(known.events), known.context, limits)
        try:
            check_depth(body, pieces_of(known.events), depth_max=limits.json_depth_max)
            return _taken(len(known.events), submission.batch_id)
        except InvalidInput:
            pass  # an event is too deep: looked at one by one, the others are taken
    split = _split(body) if sound else _split_unsound(body)
    _check_around(len(split.raws), split.context, limits)
    refused = find_refused(
        split.raws,
        FIELDS,
        limits,
        levels_around=split.levels_around,
        faulty={} if sound else find_faulty(split.raws),
    )
    count = len(split.raws)
    if not refused:
        return _taken(count, submission.batch_id)
    return _mixed(count - len(refused), refused, submission.batch_id)


def decode_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit`` took, without the refused ones."""
    refused = frozenset(decode_meta(frame.meta).refused)
    known = None if refused else _known(frame.body)
    if known is None:
        split = _split(mend(frame.body))
        taken = [raw for index, raw in enumerate(split.raws) if index not in refused]
        events = [item for item in check_each(taken, FIELDS) if isinstance(item, Event)]
        known = _Known(events, split.context, split.sent_at)
    share_context(known.events, known.context)
    if known.sent_at is not None:
        for event in known.events:
            event.sent_at = event.sent_at or known.sent_at
    return known.events


def _check_around(event_count: int, context: msgspec.Raw, limits: Limits) -> None:
    """What is asked of a body besides its events."""
    _check_count(event_count)
    if is_absent(context):
        return
    check_depth(bytes(context), [b""], depth_max=limits.json_depth_max, levels_around=1)
    check_shared(context, event_count, limits)


def _known(body: bytes) -> _Known | None:
    """The events of a plain array, envelope, event or NDJSON; None when each must be looked at.

    Raises ``InvalidInput`` for an envelope's own wrong time.
    """
    if body.startswith(b"["):
        known = _known_array(body)
    else:
        known = _known_object(body) or _known_lines(body)
    return None if known is None or plain_properties(known.events) is None else known


def _known_array(body: bytes) -> _Known | None:
    try:
        return _Known(_decode_events(body))
    except (msgspec.DecodeError, RecursionError):
        return None


def _known_object(body: bytes) -> _Known | None:
    try:
        return _Known([_decode_event(body)])
    except (msgspec.DecodeError, RecursionError):
        pass  # at its first unknown field, which an envelope has early
    try:
        envelope = _decode_known_envelope(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if bytes(envelope.event) or not is_object(envelope.context):
        return None
    return _Known(envelope.events, envelope.context, _envelope_time(envelope.sent_at))


def _known_lines(body: bytes) -> _Known | None:
    if not 0 < body.count(b"\n") < LINES_MAX:
        return None
    try:
        events = [_decode_event(line) for line in body.split(b"\n") if line.strip()]
    except (msgspec.DecodeError, RecursionError):
        return None
    return _Known(events) if len(events) > 1 else None


def _split_unsound(body: bytes) -> _Split:
    """The items of a body some of which may not be stored.

    Raises ``InvalidInput`` when that is not the fault of items alone.
    """
    mended = mend(body)
    try:
        check_encoding(body)
    except InvalidInput as error:
        split = _lines_of(mended)
        if split is None:
            raise error from None
        return split
    split = _split(mended)
    if split.levels_around > 1:
        check_beside(mended)
    return split


def _lines_of(body: bytes) -> _Split | None:
    """The items of NDJSON; of anything else None."""
    try:
        split = _split(body)
    except InvalidInput:
        return None
    return None if split.levels_around or len(split.raws) < 2 else split


def _split(body: bytes) -> _Split:
    text = body.strip()
    if text.startswith(b"["):
        check_json(body)
        check_item_count(count_array, body, EVENTS_MAX)
        return _Split(_decode_array(body), levels_around=1)
    try:
        sent = _decode_object(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _split_lines(text, error)
    if "events" in sent and "event" not in sent:
        return _split_envelope(text)
    return _Split([msgspec.Raw(text)])


def _split_lines(text: bytes, error: Exception) -> _Split:
    lines = text.split(b"\n", LINES_MAX)
    check_count(len(lines), LINES_MAX, noun="lines")
    lines = [line for line in lines if line.strip()]
    if len(lines) < 2 or not any(map(_is_json_object, lines)):
        if isinstance(error, msgspec.ValidationError):
            raise InvalidInput("The body must be an event, an array of events or NDJSON.")
        raise malformed(text, error)
    return _Split([msgspec.Raw(line) for line in lines])


def _is_json_object(line: bytes) -> bool:
    try:
        _decode_object(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _split_envelope(text: bytes) -> _Split:
    check_item_count(count_envelope, text, EVENTS_MAX)
    try:
        envelope = _decode_envelope(text)
    except msgspec.ValidationError:
        raise _shape_problem("events", "validation.type", "must be an array of events") from None
    if not is_object(envelope.context):
        raise _shape_problem("context", "validation.type", "must be an object")
    return _Split(envelope.events, 2, envelope.context, _envelope_time(envelope.sent_at))


def _envelope_time(raw: msgspec.Raw) -> datetime | None:
    if is_absent(raw):
        return None
    found = time_in(raw, epoch=True)
    if isinstance(found, str):
        raise _shape_problem("sent_at", "validation.format", found)
    return found


def _taken(count: int, batch_id: str) -> Admission:
    """Of a request without anything to refuse: nearly all of them."""
    return Admission(count, 0, b"", Reply(202, _TAKEN % (count, batch_id.encode())))


def _mixed(taken: int, refused: dict[int, list[Problem]], batch_id: str) -> Admission:
    results = [
        {
            "index": index,
            "status": "rejected",
            "code": problem.code,
            "field": problem.field,
            "message": problem.message,
        }
        for index, problems in refused.items()
        for problem in problems
    ]
    reply = {
        "accepted": taken,
        "rejected": len(refused),
        "batch_id": batch_id,
        "results": results,
    }
    meta = encode_meta(FrameMeta(refused=tuple(refused)))
    return Admission(taken, len(refused), meta, encode_reply(202 if taken else 400, reply))


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("events", "validation.required", "must hold at least one event")
    check_count(count, EVENTS_MAX)


def _shape_problem(field: str, code: str, message: str) -> InvalidInput:
    details: list[dict[str, object]] = [{"field": field, "code": code, "message": message}]
    return InvalidInput(f"'{field}' {message}.", details=details)


ROUTES = (
    IngestRoute(
        path="/v1/events",
        dialect=Dialect(code=1, name=NAME, decode=decode_frame),
        dialect_version=VERSION,
        admit=admit,
        render_error=render_error,
        credentials=(*ANY_ROUTE, query_parameter("api_key")),
    ),
)
