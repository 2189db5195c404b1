"""Wire types made from a dialect's table of fields: what a whole body is decoded into at once.

Of each table there are two kinds. A *checking type* holds what the door has to look at: whatever
decodes into it is a valid event, but for objects that are kept as text (``Raw`` takes any JSON) and
for the number of fields. An *event type* is an ``Event`` that the loader reads what was taken
into, without asking again. Where such a type does not fit, the table itself decides, field by
field (``fields.check_event``); that both agree is held by property-based tests.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from weir.dialects.fields import Field, has_more_members
from weir.dialects.jsontext import is_object
from weir.domain.event import ABSENT, Event

_NO_VALUE = Annotated[str, msgspec.Meta(pattern="(?!)")]
"""The type of no JSON value at all: no text matches it."""


_OBJECT_STARTS = {b"{"}
_OPTIONAL_STARTS = {b"{", b"n", b""}
"""First byte of an object, of null, and of nothing."""


class _AnyObject(msgspec.Struct, gc=False):
    """A JSON object of which nothing is kept."""


_CHECKED_KINDS: Mapping[str, Any] = {
    "time": datetime,
    "integer": int,
    "number": float,
    "labels": list[str] | _AnyObject,
}


def checking_type(fields: Mapping[str, Field], *, forbid_unknown_fields: bool) -> type[Any]:
    """The type of valid events, with the table's fields under their targets.

    Where unknown fields are taken, a lenient field is left out: whatever it holds is taken too.
    """
    return _checking_type(tuple(fields.values()), forbid_unknown_fields)


def event_type(fields: Mapping[str, Field], *, forbid_unknown_fields: bool) -> type[Any]:
    """The type of events that were taken: the table's fields in their targets.

    Fields without a target are kept as they were sent, for ``further_encoder``.
    """
    return _event_type(tuple(fields.values()), forbid_unknown_fields)


FindProperties = Callable[[Sequence[Any]], Sequence[bytes] | None]


def properties_finder(fields: Mapping[str, Field]) -> FindProperties:
    """Finds the text of the properties of each checked event: what a type cannot check.

    None when one is no object or has too many members, or when a context is no object. It is
    empty where properties are absent, and of each event of a dialect that has none.
    """
    of_target = {field.target: field for field in fields.values() if field.target}
    own = of_target.get("properties")
    if own is None:
        return lambda events: [b""] * len(events)
    starts = _OBJECT_STARTS if own.required else _OPTIONAL_STARTS
    members_max = own.members_max
    uncounted_bytes = (members_max or 0) * len(b'"":1,')
    has_context = "context" in of_target

    def find_in_one(event: Any) -> bytes | None:
        piece = bytes(event.properties)
        if piece[:1] not in starts:
            return None
        if has_context and event.context is not ABSENT and not is_object(event.context):
            return None
        if members_max and len(piece) >= uncounted_bytes:
            return None if has_more_members(event.properties, members_max) else piece
        return piece

    def find(events: Sequence[Any]) -> Sequence[bytes] | None:
        if len(events) == 1:
            piece = find_in_one(events[0])
            return None if piece is None else [piece]
        pieces = [bytes(event.properties) for event in events]
        if not {piece[:1] for piece in pieces} <= starts:
            return None
        if has_context:
            contexts = [event.context for event in events if event.context is not ABSENT]
            if contexts and not all(map(is_object, contexts)):
                return None
        if members_max and max(map(len, pieces), default=0) >= uncounted_bytes:
            too_many = (has_more_members(event.properties, members_max) for event in events)
            return None if any(too_many) else pieces
        return pieces

    return find


@cache
def envelope_decoder(item: Any, beside: tuple[str, ...]) -> Callable[[bytes], Any]:
    """Decodes ``{"events": [item, …]}``, and the members ``beside`` them as texts."""
    members = [(name, msgspec.Raw, ABSENT) for name in beside]
    return decoder(msgspec.defstruct("Envelope", [("events", list[item]), *members]))


def further_encoder(fields: Mapping[str, Field]) -> Callable[[Any], bytes]:
    """Encodes what an event read holds of the fields without a target, in the table's order."""
    further = [field for field in fields.values() if not field.target]
    get = texts_getter(tuple(map(_attribute, further)))
    sent = msgspec.defstruct(
        "Further",
        [(_attribute(field), msgspec.Raw, _named(field, ABSENT)) for field in further],
        omit_defaults=True,
        gc=False,
    )
    encode = msgspec.json.Encoder().encode
    none_sent = (ABSENT,) * len(further)

    def encode_further(event: Any) -> bytes:
        values = get(event)
        return b"{}" if values == none_sent else encode(sent(*values))

    return encode_further


