"""Work on JSON as text, so that every value stays exactly as it was sent.

Objects are taken apart into names and the texts of their values; the first of duplicate names
wins, as it does in the engine.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
member_names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The members of an object by name; of repeated names the last one's value."""

_SPACE = " \t\n\r"


class OpenedObject(NamedTuple):
    """An object that is laid under many, taken apart once."""

    text: msgspec.Raw
    members: Mapping[str, msgspec.Raw]
    tail: bytes
    """What stands behind the members of an object that has other names: comma to brace."""


def is_absent(raw: msgspec.Raw) -> bool:
    """Whether an optional ``Raw`` field was missing or null."""
    return bytes(raw) in (b"", b"null")


def is_object(raw: msgspec.Raw) -> bool:
    """Whether valid JSON is an object, null, or absent."""
    return bytes(raw)[:1] in (b"{", b"n", b"")


def members(text: str, *, count_max: int | None = None) -> list[tuple[str, str]]:
    """The members of a valid JSON object, in order, repeated ones too, values as their own text.

    It stops one behind ``count_max``.
    """
    found: list[tuple[str, str]] = []
    at = _skip(text, 1)
    while text[at] != "}" and (count_max is None or len(found) <= count_max):
        name, at = _SCANNER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, at = _SCANNER.raw_decode(text, start)
        found.append((name, text[start:at]))
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def compose(values: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """A JSON object from names and the texts of values."""
    return msgspec.Raw(msgspec.json.encode(values))


def share(text: msgspec.Raw) -> OpenedObject:
    """An object made ready for ``extend``."""
    own: dict[str, msgspec.Raw] = {}
    for name, value in members(bytes(text).decode()):
        own.setdefault(name, msgspec.Raw(value.encode()))
    return OpenedObject(text, own, b"," + bytes(text)[1:])


def extend(own: msgspec.Raw, shared: OpenedObject) -> msgspec.Raw:
    """``own``'s text with those members of ``shared`` behind that it has no name for."""
    names = member_names(own)
    if not names:
        return shared.text
    if not shared.members:
        return own
    if names.keys().isdisjoint(shared.members.keys()):
        return msgspec.Raw(bytes(own)[:-1] + shared.tail)
    return _append(own, {name: v for name, v in shared.members.items() if name not in names})


def fold(extras: Mapping[str, msgspec.Raw], properties: msgspec.Raw) -> msgspec.Raw:
    """Unknown top-level fields put into ``properties``.

    When a name is taken there, the top-level field keeps it and the sent object goes under the
    name ``properties``.
    """
    if not extras:
        return properties
    names = {} if is_absent(properties) else member_names(properties)
    if not names:
        return compose(extras)
    if extras.keys().isdisjoint(names.keys()):
        return _append(properties, extras)
    return compose({**extras, "properties": properties})


def _append(own: msgspec.Raw, added: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    if not added:
        return own
    return msgspec.Raw(bytes(own)[:-1] + b"," + bytes(compose(added))[1:])


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
