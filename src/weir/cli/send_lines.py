"""NDJSON into batches: each line an event that carries an ``event_id``.

A line is sent as it stands; only a missing ``event_id`` is added, made of the run and the line's
number, so that sending the same line of the same run again is the same event.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec

BATCH_EVENTS_MAX = 1000
BATCH_BYTES = 1_000_000
"""A batch is closed before it grows past this; a longer line goes alone."""

LINE_BYTES_MAX = 5 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line of the file, ready to be sent. Numbers start at 1."""

    number: int
    event: bytes


class Reject(NamedTuple):
    """An event that was not taken, and why."""

    line: int
    code: str
    field: str
    message: str


class Batch(NamedTuple):
    """Lines to send together, those that cannot be sent, and how far the file was read."""

    lines: list[Line]
    rejects: list[Reject]
    read_bytes: int


class _Event(msgspec.Struct):
    event_id: Any = None


_decode = msgspec.json.Decoder(_Event).decode


def read_batches(stream: BinaryIO, *, run: str, events_max: int) -> Iterator[Batch]:
    """The batches of a stream, in order; empty lines count as lines and are not sent."""
    lines: list[Line] = []
    rejects: list[Reject] = []
    size = read_bytes = 0
    for number, text in enumerate(iter(lambda: _read_line(stream), b""), 1):
        prepared = prepare_line(number, text, run=run)
        more = len(prepared.event) if isinstance(prepared, Line) else 0
        if len(lines) + len(rejects) >= events_max or (lines and size + more > BATCH_BYTES):
            yield Batch(lines, rejects, read_bytes)
            lines, rejects, size = [], [], 0
        if isinstance(prepared, Line):
            lines.append(prepared)
            size += more
        elif prepared is not None:
            rejects.append(prepared)
        read_bytes += len(text)
    if lines or rejects:
        yield Batch(lines, rejects, read_bytes)


def prepare_line(number: int, text: bytes, *, run: str) -> Line | Reject | None:
    """The line with an ``event_id``, or why it cannot be sent; None for an empty one."""
    event = text.removeprefix(_BYTE_ORDER_MARK if number == 1 else b"").strip()
    if not event:
        return None
    if len(text) > LINE_BYTES_MAX:
        return Reject(number, "payload_too_large", "", f"is longer than {LINE_BYTES_MAX} bytes")
    try:
        known = _decode(event)
    except (msgspec.DecodeError, RecursionError):
        return Reject(number, "invalid_json", "", "is not a JSON object")
    if known.event_id is not None:
        return Line(number, event)
    return Line(number, _with_event_id(event, f"{run}-{number}"))


def _with_event_id(event: bytes, event_id: str) -> bytes:
    """Adds it at the end, where it wins over an earlier null: the last of equal names counts."""
    members = event[:-1].rstrip()
    comma = b"" if members.endswith(b"{") else b","
    return b'%s%s"event_id":"%s"}' % (members, comma, event_id.encode())


def _read_line(stream: BinaryIO) -> bytes:
    """The next line; of one that is too long only a part, of which the rest is skipped."""
    line = stream.readline(LINE_BYTES_MAX + 1)
    rest = line
    while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
        rest = stream.readline(LINE_BYTES_MAX + 1)
    return line
