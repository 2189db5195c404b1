"""The RealAnalytics dialect: ``POST /`` with one event, an array, or ``{apiKey, events}``.

Source: seed 001 and spec/ingest.md section 4. A request is taken whole or refused whole. A key in
the envelope counts when the headers hold none; it is not written. Fields that the vendor does not
know go into ``properties``, except ``event_id``, and ``sent_at`` when it is well-formed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, NamedTuple

import msgspec

from weir.dialects.credentials import ANY_ROUTE, InBody
from weir.dialects.decoding import (
    check_count,
    check_each,
    check_item_count,
    check_json,
    check_members,
    check_sizes,
    count_array,
    events_or_refusal,
    judge_each,
    refuse_problems,
)
from weir.dialects.fields import (
    EVENT_ID_CHARS_MAX,
    FIELDS_MAX,
    Field,
    has_more_members,
    table,
)
from weir.dialects.hygiene import check_depth, check_text
from weir.dialects.jsontext import is_absent
from weir.dialects.port import Admission, IngestRoute, RateLimits, Submission
from weir.dialects.realanalytics.replies import render_error, tell
from weir.dialects.replies import encode_reply
from weir.domain.event import ABSENT, Dialect, Event
from weir.domain.frame import Frame
from weir.errors import InvalidInput

NAME = "realanalytics"
VERSION = 1
EVENTS_MAX = 100
EVENT_CHARS_MAX = 100
PROPERTIES_MAX = 100

FIELDS = table(
    Field("event", "event", "text", required=True, chars_min=1, chars_max=EVENT_CHARS_MAX),
    Field("timestamp", "ts", "time", required=True),
    Field("distinctId", "user_id", "text", required=True, chars_min=1),
    Field("sessionId", "session_id", "text", required=True, chars_min=1),
    Field("properties", "properties", "object", required=True, members_max=PROPERTIES_MAX),
    Field("event_id", "event_id", "text", chars_min=1, chars_max=EVENT_ID_CHARS_MAX),
    Field("sent_at", "sent_at", "time", lenient=True),
)

_ENVELOPE_PATH = ("events",)
_ENVELOPE_MARK = b'"events"'
_PROPERTIES_UNCOUNTED_BYTES = PROPERTIES_MAX * len(b'"":1,')
"""Size from which an object may have too many keys."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_CHARS_MAX)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)]


class _Sent(msgspec.Struct, rename="camel"):
    """An event as the vendor's SDK sends it."""

    event: _Name
    timestamp: datetime
    distinct_id: _Text
    session_id: _Text
    properties: msgspec.Raw
    event_id: _EventId | None = msgspec.field(name="event_id", default=None)


class _Known(_Sent, forbid_unknown_fields=True):
    """The same without unknown fields: what needs no folding."""

    sent_at: datetime | None = msgspec.field(name="sent_at", default=None)


class _Envelope(msgspec.Struct):
    events: Sequence[_Sent]
    event: msgspec.Raw = ABSENT
    """Present in a body that is one event, whatever its ``events`` are."""


class _KnownEnvelope(_Envelope):
    events: Sequence[_Known]


class _Parts(msgspec.Struct, rename="camel"):
    events: msgspec.Raw = ABSENT
    event: msgspec.Raw = ABSENT
    api_key: msgspec.Raw = ABSENT


class _Split(NamedTuple):
    """The items of a body, and where they stand in it."""

    raws: Sequence[msgspec.Raw]
    path: tuple[str, ...] | None
    """Of the list that holds them; None: the body is the one item."""


class _Decoders(NamedTuple):
    """Of the three forms of a body."""

    one: Callable[[bytes], _Sent]
    array: Callable[[bytes], list[_Sent]]
    envelope: Callable[[bytes], _Envelope]


_KNOWN = _Decoders(
    msgspec.json.Decoder(_Known).decode,
    msgspec.json.Decoder(list[_Known]).decode,  # type: ignore[arg-type]  # of a subclass
    msgspec.json.Decoder(_KnownEnvelope).decode,
)
_decode_sent = msgspec.json.Decoder(_Sent).decode
_SENT = _Decoders(
    _decode_sent,
    msgspec.json.Decoder(list[_Sent]).decode,
    msgspec.json.Decoder(_Envelope).decode,
)
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_parts = msgspec.json.Decoder(_Parts).decode
_decode_text = msgspec.json.Decoder(str | None).decode

_TAKEN = tuple(
    encode_reply(200, {"success": True, "events": count}) for count in range(EVENTS_MAX + 1)
)
_TAKEN_ONE = Admission(1, 0, b"", _TAKEN[1])


def admit(submission: Submission) -> Admission:
    """Up to ``EVENTS_MAX`` events, all or none."""
    body, limits = submission.body, submission.limits
    check_text(body)
    piece = _single_piece(body)
    if piece is not None and len(body) <= limits.event_bytes_max:
        check_depth(body, [piece], depth_max=limits.json_depth_max)
        return _TAKEN_ONE
    if len(body) > limits.event_bytes_max:
        check_json(body)
        check_sizes(_split(body).raws, limits)
    pieces = _pieces(body)
    count = len(pieces)
    _check_count(count)
    check_depth(body, pieces, depth_max=limits.json_depth_max)
    return Admission(count, 0, b"", _TAKEN[count], _without_key(body))


