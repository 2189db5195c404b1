"""Events as the bytes that are sent. Decides and touches nothing: time and randomness come in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from weir_client.values import Unsayable, check_texts, plain, plain_id, time_text

NAMED = ("event",)
"""What each event must have."""

IDS = ("event_id", "user_id", "anonymous_id", "session_id")
"""Fields that are texts for the node, and numbers or UUIDs in many a program."""


class Encoded(NamedTuple):
    """An event, ready to be sent, and the id that makes sending it again harmless."""

    event_id: str
    body: bytes
    name: str = ""


def encode_event(
    fields: Mapping[str, object],
    *,
    context: Mapping[str, object],
    now_s: float,
    random_bits: int,
    required: Collection[str] = NAMED,
) -> Encoded:
    """The event with an ``event_id`` and a ``ts`` where it has none, its context over ``context``.

    Of ``random_bits`` 80 count. Raises ``Unsayable`` for a field that no node takes, for one of
    ``required`` that is missing or empty, and for what JSON in UTF-8 cannot say: NaN, a cycle,
    a lone surrogate, an object of some class, or one that raises when it is read.
    """
    event = {}
    for name, value in _items(fields):
        if value is not None:
            event[name] = _plain_field(name, value)
    for name in required:
        if event.get(name, "") == "":
            raise Unsayable(name, "is required")
    if event.setdefault("event_id", make_event_id(now_s, random_bits)) == "":
        raise Unsayable("event_id", "must not be empty")
    event.setdefault("ts", time_text(datetime.fromtimestamp(now_s, timezone.utc)))
    if context:
        event["context"] = {**context, **event.get("context", {})}  # type: ignore[dict-item]  # a dict
    return Encoded(str(event["event_id"]), _encoded(event), str(event.get("event", "")))


def encode_rest(fields: Mapping[str, object], made_id: str) -> Encoded:
    """The fields that can be sent, of an event of which one cannot."""
    parts: dict[str, object] = {"event_id": made_id}
    with suppress(Exception):  # a Mapping of the caller's may raise anything
        for name, value in _items(fields):
            with suppress(Exception):  # as above; the other fields may be fine
                part = _plain_field(name, value)
                _encoded({name: part})
                if value is not None:
                    parts[name] = part
    return Encoded(str(parts["event_id"]), _encoded(parts), str(parts.get("event", "")))


def plain_context(context: Mapping[str, object]) -> dict[str, object]:
    """A copy of a context as it is sent; raises ``Unsayable``."""
    found: dict[str, object] = _plain_field("context", context)  # type: ignore[assignment]  # checked
    _encoded({"context": found})
    return found


def _items(fields: Mapping[str, object]) -> list[tuple[str, object]]:
    try:
        return [(str(name), fields[name]) for name in fields]
    except Exception as error:  # a Mapping of the caller's may raise anything
        raise Unsayable("", f"cannot be read: {type(error).__name__}") from None


def _plain_field(name: str, value: object) -> object:
    """A field of the event as it is sent; raises ``Unsayable`` with its whole path."""
    try:
        found = plain_id(value) if name in IDS else _plain_of_kind(name, value)
    except Unsayable as error:
        raise error.within(name) from None
    except RecursionError:
        raise Unsayable(name, "holds itself, or is nested too deeply") from None
    except Exception as error:  # a Mapping or a zone of the caller's may raise anything
        raise Unsayable(name, f"cannot be read: {type(error).__name__}") from None
    return found


def _plain_of_kind(name: str, value: object) -> object:
    found = plain(value)
    kind = _KINDS.get(name)
    if kind and (isinstance(value, _NEITHER) or not isinstance(found, kind[0])):
        raise Unsayable("", f"must be {kind[1]}, not {type(value).__name__}")
    return found


def _encoded(event: Mapping[str, object]) -> bytes:
    try:
        body = _encode(event).encode()
    except (UnicodeEncodeError, RecursionError, ValueError) as error:
        _check_texts(event)
        raise Unsayable("", str(error)) from None
    if b"\\u0000" in body and _NUL.search(body):
        _check_texts(event)
    return body


def _check_texts(event: Mapping[str, object]) -> None:
    try:
        check_texts(dict(event))
    except RecursionError:
        raise Unsayable("", "is nested too deeply") from None


def make_event_id(now_s: float, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then random bits."""
    number = int(now_s * 1000) << 80 | random_bits & (1 << 80) - 1
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def encode_batch(events: list[bytes], now_s: float) -> bytes:
    """The body of a request; ``sent_at`` is new in each attempt, the events are not."""
    sent_at = time_text(datetime.fromtimestamp(now_s, timezone.utc)).encode()
    return b'{"sent_at":"%s","events":[%s]}' % (sent_at, b",".join(events))


class Identity(NamedTuple):
    """Which event it is."""

    event_id: str
    name: str


def identity_of(event: bytes) -> Identity:
    """The id and the name in an event that ``encode_event`` made."""
    found = json.loads(event)
    return Identity(str(found["event_id"]), str(found.get("event", "")))


_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "event": ((str,), "a text"),
    "ts": ((str, int, float), "a time"),
    "sent_at": ((str, int, float), "a time"),
    "properties": ((dict,), "a mapping"),
    "context": ((dict,), "a mapping"),
}
"""What the node takes in its own fields, and the words for it."""

_NEITHER = (bool, timedelta)
"""They become numbers, and no number of these is a time."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
