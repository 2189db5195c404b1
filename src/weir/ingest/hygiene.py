"""JSON hygiene that the decoder does not do: encoding, depth, NUL and lone surrogates.

Cheap byte scans with a fast path for plain ASCII without escapes; what passes here can be
processed by the loader and the engine. (msgspec refuses NaN, bad numbers, control characters and
malformed escapes itself, also inside ``Raw``, but checks no encoding and no depth there.)
"""

import re
from collections.abc import Sequence

from weir.errors import InvalidInput

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
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
    if b"\\" in body:
        _check_escapes(body)


def check_depth(body: bytes, pieces: Sequence[bytes], *, depth_max: int) -> None:
    """Raises ``InvalidInput`` when JSON nests deeper than ``depth_max``.

    ``pieces`` holds for every event of ``body`` the text of its properties, empty when absent.
    Brackets of one event do not nest in another's, so counting bounds the depth without looking
    at strings; only what stays above the bounds is measured exactly.
    """
    total = body.count(b"{") + body.count(b"[")
    if total <= depth_max:
        return
    room = depth_max - _DEPTH_OUTSIDE
    siblings = len(pieces)
    if total - siblings - sum(1 for piece in pieces if piece) <= room:
        return
    inside = [_openings(piece) for piece in pieces]
    if max(inside, default=0) <= room and total - sum(inside) - siblings <= room:
        return
    _measure(body, depth_max)


_DEPTH_OUTSIDE = 3
"""Levels around an event's properties: the envelope, its list, the event."""


def _openings(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _measure(body: bytes, depth_max: int) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(_blank, body)):
        depth += 1 if bracket[0] in b"{[" else -1
        if depth > depth_max:
            raise _malformed(f"JSON is nested deeper than {depth_max} levels", bracket.start())


def _blank(string: re.Match[bytes]) -> bytes:
    return b" " * len(string[0])


def _check_escapes(body: bytes) -> None:
    pending: int | None = None
    end = 0
    for escape in _ESCAPE.finditer(body):
        code = int(escape[1], 16) if escape[1] else -1
        if pending is not None:
            if escape.start() != end or not 0xDC00 <= code <= 0xDFFF:
                raise _malformed("The text holds a lone surrogate escape", pending)
            pending = None
            continue
        if code == 0:
            raise _malformed("The text holds a NUL escape", escape.start())
        if 0xDC00 <= code <= 0xDFFF:
            raise _malformed("The text holds a lone surrogate escape", escape.start())
        if 0xD800 <= code <= 0xDBFF:
            pending, end = escape.start(), escape.end()
    if pending is not None:
        raise _malformed("The text holds a lone surrogate escape", pending)


def _malformed(what: str, at: int) -> InvalidInput:
    return InvalidInput(f"{what} (byte {at}).")
