"""The Tapemetric dialect: ``POST /v1/ingest/events`` and the beacon, ``/v1/ingest/beacon``.

Source: seed 004 and spec/ingest.md section 7. The body is ``{"events": […]}``; good events of a
mixed batch are taken, and the reply lists what is wrong with the others. Fields beyond the
canonical ones go into ``properties`` under their own names, those that the vendor knows first. A
beacon is answered 200 whatever happens, because its sender cannot read an answer; the body of the
answer, and the ledger, say what happened.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from weir.domain.event import ABSENT, Dialect, Event
from weir.domain.frame import Frame, FrameMeta, decode_meta, encode_meta
from weir.errors import InvalidInput
from weir.ingest.admission import Admission, IngestRoute, Limits, Submission
from weir.ingest.beacon import read_beacon, render_beacon_error
from weir.ingest.decoding import (
    MEMBERS_MAX,
    check_count,
    check_item_count,
    check_json,
    count_envelope,
    excesses,
    judge_each,
    plain_properties,
)
from weir.ingest.fields import (
    EVENT_ID_CHARS_MAX,
    FIELDS_MAX,
    Field,
    Problem,
    check_event,
    table,
)
from weir.ingest.hygiene import check_depth, check_text
from weir.ingest.jsontext import compose, fold, member_names
from weir.ingest.replies import encode_reply, render_error

NAME = "tapemetric"
VERSION = 1
EVENTS_MAX = 500
EVENT_TYPE_CHARS_MAX = 48
ID_CHARS_MAX = 128
TITLE_CHARS_MAX = 255
LEVELS_AROUND = 2
"""Levels of JSON around an event: the envelope and its list."""

CONTENT_TYPES = ("series", "film", "live", "short")
PLANS = ("svod", "avod", "tvod", "free")

FIELDS = table(
    Field(
        "event_type", "event", "text", required=True, chars_min=1, chars_max=EVENT_TYPE_CHARS_MAX
    ),
    Field("event_id", "event_id", "text", chars_min=1, chars_max=EVENT_ID_CHARS_MAX),
    Field("ts", "ts", "time", required=True),
    Field("anonymous_id", "anonymous_id", "text", required=True, chars_min=1),
    Field("session_id", "session_id", "text", required=True, chars_min=1),
    Field("user_id", "user_id", "text", chars_max=ID_CHARS_MAX),
    Field("sent_at", "sent_at", "time", lenient=True),
    Field("context", "context", "object"),
    Field("properties", "properties", "object"),
    Field("content_id", "", "text", chars_max=ID_CHARS_MAX),
    Field("content_type", "", "text", choices=CONTENT_TYPES),
    Field("content_title", "", "text", chars_max=TITLE_CHARS_MAX),
    Field("season", "", "integer"),
    Field("episode", "", "integer"),
    Field("position_sec", "", "number"),
    Field("duration_sec", "", "number"),
    Field("bitrate_kbps", "", "integer"),
    Field("buffer_count", "", "integer"),
    Field("buffer_duration_ms", "", "integer"),
    Field("plan", "", "text", choices=PLANS),
    Field("revenue_inr", "", "number"),
)
KEPT = tuple(name for name, field in FIELDS.items() if not field.target)
"""Fields that the vendor knows and that stand in ``properties``."""

_kept_of = attrgetter(*KEPT)
_NONE_KEPT = (ABSENT,) * len(KEPT)

_Id = Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)]
_Needed = Annotated[str, msgspec.Meta(min_length=1)]


class _Checked(Event, kw_only=True):
    """An event as the door looks at it: nothing of it is kept."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_TYPE_CHARS_MAX)] = (
        msgspec.field(name="event_type")
    )
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)] | None = (
        None
    )
    ts: datetime
    anonymous_id: _Needed
    session_id: _Needed
    user_id: _Id | None = None
    content_id: _Id | None = None
    content_type: Literal["series", "film", "live", "short"] | None = None
    content_title: Annotated[str, msgspec.Meta(max_length=TITLE_CHARS_MAX)] | None = None
    season: int | None = None
    episode: int | None = None
    position_sec: float | None = None
    duration_sec: float | None = None
    bitrate_kbps: int | None = None
    buffer_count: int | None = None
    buffer_duration_ms: int | None = None
    plan: Literal["svod", "avod", "tvod", "free"] | None = None
    revenue_inr: float | None = None


class _CheckedKnown(_Checked, forbid_unknown_fields=True):
    """The same without unknown fields."""


class _Kept(Event, forbid_unknown_fields=True):
    """An event that was taken, as the loader reads it: values stay as they were sent."""

    event: str = msgspec.field(name="event_type")
    content_id: msgspec.Raw = ABSENT
    content_type: msgspec.Raw = ABSENT
    content_title: msgspec.Raw = ABSENT
    season: msgspec.Raw = ABSENT
    episode: msgspec.Raw = ABSENT
    position_sec: msgspec.Raw = ABSENT
    duration_sec: msgspec.Raw = ABSENT
    bitrate_kbps: msgspec.Raw = ABSENT
    buffer_count: msgspec.Raw = ABSENT
    buffer_duration_ms: msgspec.Raw = ABSENT
    plan: msgspec.Raw = ABSENT
    revenue_inr: msgspec.Raw = ABSENT


class _KnownBatch(msgspec.Struct):
    events: list[_CheckedKnown]


class _Batch(msgspec.Struct):
    events: list[_Checked]


