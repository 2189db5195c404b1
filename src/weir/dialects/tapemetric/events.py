"""The Tapemetric dialect: ``POST /v1/ingest/events`` and the beacon, ``/v1/ingest/beacon``.

Source: seed 004 and spec/ingest.md section 7. The body is ``{"events": […]}``; good events of a
mixed batch are taken, and the reply lists what is wrong with the others. Fields beyond the
canonical ones go into ``properties`` under their own names, those that the vendor knows first. A
beacon is answered 200 whatever happens, because its sender cannot read an answer; the body of the
answer, and the ledger, say what happened.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

import msgspec

from weir.dialects.beacon import read_beacon, render_beacon_error
from weir.dialects.credentials import ANY_ROUTE, query_parameter
from weir.dialects.decoding import (
    MEMBERS_MAX,
    check_beside,
    check_count,
    check_item_count,
    check_json,
    count_envelope,
    find_faulty,
    find_refused,
    plain_properties,
)
from weir.dialects.fields import FIELDS_MAX, Problem, check_event
from weir.dialects.hygiene import check_depth, check_encoding, is_sound, mend
from weir.dialects.jsontext import compose, fold, member_names
from weir.dialects.port import Admission, IngestRoute, Limits, RateLimits, Reply, Submission
from weir.dialects.replies import encode_reply, tell_details
from weir.dialects.tapemetric.fields import FIELDS, KEPT, Checked, CheckedKnown, Kept, KeptKnown
from weir.domain.event import ABSENT, Dialect, Event
from weir.domain.frame import Frame, FrameMeta, decode_meta, encode_meta
from weir.errors import InvalidInput, WeirError

NAME = "tapemetric"
VERSION = 1
EVENTS_MAX = 500
LEVELS_AROUND = 2
"""Levels of JSON around an event: the envelope and its list."""


class _KnownBatch(msgspec.Struct):
    events: list[CheckedKnown]


class _Batch(msgspec.Struct):
    events: list[Checked]


class _KeptKnownBatch(msgspec.Struct):
    events: list[KeptKnown]


class _KeptBatch(msgspec.Struct):
    events: list[Kept]


class _Members(msgspec.Struct):
    events: list[dict[str, msgspec.Raw]]


class _Parts(msgspec.Struct):
    events: list[msgspec.Raw]


_decode_known = msgspec.json.Decoder(_KnownBatch).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_kept_known = msgspec.json.Decoder(_KeptKnownBatch).decode
_decode_kept = msgspec.json.Decoder(_KeptBatch).decode
_decode_members = msgspec.json.Decoder(_Members).decode
_decode_parts = msgspec.json.Decoder(_Parts).decode

_kept_of = attrgetter(*KEPT)
_NONE_KEPT = (ABSENT,) * len(KEPT)
_NOTHING: Mapping[str, msgspec.Raw] = {}


def admit(submission: Submission) -> Admission:
    """Takes the good events of a batch and tells what is wrong with each of the others."""
    body, limits = submission.body, submission.limits
    sound = is_sound(body)
    pieces = _plain_pieces(body, limits) if sound else None
    if pieces is not None:
        count = len(pieces)
        if not 0 < count <= EVENTS_MAX:
            _check_count(count)
        try:
            check_depth(body, pieces, depth_max=limits.json_depth_max)
            return _taken(count)
        except InvalidInput:
            pass  # an event is too deep: looked at one by one, the others are taken
    raws = _split(body) if sound else _split_unsound(body)
    faulty = {} if sound else find_faulty(raws)
    refused = find_refused(raws, FIELDS, limits, levels_around=LEVELS_AROUND, faulty=faulty)
    return _mixed(len(raws) - len(refused), refused) if refused else _taken(len(raws))


def decode_frame(frame: Frame) -> Sequence[Event]:
    """The events of a frame that ``admit`` took, without the refused ones."""
    refused = frozenset(decode_meta(frame.meta).refused)
    read = None if refused else _read_together(frame.body)
    if read is not None:
        return read
    raws = _decode_parts(mend(frame.body)).events
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


def _split_unsound(body: bytes) -> Sequence[msgspec.Raw]:
    """The events of a body some of which may not be stored.

    Raises ``InvalidInput`` when that is not the fault of events alone.
    """
    check_encoding(body)
    mended = mend(body)
    raws = _split(mended)
    check_beside(mended)
    return raws


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


def _read_together(body: bytes) -> Sequence[Event] | None:
    """The events of a batch of good ones; None when each must be read by itself."""
    events: Sequence[Kept]
    further: Sequence[Mapping[str, msgspec.Raw]]
    try:
        events = _decode_kept_known(body).events
        further = [_NOTHING] * len(events)
    except msgspec.ValidationError:
        try:
            events = _decode_kept(body).events
            further = _decode_members(body).events
        except msgspec.ValidationError:
            return None
    if plain_properties(events) is None:
        return None
    for event, sent in zip(events, further, strict=True):
        _gather(event, sent)
    return events


def _gather(event: Kept, sent: Mapping[str, msgspec.Raw]) -> None:
    """Puts the vendor's further fields into the properties, and behind them the unknown ones."""
    values = _kept_of(event)
    if values == _NONE_KEPT and not sent:
        return
    extras = {name: raw for name, raw in zip(KEPT, values, strict=True) if raw is not ABSENT}
    extras.update((name, raw) for name, raw in sent.items() if name not in FIELDS)
    event.properties = fold(extras, event.properties)


def _in_order(raw: msgspec.Raw) -> msgspec.Raw:
    """The same event, the fields that are known first: whichever way it is read, it is the same."""
    sent = member_names(raw)
    known = {name: sent[name] for name in FIELDS if name in sent}
    return compose({**known, **sent})


def render_refusal(error: WeirError) -> Reply:
    """``{"error": code, "message": text, "details": […]}``, of every refusal."""
    value = {"error": error.code, "message": str(error), "details": tell_details(error)}
    return encode_reply(error.status, value)


_DIALECT = Dialect(code=4, name=NAME, decode=decode_frame)

_RATES = RateLimits(events=120_000)

ROUTES = (
    IngestRoute(
        path="/v1/ingest/events",
        dialect=_DIALECT,
        dialect_version=VERSION,
        admit=admit,
        render_error=render_refusal,
        rates=_RATES,
    ),
    IngestRoute(
        path="/v1/ingest/beacon",
        dialect=_DIALECT,
        dialect_version=VERSION,
        admit=admit,
        render_error=render_beacon_error,
        methods=(b"POST", b"GET"),
        credentials=(*ANY_ROUTE, query_parameter("api_key")),
        read_body=read_beacon,
        rates=_RATES,
    ),
)
