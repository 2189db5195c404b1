"""Events as the bytes that are sent. Decides and touches nothing: time and randomness come in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class Encoded(NamedTuple):
    """An event, ready to be sent, and the id that makes sending it again harmless."""

    event_id: str
    body: bytes


def encode_event(
    fields: Mapping[str, object], *, context: Mapping[str, object], now_s: float, random_bits: int
) -> Encoded:
    """The event with an ``event_id`` and a ``ts`` where it has none, its context over ``context``.

    Of ``random_bits`` 80 count. Raises ``ValueError`` when JSON in UTF-8 cannot say it: NaN,
    a cycle, a lone surrogate, an object of some class, or one that raises when it is read.
    """
    try:
        event = {name: value for name, value in fields.items() if value is not None}
        event_id = event.setdefault("event_id", make_event_id(now_s, random_bits))
        event.setdefault("ts", datetime.fromtimestamp(now_s, timezone.utc))
        own = event.get("context", {})
        if context and isinstance(own, Mapping):
            event["context"] = {**context, **own}
        body = _encode(event).encode()
    except ValueError:
        raise
    except Exception as error:  # a Mapping or a zone of the caller's may raise anything
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if b"\\u0000" in body and _NUL.search(body):
        raise ValueError("a text holds the character NUL")
    return Encoded(str(event_id), body)


def encode_rest(fields: Mapping[str, object], made_id: str) -> Encoded:
    """The fields that JSON can say, of an event of which it cannot say all."""
    parts: dict[str, bytes] = {"event_id": _encode({"event_id": made_id}).encode()[1:-1]}
    with suppress(Exception):  # as above
        for name, value in fields.items():
            with suppress(Exception):  # as above; the other fields may be fine
                part = _encode({name: value}).encode()[1:-1]
                if value is not None:
                    parts[name] = part
    return Encoded(event_id_of(b"{%s}" % parts["event_id"]), b"{%s}" % b",".join(parts.values()))


def make_event_id(now_s: float, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then random bits."""
    number = int(now_s * 1000) << 80 | random_bits & (1 << 80) - 1
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def encode_batch(events: list[bytes], now_s: float) -> bytes:
    """The body of a request; ``sent_at`` is new in each attempt, the events are not."""
    sent_at = _time_text(datetime.fromtimestamp(now_s, timezone.utc)).encode()
    return b'{"sent_at":"%s","events":[%s]}' % (sent_at, b",".join(events))


def event_id_of(event: bytes) -> str:
    """The id in an event that ``encode_event`` made."""
    return str(json.loads(event)["event_id"])


def _time_text(moment: datetime) -> str:
    """With its zone; a time without one is local, as all of Python reads it."""
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
).encode
