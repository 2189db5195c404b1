"""Work on JSON as text, so that every value stays exactly as it was sent.

Objects are taken apart into names and the texts of their values; the first of duplicate names
wins, as it does in the engine.
"""

import json

import msgspec

_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
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


def compose(values: dict[str, str]) -> msgspec.Raw:
    """A JSON object from names and the texts of values."""
    body = ",".join(f"{_quote(name)}:{value}" for name, value in values.items())
    return msgspec.Raw(f"{{{body}}}".encode())


def lay_under(own: msgspec.Raw, shared: msgspec.Raw) -> msgspec.Raw:
    """``shared``'s members under ``own``'s: where both have a name, ``own`` keeps it."""
    if is_absent(shared):
        return own
    if is_absent(own):
        return shared
    return compose(members(bytes(own).decode()) | _without(shared, own))


def fold(extras: dict[str, msgspec.Raw], properties: msgspec.Raw) -> msgspec.Raw:
    """Unknown top-level fields put into ``properties``.

    When a name is taken there, the top-level field keeps it and the sent object goes under the
    name ``properties``.
    """
    if not extras:
        return properties
    own = {name: bytes(value).decode() for name, value in extras.items()}
    if is_absent(properties):
        return compose(own)
    sent = members(bytes(properties).decode())
    if own.keys() & sent.keys():
        return compose({**own, "properties": bytes(properties).decode()})
    return compose({**sent, **own})


def _without(shared: msgspec.Raw, own: msgspec.Raw) -> dict[str, str]:
    taken = members(bytes(own).decode())
    offered = members(bytes(shared).decode())
    return {name: value for name, value in offered.items() if name not in taken}


def _quote(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
