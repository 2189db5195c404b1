"""What the loader makes of frames: the events that the door took, and no others.

Nothing is asked of them again. Frames are read many at a time, each body decoded whole into events;
where that fails (a time in a form that is read field by field, some events refused) the events of
that frame are read one by one by the table. The event is the same either way, whatever frames are
read beside it, and so it is as long as the frame exists.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime

import msgspec

from weir.dialects.decoding import events_or_refusal, share_context
from weir.dialects.fields import Field, check_event
from weir.dialects.hygiene import mend
from weir.dialects.jsontext import compose, fold, member_names
from weir.dialects.shapes import BodyFormat, Envelope, Found, event_finder
from weir.dialects.wire_types import (
    event_type,
    further_encoder,
    properties_finder,
)
from weir.domain.event import ABSENT, Event, check_event_count
from weir.domain.frame import Frame, decode_meta

_decode_time = msgspec.json.Decoder(datetime).decode


class FrameReader:
    """Reads the frames of one format; ``decode`` is what a ``Dialect`` needs."""

    def __init__(self, bodies: BodyFormat) -> None:
        fields = bodies.fields
        self._has_further = not all(field.target for field in fields.values())
        self._bodies = bodies
        known = (
            fields
            if bodies.has_fields_in_order or not self._has_further
            else _without_lenient(fields)
        )
        # Where the order of fields is the sent one, a batch with a time that is read apart was
        # always read apart as a whole: what is stored of a frame stays the same.
        self._times_beside = tuple(map(bodies.beside.index, bodies.times_beside))
        self._find_known = event_finder(bodies, event_type(known, forbid_unknown_fields=True))
        self._find_any = event_finder(bodies, event_type(fields, forbid_unknown_fields=False))
        self._find_members = event_finder(bodies, dict[str, msgspec.Raw])
        self._properties_of = properties_finder(fields)
        self._targeted = frozenset(name for name, field in fields.items() if field.target)
        self._encode_further = further_encoder(fields)

    def decode(self, frames: Sequence[Frame]) -> Sequence[Event]:
        """The taken events of frames, in order; raises ``InvalidInput`` when one has others."""
        events: list[Event] = []
        for frame, found in zip(frames, self._find_plain(frames), strict=True):
            own, beside = found or self._read_odd(frame)
            check_event_count(len(own), frame.event_count)
            if beside:
                _share(self._bodies.read_envelope(*beside), own)
            events += own
        return events

    def _find_plain(self, frames: Sequence[Frame]) -> Sequence[Found | None]:
        """The events of each frame; None where not all of them are plainly as the table says."""
        found = [self._find(frame) for frame in frames]
        if self._properties_of([event for each in found if each for event in each[0]]) is None:
            found = [each and self._with_properties(each) for each in found]
        if self._has_further:
            found = [each and self._with_further(each) for each in found]
        return found

    def _find(self, frame: Frame) -> Found | None:
        """The events of a frame of good ones without unknown fields."""
        if frame.meta and decode_meta(frame.meta).refused:
            return None
        try:
            return self._find_known(frame.body)
        except (msgspec.DecodeError, RecursionError):
            return None

    def _with_properties(self, found: Found) -> Found | None:
        """What was found; None unless the properties of all its events are objects."""
        return None if self._properties_of(found[0]) is None else found

    def _with_further(self, found: Found) -> Found | None:
        """What was found, fields without a target in the properties; None for an odd time."""
        events, beside = found
        if not all(_is_read_at_once(beside[place]) for place in self._times_beside):
            return None
        for event in events:
            text = self._encode_further(event)
            if text == b"{}":
                continue
            if event.properties is ABSENT:
                event.properties = msgspec.Raw(text)
            else:
                _fold(event, member_names(text))
        return found

    def _read_odd(self, frame: Frame) -> Found:
        """The events of a frame that has unknown fields, odd times, or events that were refused."""
        refused = frozenset(decode_meta(frame.meta).refused)
        found = None if refused else self._read_any(frame.body)
        return found or self._read_apart(frame.body, refused)

    def _read_any(self, body: bytes) -> Found | None:
        """The events of a body, their unknown fields from a second look at it."""
        try:
            events, beside = self._find_any(body)
            sent, _ = self._find_members(body)
        except (msgspec.DecodeError, RecursionError):
            return None
        if self._properties_of(events) is None:
            return None
        for event, members in zip(events, sent, strict=True):
            _fold(event, self._extras_of(event, members))
        return events, beside

    def _extras_of(
        self, event: Event, sent: Mapping[str, msgspec.Raw]
    ) -> Mapping[str, msgspec.Raw]:
        """What of an event goes into its properties, in the order of the format."""
        if not self._bodies.has_fields_in_order:
            return {name: raw for name, raw in sent.items() if name not in self._targeted}
        fields = self._bodies.fields
        unknown = {name: raw for name, raw in sent.items() if name not in fields}
        return {**member_names(self._encode_further(event)), **unknown}

    def _read_apart(self, body: bytes, refused: Container[int]) -> Found:
        """The events of a body one by one, without the refused ones."""
        items = self._bodies.split(mend(body) if refused else body)
        raws = [raw for index, raw in enumerate(items.raws) if index not in refused]
        if self._bodies.has_fields_in_order:
            raws = [self._in_order(raw) for raw in raws]
        events = events_or_refusal([check_event(raw, self._bodies.fields) for raw in raws])
        return events, items.beside

    def _in_order(self, raw: msgspec.Raw) -> msgspec.Raw:
        """An event with the fields that are known first, as they are in events read together."""
        sent = member_names(raw)
        known = {name: sent[name] for name in self._bodies.fields if name in sent}
        return compose({**known, **sent})


def _is_read_at_once(time: msgspec.Raw) -> bool:
    """Whether the decoder knows the form in which a time is written."""
    try:
        _decode_time(time)
    except msgspec.ValidationError:
        return False
    return True


def _without_lenient(fields: Mapping[str, Field]) -> Mapping[str, Field]:
    """The fields that the vendor knows: where unknown ones stand among them, an event with a
    lenient one is read as an event with unknown fields, so that its order is the sent one."""
    return {name: field for name, field in fields.items() if not field.lenient}


def _fold(event: Event, extras: Mapping[str, msgspec.Raw]) -> None:
    if extras:
        event.properties = fold(extras, event.properties)


def _share(envelope: Envelope, events: Sequence[Event]) -> None:
    """Gives the events what the envelope says of all of them; their own words win."""
    share_context(events, envelope.context)
    if envelope.sent_at is not None:
        for event in events:
            event.sent_at = event.sent_at or envelope.sent_at