def find_key(body: bytes) -> str | None:
    """The ``apiKey`` of an envelope; None when there is none."""
    try:
        parts = _decode_parts(body)
        key = None if is_absent(parts.api_key) else _decode_text(parts.api_key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return key if _is_envelope(parts) else None


def decode_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit`` took."""
    known = _decode_all(_KNOWN, frame.body)
    if known is None or not _are_fine([bytes(sent.properties) for sent in known]):
        return events_or_refusal(check_each(_split(frame.body).raws, FIELDS))
    return [
        Event(
            event=sent.event,
            event_id=sent.event_id,
            user_id=sent.distinct_id,
            session_id=sent.session_id,
            ts=sent.timestamp,
            sent_at=sent.sent_at if isinstance(sent, _Known) else None,
            properties=sent.properties,
        )
        for sent in known
    ]


def _single_piece(body: bytes) -> bytes | None:
    """The properties of a body that is one plain event; None when it must be looked at closely."""
    if body[:1] != b"{" or _ENVELOPE_MARK in body or body.count(b",") >= FIELDS_MAX:
        return None
    try:
        piece = bytes(_decode_sent(body).properties)
    except (msgspec.DecodeError, RecursionError):
        return None
    if len(piece) >= _PROPERTIES_UNCOUNTED_BYTES and not _are_fine([piece]):
        return None
    return piece if piece[:1] == b"{" else None


def _pieces(body: bytes) -> list[bytes]:
    """The events' properties; empty texts when they are not simply known."""
    for decoders in (_KNOWN, _SENT):
        sent = _decode_all(decoders, body)
        if sent is None:
            continue
        pieces = [bytes(each.properties) for each in sent]
        if not _are_fine(pieces):
            break
        if decoders is _SENT and body.count(b",") >= FIELDS_MAX:
            split = _split(body)
            check_members(body, split.raws, FIELDS, partial(tell, split.path))
        return pieces
    return [b""] * _judge(body)


def _decode_all(decoders: _Decoders, body: bytes) -> Sequence[_Sent] | None:
    """The events of a body in any form; None when some must be looked at one by one."""
    try:
        if not _begins_object(body):
            return decoders.array(body)
        if _ENVELOPE_MARK not in body:
            return [decoders.one(body)]
        envelope = decoders.envelope(body)
        return None if bytes(envelope.event) else envelope.events
    except (msgspec.DecodeError, RecursionError):
        return None


def _begins_object(body: bytes) -> bool:
    return body[:1] == b"{" or body.lstrip()[:1] == b"{"


def _are_fine(pieces: Sequence[bytes]) -> bool:
    """Whether all properties are objects with few enough keys."""
    if not {piece[:1] for piece in pieces} <= {b"{"}:
        return False
    if max(map(len, pieces), default=0) < _PROPERTIES_UNCOUNTED_BYTES:
        return True
    return not any(has_more_members(msgspec.Raw(piece), PROPERTIES_MAX) for piece in pieces)


def _judge(body: bytes) -> int:
    """The number of events; raises ``InvalidInput`` with everything that is wrong with them."""
    check_json(body)
    split = _split(body)
    _check_count(len(split.raws))
    refuse_problems(judge_each(split.raws, FIELDS), partial(tell, split.path))
    return len(split.raws)


def _split(body: bytes) -> _Split:
    """The items of a body that is JSON; raises ``InvalidInput`` for another shape."""
    if not _begins_object(body):
        return _Split(_items(body, ()), ())
    parts = _decode_parts(body)
    if not _is_envelope(parts):
        return _Split([msgspec.Raw(body)], None)
    return _Split(_items(bytes(parts.events), _ENVELOPE_PATH), _ENVELOPE_PATH)


def _items(array: bytes, path: tuple[str, ...]) -> list[msgspec.Raw]:
    check_item_count(count_array, array, EVENTS_MAX)
    try:
        return _decode_array(array)
    except msgspec.ValidationError:
        message = "must be an array of events" if path else "must be an event or an array of events"
        problem: dict[str, object] = {"path": path, "code": "validation.type", "message": message}
        raise InvalidInput(f"The body {message}.", details=[problem]) from None


def _is_envelope(parts: _Parts) -> bool:
    return bool(bytes(parts.events)) and not bytes(parts.event)


def _check_count(count: int) -> None:
    if count == 0:
        raise InvalidInput("A request holds at least one event.", code="validation.minItems")
    check_count(count, EVENTS_MAX)


def _without_key(body: bytes) -> bytes | None:
    """The same envelope without a key; None when there is none in the body."""
    if not _begins_object(body) or (b"apiKey" not in body and b"\\u" not in body):
        return None
    parts = _decode_parts(body)
    if not bytes(parts.api_key) or not _is_envelope(parts):
        return None
    return b'{"events":%s}' % bytes(parts.events)


ROUTES = (
    IngestRoute(
        path="/",
        dialect=Dialect(code=10, name=NAME, decode=decode_frame),
        dialect_version=VERSION,
        admit=admit,
        render_error=render_error,
        credentials=(*ANY_ROUTE, InBody(find_key)),
        rates=RateLimits(requests=1000),
    ),
)
