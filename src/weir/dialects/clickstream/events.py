"""The clickstream dialect: ``POST /ingest`` and ``POST /ingest/batch``.

A batch is taken whole or refused whole, and every problem is told by its dotted path. Fields that
are not canonical, whether the vendor knows them or not, go into ``properties``; ``batchId`` and
``clientInfo`` are the context of a batch's events. Source: docs/guide/coming-from-clickstream.md.
"""

from functools import partial

import msgspec

from weir.dialects.batches import Accepted, AllOrNone, SingleEvent, judge_all
from weir.dialects.clickstream.fields import BATCH_FIELDS, CLIENT_FIELDS, FIELDS
from weir.dialects.clickstream.replies import (
    BATCH_EVENTS_MAX,
    render_batch_error,
    render_event_error,
    tell,
    tell_event,
    too_many_events,
)
from weir.dialects.decoding import (
    check_item_count,
    check_json,
    count_array,
    count_envelope,
    judge_each,
)
from weir.dialects.fields import PROBLEMS_MAX, Problem, judge_event, time_in
from weir.dialects.frame_reader import FrameReader
from weir.dialects.jsontext import is_absent, member_names
from weir.dialects.port import Admission, AdmissionLimits, IngestRoute, RateLimits, Submission
from weir.dialects.replies import encode_reply
from weir.dialects.shapes import BodyFormat, Envelope, envelope_splitter, single_event
from weir.dialects.wire_types import checking_type, decoder
from weir.domain.event import ABSENT, Dialect
from weir.errors import InvalidInput

NAME = "clickstream"
VERSION = 1

_BESIDE = ("batchId", "sentAt", "clientInfo")
_LEVELS_AROUND = 2
"""Levels of JSON around an event of a batch."""


class _Members(msgspec.Struct, rename="camel"):
    """A batch of which nothing is known but that it is an object."""

    batch_id: msgspec.Raw = ABSENT
    sent_at: msgspec.Raw = ABSENT
    client_info: msgspec.Raw = ABSENT
    events: msgspec.Raw = ABSENT


_decode_members = msgspec.json.Decoder(_Members).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_client = decoder(checking_type(CLIENT_FIELDS, forbid_unknown_fields=False))
_encode = msgspec.json.Encoder().encode


def admit_event(submission: Submission) -> Admission:
    """One event, taken or refused."""
    event = _check_event(submission)
    event_id = _event_id(submission.body) if event is None else event.event_id
    return Admission(1, 0, b"", encode_reply(200, {"status": "success", "eventId": event_id}))


def admit_batch(submission: Submission) -> Admission:
    """Up to ``BATCH_EVENTS_MAX`` events, all or none."""
    accepted = _decide(submission)
    batch_id, count = accepted.envelope.batch_id, accepted.count
    reply = {"status": "success", "batchId": batch_id, "eventsProcessed": count}
    return Admission(count, 0, b"", encode_reply(200, reply))


def _event_id(body: bytes) -> str:
    """The id of an event that is valid."""
    return _decode_text(member_names(body)["event_id"])


def _read_envelope(
    batch_id: msgspec.Raw, sent_at: msgspec.Raw, client_info: msgspec.Raw
) -> Envelope:
    """What all events of a batch have around them; raises for a batch that is not valid."""
    text = _decode_text(batch_id)
    time = time_in(sent_at, epoch=False)
    if not text or isinstance(time, str):
        raise InvalidInput("The batch is not valid.")
    _decode_client(client_info)
    context = msgspec.Raw(_encode({"batchId": text, "clientInfo": client_info}))
    return Envelope(context, time, text)


def _check_large(body: bytes, _: AdmissionLimits) -> None:
    check_item_count(count_envelope, body, BATCH_EVENTS_MAX)


def _judge_batch(body: bytes) -> Accepted:
    """Judges a batch; raises ``InvalidInput`` with everything that is wrong with it."""
    check_json(body)
    sent = _members_of(body)
    details = [tell("", problem) for problem in judge_event(msgspec.Raw(body), BATCH_FIELDS)[0]]
    if bytes(sent.client_info).startswith(b"{"):
        found = judge_event(sent.client_info, CLIENT_FIELDS).problems
        details += [tell("clientInfo", problem) for problem in found]
    raws: list[msgspec.Raw] = []
    if bytes(sent.events).startswith(b"["):
        raws = _split_events(sent.events)
    if not raws:
        details.append(tell("", _absence_of_events(sent.events)))
    for index, problems in enumerate(judge_each(raws, FIELDS)):
        details += [tell_event(_LEVELS_AROUND, index, problem) for problem in problems]
    if details:
        raise InvalidInput(
            "The batch is not valid; nothing was stored.",
            details=details[:PROBLEMS_MAX],
            refused_count=max(1, len(raws)),
        )
    return Accepted(len(raws), _read_envelope(sent.batch_id, sent.sent_at, sent.client_info))


def _absence_of_events(events: msgspec.Raw) -> Problem:
    if is_absent(events):
        return Problem("events", "validation.required", "is required")
    if bytes(events).startswith(b"["):
        return Problem("events", "validation.minItems", "must hold at least 1 event")
    return Problem("events", "validation.type", "must be an array")


def _members_of(body: bytes) -> _Members:
    try:
        return _decode_members(body)
    except msgspec.ValidationError:
        problem = Problem("", "validation.type", "must be an object")
        raise InvalidInput("The body must be an object.", details=[tell("", problem)]) from None


def _split_events(events: msgspec.Raw) -> list[msgspec.Raw]:
    """The events of a batch, an array; raises ``InvalidInput`` when they are too many."""
    check_item_count(count_array, bytes(events), BATCH_EVENTS_MAX)
    raws = _decode_array(events)
    if len(raws) > BATCH_EVENTS_MAX:
        raise too_many_events(len(raws))
    return raws


EVENT = single_event(FIELDS)
BATCH = BodyFormat(
    fields=FIELDS,
    policy="all or none",
    shapes=("envelope",),
    events_max=BATCH_EVENTS_MAX,
    beside=_BESIDE,
    times_beside=("sentAt",),
    split=envelope_splitter(_BESIDE),
    read_envelope=_read_envelope,
)
_check_event = SingleEvent(EVENT, judge=partial(judge_all, EVENT, tell_event)).check
_decide = AllOrNone(BATCH, judge=_judge_batch, check_large=_check_large).decide

_RATES = RateLimits(requests=1000)


def make_routes(*, event_code: int, batch_code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; the codes are what frames of one event and of a batch carry."""
    return (
        IngestRoute(
            path="/ingest",
            dialect=Dialect(code=event_code, name=NAME, decode=FrameReader(EVENT).decode),
            dialect_version=VERSION,
            bodies=EVENT,
            admit=admit_event,
            render_error=render_event_error,
            rates=_RATES,
        ),
        IngestRoute(
            path="/ingest/batch",
            dialect=Dialect(code=batch_code, name=NAME, decode=FrameReader(BATCH).decode),
            dialect_version=VERSION,
            bodies=BATCH,
            admit=admit_batch,
            render_error=render_batch_error,
            rates=_RATES,
        ),
    )
