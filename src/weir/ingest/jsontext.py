"""Work on JSON as text, so that every value stays exactly as it was sent.

Objects are taken apart into names and the texts of their values; the first of duplicate names
wins, as it does in the engine.
"""

import json
from collections.abc import Mapping

import msgspec

_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
_decode_names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_SPACE = " \t\n\r"


def is_absent(raw: msgspec.Raw) -> bool:
    """Whether an optional ``Raw`` field was missing or null."""
    return bytes(raw) in (b"", b"null")


def members(text: str) -> dict[str, str]:
    """The members of a valid JSON object, in order, values as their own text."""
    found: dict[str, str] = {}
    at = _skip(text, 1)
    while text[at] != "}":
        name, at = _SCANNER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, at = _SCANNER.raw_decode(text, start)
        found.setdefault(name, text[start:at])
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def compose(values: Mapping[str, str]) -> msgspec.Raw:
    """A JSON object from names and the texts of values."""
    body = ",".join(f"{_quote(name)}:{value}" for name, value in values.items())
    return msgspec.Raw(f"{{{body}}}".encode())


def extend(own: msgspec.Raw, more: Mapping[str, str]) -> msgspec.Raw:
    """``own``'s text with those members of ``more`` behind that it has no name for."""
    names = _decode_names(own)
    added = {name: value for name, value in more.items() if name not in names}
    return _append(own, added, is_empty=not names)


def fold(extras: Mapping[str, msgspec.Raw], properties: msgspec.Raw) -> msgspec.Raw:
    """Unknown top-level fields put into ``properties``.

    When a name is taken there, the top-level field keeps it and the sent object goes under the
    name ``properties``.
    """
    if not extras:
        return properties
    own = {name: bytes(value).decode() for name, value in extras.items()}
    if is_absent(properties):
        return compose(own)
    names = _decode_names(properties)
    if own.keys().isdisjoint(names):
        return _append(properties, own, is_empty=not names)
    return compose({**own, "properties": bytes(properties).decode()})


def _append(own: msgspec.Raw, added: Mapping[str, str], *, is_empty: bool) -> msgspec.Raw:
    if not added:
        return own
    composed = compose(added)
    return composed if is_empty else msgspec.Raw(bytes(own)[:-1] + b"," + bytes(composed)[1:])


def _quote(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
