"""The shapes that a body may have, and how its events are found in each.

One event, an array of events, an envelope (``{"events": […]}`` with members beside them), or lines
with an event each. A body is an envelope when it has ``events`` and no ``event``. Each dialect says
in its ``BodyFormat`` which shapes it takes.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from weir.dialects.fields import Field
from weir.dialects.wire_types import decoder, envelope_decoder, texts_getter
from weir.domain.event import ABSENT

Shape = Literal["one", "array", "envelope", "lines"]

Policy = Literal["good events", "all or none"]
"""What is taken of a request of which some events are not valid."""

EVENTS_MARK = b'"events"'
"""What an envelope holds, unless the name is written with escapes: then its events are looked at
one by one."""


class Envelope(NamedTuple):
    """What is said beside the events of a body of all of them."""

    context: msgspec.Raw = ABSENT
    sent_at: datetime | None = None
    batch_id: str = ""


NO_ENVELOPE = Envelope()


class Items(NamedTuple):
    """The events of a body as they were sent."""

    raws: Sequence[msgspec.Raw]
    levels_around: int = 0
    """Levels of JSON around an event: the array, and the envelope."""
    beside: Sequence[msgspec.Raw] = ()
    """The members of the envelope that the format reads."""


class BodyFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The bodies of one route: the table of their events' fields, their shapes, and the policy."""

    fields: Mapping[str, Field]
    policy: Policy
    shapes: tuple[Shape, ...]
    split: Callable[[bytes], Items]
    """Takes a body apart into its events; raises ``InvalidInput`` for one of another shape."""
    check_count: Callable[[int], None] = lambda _: None
    """Raises ``InvalidInput`` for a number of events that is not taken."""
    events_max: int = 1
    read_envelope: Callable[..., Envelope] = lambda: NO_ENVELOPE
    """Reads the members ``beside`` the events; raises ``InvalidInput`` or ``DecodeError``."""
    beside: tuple[str, ...] = ()
    """Members of an envelope that are read."""
    times_beside: tuple[str, ...] = ()
    """Those of them that are times."""
    lines_max: int = 0
    """Lines of one body, the empty ones included; 0: lines are no shape of it."""
    has_fields_in_order: bool = False
    """Whether fields without a target stand in ``properties`` in the table's order, before the
    unknown ones; else all are in the order in which they were sent."""


Found = tuple[Sequence[Any], Sequence[msgspec.Raw]]
"""The events of a body that were decoded at once, and the members ``beside`` them."""

FindEvents = Callable[[bytes], Found]
"""Decodes the events of a body; raises ``DecodeError`` or ``RecursionError`` when it cannot."""


def event_finder(bodies: BodyFormat, item: Any) -> FindEvents:
    """Finds the events of a body, in any shape of the format, each decoded into ``item``."""
    if bodies.shapes == ("one",):
        decode = decoder(item)
        return lambda body: ((decode(body),), ())
    in_envelope = _finder_of_envelope(bodies, item)
    if bodies.shapes == ("envelope",):
        return in_envelope
    return _finder_of_all(bodies, item, in_envelope)


def envelope_splitter(beside: tuple[str, ...] = ()) -> Callable[[bytes], Items]:
    """Takes an envelope apart into texts; raises ``ValidationError`` for another shape."""
    decode = envelope_decoder(msgspec.Raw, beside)
    beside_of = texts_getter(beside)

    def split(body: bytes) -> Items:
        sent = decode(body)
        return Items(sent.events, 2, beside_of(sent))

    return split


def single_event(fields: Mapping[str, Field]) -> BodyFormat:
    """The format of bodies that are one event, taken or refused."""
    return BodyFormat(
        fields=fields,
        policy="all or none",
        shapes=("one",),
        split=lambda body: Items([msgspec.Raw(body)]),
    )


def first_byte(body: bytes) -> bytes:
    """The first byte of a body that is no space."""
    first = body[:1]
    return body.lstrip()[:1] if first.isspace() else first


def _finder_of_envelope(bodies: BodyFormat, item: Any) -> FindEvents:
    beside_of = texts_getter(bodies.beside)
    if "one" not in bodies.shapes:
        decode = envelope_decoder(item, bodies.beside)

        if not bodies.beside:
            return lambda body: (decode(body).events, ())

        def find(body: bytes) -> Found:
            envelope = decode(body)
            return envelope.events, beside_of(envelope)

        return find
    decode_either = envelope_decoder(item, (*bodies.beside, "event"))

    def find_unless_one(body: bytes) -> Found:
        envelope = decode_either(body)
        if bytes(envelope.event):
            raise msgspec.ValidationError("an event, whatever its member 'events' is")
        return envelope.events, beside_of(envelope)

    return find_unless_one


def _finder_of_all(bodies: BodyFormat, item: Any, in_envelope: FindEvents) -> FindEvents:
    decode_one = decoder(item)
    decode_array = decoder(list[item])
    lines_max = bodies.lines_max

    def find(body: bytes) -> Found:
        if body[:1] != b"{" and first_byte(body) == b"[":
            return decode_array(body), ()
        if lines_max and b"\n" in body:
            try:
                return _find_in_lines(body, decode_one, lines_max)
            except msgspec.DecodeError:
                pass  # JSON may have line breaks too
        if EVENTS_MARK in body:
            try:
                return in_envelope(body)
            except msgspec.DecodeError:
                pass  # one event may hold the mark too
        return (decode_one(body),), ()

    return find


def _find_in_lines(body: bytes, decode: Callable[[bytes], Any], lines_max: int) -> Found:
    if body.count(b"\n") >= lines_max:
        raise msgspec.DecodeError("too many lines")
    events = [decode(line) for line in body.split(b"\n") if line.strip()]
    if len(events) < 2:
        raise msgspec.DecodeError("one event, or none")
    return events, ()