class _KeptBatch(msgspec.Struct):
    events: list[_Kept]


class _Parts(msgspec.Struct):
    events: list[msgspec.Raw]


_decode_known = msgspec.json.Decoder(_KnownBatch).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_kept = msgspec.json.Decoder(_KeptBatch).decode
_decode_parts = msgspec.json.Decoder(_Parts).decode


def admit(submission: Submission) -> Admission:
    """Takes the good events of a batch and tells what is wrong with each of the others."""
    body, limits = submission.body, submission.limits
    check_text(body)
    pieces = _plain_pieces(body, limits)
    if pieces is not None:
        count = len(pieces)
        if not 0 < count <= EVENTS_MAX:
            _check_count(count)
        try:
            check_depth(body, pieces, depth_max=limits.json_depth_max)
            return _taken(count)
        except InvalidInput:
            pass  # an event is too deep: looked at one by one, the others are taken
    raws = _split(body)
    judged = judge_each(raws, FIELDS)
    refused = {
        index: problems
        for index, raw in enumerate(raws)
        if (problems := judged[index] or excesses(raw, LEVELS_AROUND, limits))
    }
    return _mixed(len(raws) - len(refused), refused) if refused else _taken(len(raws))


def decode_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit`` took, without the refused ones."""
    refused = frozenset(decode_meta(frame.meta).refused)
    if not refused:
        try:
            kept = _decode_kept(frame.body).events
        except msgspec.ValidationError:
            kept = []
        if kept and plain_properties(kept) is not None:
            for event in kept:
                _gather(event)
            return kept
    raws = _decode_parts(frame.body).events
    checked = [
        check_event(_in_order(raw), FIELDS)
        for index, raw in enumerate(raws)
        if index not in refused
    ]
    return [event for event in checked if isinstance(event, Event)]


def _plain_pieces(body: bytes, limits: Limits) -> list[bytes] | None:
    """The events' properties when all events are good; None when each must be looked at."""
    if len(body) > MEMBERS_MAX and body.count(b",") >= MEMBERS_MAX:
        return None
    for decode in (_decode_known, _decode_batch):
        try:
            events: Sequence[Event] = decode(body).events
        except (msgspec.DecodeError, RecursionError):
            continue
        is_plain = len(body) <= limits.event_bytes_max and (
            decode is _decode_known or body.count(b",") < FIELDS_MAX
        )
        return plain_properties(events) if is_plain or _are_small(body, limits) else None
    return None


def _are_small(body: bytes, limits: Limits) -> bool:
    return all(
        len(bytes(raw)) <= limits.event_bytes_max and bytes(raw).count(b",") < FIELDS_MAX
        for raw in _decode_parts(body).events
    )


def _split(body: bytes) -> Sequence[msgspec.Raw]:
    check_json(body)
    check_item_count(count_envelope, body, EVENTS_MAX)
    try:
        raws = _decode_parts(body).events
    except msgspec.ValidationError:
        raise _shape_problem("must be an array of events") from None
    _check_count(len(raws))
    return raws


@lru_cache(maxsize=EVENTS_MAX)
def _taken(count: int) -> Admission:
    """Of a batch without anything to refuse; such are all alike."""
    reply = encode_reply(200, {"accepted": count, "rejected": 0, "queued": True})
    return Admission(count, 0, b"", reply)


def _mixed(taken: int, refused: dict[int, list[Problem]]) -> Admission:
    errors: list[dict[str, object]] = [
        {"index": index, "field": problem.field, "message": problem.message}
        for index, problems in refused.items()
        for problem in problems
    ]
    if not taken:
        raise InvalidInput(
            "No event of the request is valid; nothing was stored.",
            details=errors,
            refused_count=len(refused),
        )
    reply = {"accepted": taken, "rejected": len(refused), "queued": True, "errors": errors}
    meta = encode_meta(FrameMeta(refused=tuple(refused)))
    return Admission(taken, len(refused), meta, encode_reply(200, reply))


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("must hold at least one event")
    check_count(count, EVENTS_MAX)


def _shape_problem(message: str) -> InvalidInput:
    details: list[dict[str, object]] = [{"field": "events", "message": message}]
    return InvalidInput(f"'events' {message}.", details=details)


def _gather(event: _Kept) -> None:
    """Puts the vendor's further fields into the properties."""
    values = _kept_of(event)
    if values != _NONE_KEPT:
        sent = {name: raw for name, raw in zip(KEPT, values, strict=True) if raw is not ABSENT}
        event.properties = fold(sent, event.properties)


def _in_order(raw: msgspec.Raw) -> msgspec.Raw:
    """The same event, the fields that are known first: whichever way it is read, it is the same."""
    sent = member_names(raw)
    known = {name: sent[name] for name in FIELDS if name in sent}
    return compose({**known, **sent})


_DIALECT = Dialect(code=4, name=NAME, decode=decode_frame)

ROUTES = (
    IngestRoute(
        path="/v1/ingest/events",
        dialect=_DIALECT,
        dialect_version=VERSION,
        admit=admit,
        render_error=render_error,
    ),
    IngestRoute(
        path="/v1/ingest/beacon",
        dialect=_DIALECT,
        dialect_version=VERSION,
        admit=admit,
        render_error=render_beacon_error,
        methods=(b"POST", b"GET"),
        key_parameter="api_key",
        read_body=read_beacon,
    ),
)
