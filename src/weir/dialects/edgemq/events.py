"""The EdgeMQ data plane over HTTP: records of any bytes for an endpoint.

The payload is opaque: nothing but its size is looked at. A body is one record; a body that its
Content-Type calls NDJSON is one a line. Where a record is a JSON object its columns are taken from
it and it stands whole in ``properties``; any other is the event ``(raw)``, with its text in
``properties.payload``, or its bytes in ``properties.payload_base64`` where they are no text. The
frame holds the body as it was sent. Source: docs/guide/coming-from-edgemq.md.
"""

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from weir.dialects.credential_finders import Headers
from weir.dialects.decoding import check_count
from weir.dialects.edgemq.media_types import is_ndjson
from weir.dialects.fields import EVENT_ID_CHARS_MAX
from weir.dialects.hygiene import check_depth, check_text
from weir.dialects.jsontext import member_names
from weir.dialects.port import Admission, BodyTooLarge, IngestRoute, Submission
from weir.dialects.replies import encode_reply, render_error
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame, FrameMeta, decode_meta, encode_meta
from weir.domain.instants import parse_time
from weir.errors import InvalidInput

NAME = "edgemq"
VERSION = 1
ENDPOINT_PATH = "/v1/endpoints/{id}/ingest"
SHARED_PATH = "/ingest"
RAW_EVENT = "(raw)"
RECORDS_MAX = 50_000
"""Lines of one request that hold something."""

LINES_MAX = 8 * RECORDS_MAX
"""Lines of one request, the empty ones included."""

CONTENT_TYPE_CHARS_MAX = 200
DEPTH_MAX = 64
"""Levels of a record that is still an object to us: what was taken is read alike for ever."""

_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class _Columns(msgspec.Struct):
    """The members of a record that become columns, when all of them are texts."""

    event: str = ""
    event_type: str = ""
    event_name: str = ""
    type: str = ""
    timestamp: str = ""
    ts: str = ""
    event_time: str = ""
    time: str = ""
    user_id: str = ""
    userId: str = ""  # noqa: N815  # as it is spelled on the wire
    distinct_id: str = ""
    distinctId: str = ""  # noqa: N815  # as it is spelled on the wire
    event_id: str = ""


_decode_columns = msgspec.json.Decoder(_Columns).decode


def admit(submission: Submission) -> Admission:
    """Takes every record of a body, whatever it is, or the body is too large."""
    body = submission.body
    records = _records(body, submission.content_type)
    count = len(records)
    check_count(count, RECORDS_MAX, noun="records")
    if not count:
        raise InvalidInput("The body is empty.")
    if len(body) > submission.limits.event_bytes_max:
        _check_sizes(records, submission.limits.event_bytes_max)
    reply = encode_reply(202, {"accepted": count, "bytes": len(body)})
    return Admission(count, 0, _meta(submission.content_type), reply)


def decode_frame(frame: Frame) -> Sequence[Event]:
    """The records of a frame that ``admit`` took."""
    content_type = decode_meta(frame.meta).content_type
    sent = None if content_type is None else content_type.encode("latin-1")
    return [_read(record) for record in _records(frame.body, sent)]


def _records(body: bytes, content_type: bytes | None) -> list[bytes]:
    if not is_ndjson(content_type):
        return [body] if body else []
    lines = body.split(b"\n", LINES_MAX)
    if len(lines) > LINES_MAX:
        raise InvalidInput(f"A request holds at most {LINES_MAX} lines.", code="batch_too_large")
    return [line for line in lines if line and not line.isspace()]


def _check_sizes(records: Sequence[bytes], bytes_max: int) -> None:
    for index, record in enumerate(records):
        if len(record) > bytes_max:
            raise BodyTooLarge(
                f"Record {index} is larger than {bytes_max} bytes.",
                details=[{"index": index, "field": "", "message": "is too large"}],
                refused_count=len(records),
            )


@lru_cache(maxsize=256)
def _meta(content_type: bytes | None) -> bytes:
    if content_type is None:
        return b""
    text = content_type.decode("latin-1")[:CONTENT_TYPE_CHARS_MAX]
    return encode_meta(FrameMeta(content_type=text))


def _read(record: bytes) -> Event:
    text = record.strip()
    if not text.startswith(b"{") or not _is_clean(text):
        return _read_opaque(record)
    try:
        columns = _columns_of(text)
    except (msgspec.DecodeError, RecursionError):
        return _read_opaque(record)
    times = (columns.timestamp, columns.ts, columns.event_time, columns.time)
    event_id = columns.event_id
    return Event(
        event=columns.event
        or columns.event_type
        or columns.event_name
        or columns.type
        or RAW_EVENT,
        event_id=event_id if 0 < len(event_id) <= EVENT_ID_CHARS_MAX else None,
        user_id=columns.user_id
        or columns.userId
        or columns.distinct_id
        or columns.distinctId
        or None,
        ts=next(filter(None, map(parse_time, filter(None, times))), None),
        properties=msgspec.Raw(text),
    )


def _is_clean(text: bytes) -> bool:
    """Whether the engine can process JSON that stands in these bytes."""
    try:
        check_text(text)
        check_depth(text, [b""], depth_max=DEPTH_MAX)
    except InvalidInput:
        return False
    return True


def _columns_of(text: bytes) -> _Columns:
    """The columns of a JSON object; members that are no texts are left out."""
    try:
        return _decode_columns(text)
    except msgspec.ValidationError:
        sent = member_names(text)
    found: dict[str, str] = {}
    for name in _Columns.__struct_fields__:
        if bytes(sent.get(name, b"")).startswith(b'"'):
            found[name] = _decode_text(sent[name])
    return _Columns(**found)


def _read_opaque(record: bytes) -> Event:
    """Bytes that survive as they are: text that SQL can hold, else base64."""
    text = _text_of(record)
    value = {"payload_base64": b64encode(record).decode()} if text is None else {"payload": text}
    return Event(event=RAW_EVENT, properties=msgspec.Raw(_encode(value)))


def _text_of(record: bytes) -> str | None:
    try:
        return None if b"\0" in record else record.decode()
    except UnicodeDecodeError:
        return None


def _takes(headers: Headers, endpoint: bytes) -> bool:
    """Whether a request on the path of another dialect is ours: an endpoint's host, or NDJSON."""
    return bool(endpoint) or is_ndjson(headers.get(b"content-type"))


def make_routes(code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; ``code`` is what their frames carry."""
    dialect = Dialect(code=code, name=NAME, decode=frame_by_frame(decode_frame))
    return (
        IngestRoute(
            path=ENDPOINT_PATH,
            dialect=dialect,
            dialect_version=VERSION,
            admit=admit,
            render_error=render_error,
            bodies=None,
        ),
        IngestRoute(
            path=SHARED_PATH,
            dialect=dialect,
            dialect_version=VERSION,
            admit=admit,
            render_error=render_error,
            bodies=None,
            takes=_takes,
        ),
    )
