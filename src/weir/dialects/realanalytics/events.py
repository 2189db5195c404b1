"""The RealAnalytics dialect: ``POST /`` with one event, an array, or ``{apiKey, events}``.

A request is taken whole or refused whole. A key in the envelope counts when the headers hold none;
it is not written. Fields that the vendor does not know go into ``properties``, except ``event_id``,
and ``sent_at`` when it is well-formed. Source: docs/guide/coming-from-realanalytics.md.
"""

from functools import partial

import msgspec

from weir.dialects.batches import ONE_EVENT, AllOrNone, judge_all
from weir.dialects.credential_finders import ANY_ROUTE, InBody
from weir.dialects.decoding import (
    check_count,
    check_item_count,
    check_json,
    check_sizes,
    count_array,
)
from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table
from weir.dialects.frame_reader import FrameReader
from weir.dialects.jsontext import is_absent
from weir.dialects.port import Admission, AdmissionLimits, IngestRoute, RateLimits, Submission
from weir.dialects.realanalytics.replies import render_error, tell
from weir.dialects.replies import encode_reply
from weir.dialects.shapes import BodyFormat, Items, first_byte
from weir.domain.event import ABSENT, Dialect
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


class _Members(msgspec.Struct, rename="camel"):
    """The members of a body by which it is told what it is."""

    events: msgspec.Raw = ABSENT
    event: msgspec.Raw = ABSENT
    api_key: msgspec.Raw = ABSENT

    @property
    def is_envelope(self) -> bool:
        return bool(bytes(self.events)) and not bytes(self.event)


_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(_Members).decode
_decode_text = msgspec.json.Decoder(str | None).decode

_TAKEN = tuple(
    encode_reply(200, {"success": True, "events": count}) for count in range(EVENTS_MAX + 1)
)
_TAKEN_ONE = Admission(1, 0, b"", _TAKEN[1])


def admit(submission: Submission) -> Admission:
    """Up to ``EVENTS_MAX`` events, all or none."""
    accepted = _decide(submission)
    if accepted is ONE_EVENT:
        return _TAKEN_ONE
    count = accepted.count
    return Admission(count, 0, b"", _TAKEN[count], _without_key(submission.body))


def find_key(body: bytes) -> str | None:
    """The ``apiKey`` of an envelope; None when there is none."""
    try:
        sent = _decode_members(body)
        key = None if is_absent(sent.api_key) else _decode_text(sent.api_key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return key if sent.is_envelope else None


def _without_key(body: bytes) -> bytes | None:
    """The body's envelope without its key; None when no key is in the body."""
    if first_byte(body) != b"{" or (b"apiKey" not in body and b"\\u" not in body):
        return None
    sent = _decode_members(body)
    if not bytes(sent.api_key) or not sent.is_envelope:
        return None
    return b'{"events":%s}' % bytes(sent.events)


def _split(body: bytes) -> Items:
    if first_byte(body) != b"{":
        return Items(_split_array(body, "must be an event or an array of events"), 1)
    sent = _decode_members(body)
    if not sent.is_envelope:
        return Items([msgspec.Raw(body)])
    return Items(_split_array(bytes(sent.events), "must be an array of events", "events"), 2)


def _split_array(array: bytes, message: str, *path: str) -> list[msgspec.Raw]:
    check_item_count(count_array, array, EVENTS_MAX)
    try:
        return _decode_array(array)
    except msgspec.ValidationError:
        problem: dict[str, object] = {"path": path, "code": "validation.type", "message": message}
        raise InvalidInput(f"The body {message}.", details=[problem]) from None


def _check_count(count: int) -> None:
    if count == 0:
        raise InvalidInput("A request holds at least one event.", code="validation.minItems")
    check_count(count, EVENTS_MAX)


def _check_large(body: bytes, limits: AdmissionLimits) -> None:
    check_json(body)
    check_sizes(_split(body).raws, limits)


BODIES = BodyFormat(
    fields=FIELDS,
    policy="all or none",
    shapes=("one", "array", "envelope"),
    events_max=EVENTS_MAX,
    split=_split,
    check_count=_check_count,
)
_decide = AllOrNone(BODIES, judge=partial(judge_all, BODIES, tell), check_large=_check_large).decide


def make_routes(code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; ``code`` is what their frames carry."""
    return (
        IngestRoute(
            path="/",
            dialect=Dialect(code=code, name=NAME, decode=FrameReader(BODIES).decode),
            dialect_version=VERSION,
            bodies=BODIES,
            admit=admit,
            render_error=render_error,
            credentials=(*ANY_ROUTE, InBody(find_key)),
            rates=RateLimits(requests=1000),
        ),
    )