def texts_getter(names: tuple[str, ...]) -> Callable[[Any], Sequence[msgspec.Raw]]:
    """Reads these attributes, however few; ``attrgetter`` gives a tuple of several only."""
    if not names:
        return lambda _: ()
    get: Callable[[Any], Any] = attrgetter(*names)
    return get if len(names) > 1 else lambda decoded: (get(decoded),)


def decoder(decoded: Any) -> Callable[[bytes], Any]:
    """Decodes JSON into a type that was made here, of which mypy cannot know."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(decoded).decode
    return decode


# Types are made once for all routes that have the same fields: each takes a worker's start longer.
@cache
def _checking_type(fields: tuple[Field, ...], forbid_unknown_fields: bool) -> type[Any]:
    looked_at = [field for field in fields if forbid_unknown_fields or not field.lenient]
    return msgspec.defstruct(
        "CheckedEvent",
        [(_attribute(field), *_checked_value(field)) for field in looked_at],
        kw_only=True,
        gc=False,
        forbid_unknown_fields=forbid_unknown_fields,
    )


@cache
def _event_type(fields: tuple[Field, ...], forbid_unknown_fields: bool) -> type[Any]:
    sources = {field.target: field for field in fields if field.target}
    further = [field for field in fields if not field.target]
    return msgspec.defstruct(
        "ReadEvent",
        [
            *((name, *_read_value(name, sources.get(name))) for name in Event.__struct_fields__),
            *((_attribute(field), msgspec.Raw, _named(field, ABSENT)) for field in further),
        ],
        bases=(Event,),
        kw_only=True,
        gc=False,
        forbid_unknown_fields=forbid_unknown_fields,
    )


def _attribute(field: Field) -> str:
    return field.target or f"further_{field.name}"


def _checked_value(field: Field) -> tuple[Any, Any]:
    """Type and default of one field that is checked."""
    if field.kind == "object" and field.target:  # msgspec knows no optional Raw
        return msgspec.Raw, _named(field, msgspec.NODEFAULT if field.required else ABSENT)
    value = _checked_type(field)
    if field.required:
        return value, _named(field, msgspec.NODEFAULT)
    return value | None, _named(field, None)


def _checked_type(field: Field) -> Any:
    if field.kind == "object":
        return _AnyObject
    if field.kind != "text":
        return _CHECKED_KINDS[field.kind]
    if field.choices:
        return Literal[field.choices]
    bounds = msgspec.Meta(min_length=field.chars_min or None, max_length=field.chars_max)
    return Annotated[str, bounds]


def _read_value(target: str, field: Field | None) -> tuple[Any, Any]:
    """Type and default of one attribute of an event, from the field that goes there."""
    is_object = target in ("properties", "context")
    if field is None:
        # The attribute's own name may be an unknown field of this dialect.
        absent = ABSENT if is_object else None
        return _NO_VALUE, msgspec.field(name=f"no {target}", default=absent)
    if is_object:
        return msgspec.Raw, _named(field, ABSENT)
    value: Any = datetime if field.kind == "time" else str
    if field.required:
        return value, _named(field, msgspec.NODEFAULT)
    return value | None, _named(field, None)


def _named(field: Field, default: object) -> Any:
    return msgspec.field(name=field.name, default=default)
