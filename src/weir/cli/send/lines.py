"""NDJSON into batches: each line an event that carries an ``event_id``.

A line is sent as it stands; only a missing ``event_id`` is added, made of the run and the line's
number, so that sending the same line of the same run again is the same event.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from select import select
from typing import Any, BinaryIO, NamedTuple

import msgspec

from weir.cli.send.state import ResumePoint
from weir.errors import InvalidInput

BATCH_EVENTS_MAX = 1000
BATCH_BYTES = 1_000_000
"""A batch is closed before it grows past this; a longer line goes alone."""

LINE_BYTES_MAX = 5 * 1024 * 1024
WAIT_S = 1.0
"""A line out of a pipe waits no longer than this for others to fill its batch."""

_READ_BYTES = 1 << 18
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMPRESSED = {b"\x1f\x8b": "zcat", b"\x28\xb5\x2f\xfd": "zstdcat"}
_MALFORMED = re.compile(r"malformed: (.+) \(byte (\d+)\)")
_SHOWN_BYTES = 10
_BEGINNING = ResumePoint()


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
    """Lines to send together, those that cannot be sent, and where the input goes on."""

    lines: list[Line]
    rejects: list[Reject]
    end: ResumePoint


class _Event(msgspec.Struct):
    event_id: Any = None


_decode = msgspec.json.Decoder(_Event).decode


def file_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only a part, of which the rest is skipped."""
    while line := stream.readline(LINE_BYTES_MAX + 1):
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX + 1)
        yield line


def arriving_lines(fd: int, *, monotonic_s: Callable[[], float]) -> Iterator[bytes | None]:
    """The lines of a pipe as they come, and every ``WAIT_S`` a None."""
    rest = b""
    due_s = monotonic_s() + WAIT_S
    while True:
        left_s = due_s - monotonic_s()
        if left_s <= 0 or not select([fd], [], [], left_s)[0]:
            yield None
            due_s = monotonic_s() + WAIT_S
            continue
        read = os.read(fd, _READ_BYTES)
        if not read:
            break
        *whole, rest = (rest + read).split(b"\n")
        rest = rest[: LINE_BYTES_MAX + 1]
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


def read_batches(
    texts: Iterable[bytes | None], *, run: str, events_max: int, start: ResumePoint = _BEGINNING
) -> Iterator[Batch]:
    """The batches of the lines from ``start`` on, in order; empty ones count and are not sent.

    None among the lines closes a batch. Raises ``InvalidInput`` for a file that is compressed.
    """
    lines: list[Line] = []
    rejects: list[Reject] = []
    size = 0
    number, read_bytes, checksum = start
    for text in texts:
        if text is None:
            if lines or rejects:
                yield Batch(lines, rejects, ResumePoint(number, read_bytes, checksum))
                lines, rejects, size = [], [], 0
            continue
        number += 1
        if number == 1:
            _check_plain(text)
        prepared = prepare_line(number, text, run=run)
        more = len(prepared.event) if isinstance(prepared, Line) else 0
        if len(lines) + len(rejects) >= events_max or (lines and size + more > BATCH_BYTES):
            yield Batch(lines, rejects, ResumePoint(number - 1, read_bytes, checksum))
            lines, rejects, size = [], [], 0
        if isinstance(prepared, Line):
            lines.append(prepared)
            size += more
        elif prepared is not None:
            rejects.append(prepared)
        read_bytes += len(text)
        checksum = zlib.crc32(text, checksum)
    if lines or rejects:
        yield Batch(lines, rejects, ResumePoint(number, read_bytes, checksum))


def prepare_line(number: int, text: bytes, *, run: str) -> Line | Reject | None:
    """The line with an ``event_id``, or why it cannot be sent; None for an empty one."""
    event = text.removeprefix(_BYTE_ORDER_MARK if number == 1 else b"").strip()
    if not event:
        return None
    if len(text) > LINE_BYTES_MAX:
        return Reject(number, "payload_too_large", "", f"is longer than {LINE_BYTES_MAX} bytes")
    try:
        known = _decode(event)
    except (msgspec.DecodeError, RecursionError) as error:
        return Reject(number, "invalid_json", "", _reason(error, event, start=text.find(event)))
    if known.event_id is not None:
        return Line(number, event)
    return Line(number, _with_event_id(event, f"{run}-{number}"))


def _with_event_id(event: bytes, event_id: str) -> bytes:
    """Adds it at the end, where it wins over an earlier null: the last of equal names counts."""
    members = event[:-1].rstrip()
    comma = b"" if members.endswith(b"{") else b","
    return b'%s%s"event_id":"%s"}' % (members, comma, event_id.encode())


def _reason(error: msgspec.DecodeError | RecursionError, event: bytes, *, start: int) -> str:
    """What is wrong with a line, and near which of its bytes; the first is byte 1."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, msgspec.ValidationError):
        return "is JSON, but not an object"
    if malformed := _MALFORMED.search(str(error)):
        at = int(malformed[2])
        near = event[max(0, at - _SHOWN_BYTES) : at + _SHOWN_BYTES].decode(errors="replace")
        return f"is not JSON: {malformed[1]} near byte {start + at + 1}, at {near}"
    return f"is not JSON: it ends too early, at byte {start + len(event)}"


def _check_plain(text: bytes) -> None:
    for magic, program in _COMPRESSED.items():
        if text.startswith(magic):
            raise InvalidInput(
                "The file is compressed.", hint=f"Send it with: {program} FILE | weir send -"
            )
