"""The native dialect: ``POST /v1/events``.

The body is one event, an array, ``{"events": […], "context": {…}, "sent_at": …}`` or NDJSON; at
most ``EVENTS_MAX`` events. Valid events of a mixed batch are taken; the reply lists the others, so
that a client knows exactly what to send again. The key may also stand in the query parameter
``api_key``, if it is good for ingest only: a browser's beacon has no headers. Source:
docs/guide/sending.md.
"""

from collections.abc import Mapping

import msgspec

from weir.dialects.batches import GoodEvents
from weir.dialects.credential_finders import ANY_ROUTE, query_parameter
from weir.dialects.decoding import (
    check_count,
    check_item_count,
    check_json,
    count_array,
    count_envelope,
    malformed,
)
from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, Problem, table, time_in
from weir.dialects.frame_reader import FrameReader
from weir.dialects.jsontext import is_absent, is_object
from weir.dialects.port import Admission, IngestRoute, Reply, Submission
from weir.dialects.replies import encode_reply, render_error
from weir.dialects.shapes import BodyFormat, Envelope, Items, envelope_splitter
from weir.domain.event import ABSENT, Dialect
from weir.domain.frame import FrameMeta, encode_meta
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
_BESIDE = ("context", "sent_at")

_TAKEN = b'{"accepted":%d,"rejected":0,"batch_id":"%b","results":[]}'

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_members = envelope_splitter(_BESIDE)


def admit(submission: Submission) -> Admission:
    """Takes the valid events of a body and tells of each of the others why it was refused."""
    selection = _decide(submission)
    if selection.refused:
        return _mixed(selection.taken, selection.refused, submission.batch_id)
    reply = Reply(202, _TAKEN % (selection.taken, submission.batch_id.encode()))
    return Admission(selection.taken, 0, b"", reply)


def _mixed(taken: int, refused: Mapping[int, list[Problem]], batch_id: str) -> Admission:
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


def _split(body: bytes) -> Items:
    text = body.strip()
    if text.startswith(b"["):
        check_json(body)
        check_item_count(count_array, body, EVENTS_MAX)
        return Items(_decode_array(body), levels_around=1)
    try:
        sent = _decode_object(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _split_lines(text, error)
    if "events" in sent and "event" not in sent:
        return _split_envelope(text)
    return Items([msgspec.Raw(text)])


def _split_envelope(text: bytes) -> Items:
    check_item_count(count_envelope, text, EVENTS_MAX)
    try:
        return _split_members(text)
    except msgspec.ValidationError:
        raise _shape_problem("events", "validation.type", "must be an array of events") from None


def _split_lines(text: bytes, error: Exception) -> Items:
    lines = text.split(b"\n", LINES_MAX)
    check_count(len(lines), LINES_MAX, noun="lines")
    lines = [line for line in lines if line.strip()]
    if len(lines) < 2 or not any(map(_is_json_object, lines)):
        if isinstance(error, msgspec.ValidationError):
            raise InvalidInput("The body must be an event, an array of events or NDJSON.")
        raise malformed(text, error)
    return Items([msgspec.Raw(line) for line in lines])


def _is_json_object(line: bytes) -> bool:
    try:
        _decode_object(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _read_envelope(context: msgspec.Raw = ABSENT, sent_at: msgspec.Raw = ABSENT) -> Envelope:
    if not is_object(context):
        raise _shape_problem("context", "validation.type", "must be an object")
    if is_absent(sent_at):
        return Envelope(context)
    time = time_in(sent_at, epoch=True)
    if isinstance(time, str):
        raise _shape_problem("sent_at", "validation.format", time)
    return Envelope(context, time)


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("events", "validation.required", "must hold at least one event")
    check_count(count, EVENTS_MAX)


def _shape_problem(field: str, code: str, message: str) -> InvalidInput:
    details: list[dict[str, object]] = [{"field": field, "code": code, "message": message}]
    return InvalidInput(f"'{field}' {message}.", details=details)


BODIES = BodyFormat(
    fields=FIELDS,
    policy="good events",
    shapes=("one", "array", "envelope", "lines"),
    events_max=EVENTS_MAX,
    lines_max=LINES_MAX,
    beside=_BESIDE,
    split=_split,
    check_count=_check_count,
    read_envelope=_read_envelope,
)
_decide = GoodEvents(BODIES).decide


def make_routes(code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; ``code`` is what their frames carry."""
    return (
        IngestRoute(
            path="/v1/events",
            dialect=Dialect(code=code, name=NAME, decode=FrameReader(BODIES).decode),
            dialect_version=VERSION,
            bodies=BODIES,
            admit=admit,
            render_error=render_error,
            credentials=(*ANY_ROUTE, query_parameter("api_key")),
        ),
    )
