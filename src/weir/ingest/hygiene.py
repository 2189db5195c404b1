"""JSON hygiene that the decoder does not do: encoding, depth, NUL and lone surrogates.

Cheap byte scans with a fast path for plain ASCII without escapes; what passes here can be
processed by the loader and the engine. (msgspec refuses NaN, bad numbers, control characters and
malformed escapes itself, also inside ``Raw``, but checks no encoding and no depth there.)
"""

import re
from collections.abc import Callable, Sequence

from weir.errors import InvalidInput

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F])", re.DOTALL
)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_UNSTRUCTURAL = bytes(set(range(256)) - set(b'"[]{}'))
_PLACE_BYTES_MAX = 131072
"""How far the place of an error is looked for; it takes far longer than finding that it is."""

_BOM = b"\xef\xbb\xbf"


def check_text(body: bytes) -> None:
    """Raises ``InvalidInput`` naming the byte where UTF-8 or an escape is not acceptable."""
    if body.startswith(_BOM):
        raise _malformed("The body starts with a byte order mark", 0)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise _malformed("The body is not valid UTF-8", error.start) from None
    # One byte is searched for many times faster than two.
    if b"\\" in body and b"\\u" in body:
        _check_escapes(body)


def check_depth(
    body: bytes, pieces: Sequence[bytes], *, depth_max: int, levels_around: int = 0
) -> None:
    """Raises ``InvalidInput`` when JSON and the levels around it are deeper than ``depth_max``.

    ``body`` is valid JSON. ``pieces`` holds for every event of it the text of its properties as
    it stands there: an object, ``null``, or empty when absent (or when it is not known).
    Brackets of one event do not nest in another's, so counting bounds the depth without looking
    at strings; only what stays above the bounds is measured exactly.
    """
    total = _openings(body)
    own_max = depth_max - levels_around
    if total <= own_max:
        return
    room = own_max - _DEPTH_OUTSIDE
    siblings = len(pieces)
    objects = siblings - pieces.count(b"") - pieces.count(b"null")
    if total - siblings - objects <= room:
        return
    inside = [_openings(piece) for piece in pieces]
    if max(inside, default=0) <= room and total - sum(inside) - siblings <= room:
        return
    if not _is_within(body, own_max):
        what = f"JSON is nested deeper than {depth_max} levels"
        raise _malformed(what, _place_of_depth(body, own_max))


def check_depth_apart(
    body: bytes, events_of: Callable[[bytes], Sequence[bytes]], *, siblings: int, depth_max: int
) -> None:
    """As ``check_depth``, by the whole texts of the events that stand beside each other in it.

    There are ``siblings`` of them, each an object; they are taken apart only when it matters.
    """
    total = body.count(b"{") + body.count(b"[")
    if total - max(0, siblings - 1) <= depth_max:
        return
    inside = [event.count(b"{") + event.count(b"[") for event in events_of(body)]
    outside = total - sum(inside)
    if max(inside, default=0) + outside > depth_max and not _is_within(body, depth_max):
        what = f"JSON is nested deeper than {depth_max} levels"
        raise _malformed(what, _place_of_depth(body, depth_max))


_DEPTH_OUTSIDE = 3
"""Levels around an event's properties: the envelope, its list, the event."""


def _openings(text: bytes) -> int:
    return len(text) - len(text.translate(None, b"{["))


def _is_within(body: bytes, depth_max: int) -> bool:
    """Leaves only the brackets outside of strings, then takes the innermost pairs away by turns.

    Every step is one pass in C: a body may be large, and the event loop waits.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(_SQUARE, _UNSTRUCTURAL).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])
    for _ in range(depth_max):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def _place_of_depth(body: bytes, depth_max: int) -> int | None:
    depth = 0
    for token in _TOKEN.finditer(body, 0, _PLACE_BYTES_MAX):
        first = token[0][:1]
        if first != b'"':
            depth += 1 if first in b"{[" else -1
        if depth > depth_max:
            return token.start()
    return None


def _check_escapes(body: bytes) -> None:
    escapes = body.replace(b"\\\\", b"__")  # every backslash left begins an escape
    at = escapes.find(b"\\u0000")
    if at >= 0:
        raise _malformed("The text holds a NUL escape", at)
    lone = _LONE_SURROGATE.search(escapes)
    if lone is not None:
        raise _malformed("The text holds a lone surrogate escape", lone.start())


def _malformed(what: str, at: int | None) -> InvalidInput:
    place = f"byte {at}" if at is not None else f"beyond byte {_PLACE_BYTES_MAX}"
    return InvalidInput(f"{what} ({place}).")
