"""JSON hygiene that the decoder does not do: encoding, depth, NUL and lone surrogates.

Cheap byte scans with a fast path for plain ASCII without escapes; what passes here can be
processed by the loader and the engine. (msgspec refuses NaN, bad numbers, control characters and
malformed escapes itself, also inside ``Raw``, but checks no encoding and no depth there.)
"""

import re
from collections.abc import Callable, Sequence

from weir.errors import InvalidInput

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_TWO_DIGITS = rb"[0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB]%b(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F]%b)"
    % (_TWO_DIGITS, _TWO_DIGITS),
    re.DOTALL,
)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_UNSTRUCTURAL = bytes(set(range(256)) - set(b'"[]{}'))
_PLACE_BYTES_MAX = 131072
"""How far the place of an error is looked for; it takes far longer than finding that it is."""

MENDED_MAX = 200_000
"""Lone surrogates of one body that are worth looking for events beside them: more than an event of
the default size can hold."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUL = b"\\u0000"


def check_text(body: bytes) -> None:
    """Raises ``InvalidInput`` naming the byte where UTF-8 or an escape is not acceptable."""
    check_encoding(body)
    # One byte is searched for many times faster than two.
    if b"\\" in body and b"\\u" in body:
        _check_escapes(body)


def is_sound(body: bytes) -> bool:
    """Whether ``check_text`` finds nothing."""
    try:
        check_text(body)
    except InvalidInput:
        return False
    return True


def check_encoding(body: bytes) -> None:
    """Raises ``InvalidInput`` naming the byte that is a byte order mark's or not UTF-8."""
    if body.startswith(BYTE_ORDER_MARK):
        raise _malformed("The body starts with a byte order mark", 0)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise _malformed("The body is not valid UTF-8", error.start) from None


def mend(body: bytes) -> bytes:
    """The text with a NUL escape in the place of every lone surrogate escape, byte for byte.

    The decoder takes no text apart that holds a lone surrogate. It does when mended, and then a
    NUL escape tells the events that may not be stored (``find_fault``); the others are as sent.
    Raises ``InvalidInput`` when there are more than ``MENDED_MAX``.
    """
    if b"\\u" not in body:
        return body
    mended = bytearray(body)
    for count, lone in enumerate(_LONE_SURROGATE.finditer(_unescaped(body))):
        if count == MENDED_MAX:
            raise InvalidInput(f"The text holds more than {MENDED_MAX} lone surrogate escapes.")
        mended[lone.start() : lone.end()] = _NUL
    return bytes(mended)


def find_fault(mended: bytes) -> str | None:
    """What keeps the text of an event, cut from a mended body, from being stored."""
    if not mended.isascii():
        try:
            mended.decode()
        except UnicodeDecodeError as error:
            return f"is not valid UTF-8 (byte {error.start} of it)"
    if _NUL not in mended:
        return None
    at = _unescaped(mended).find(_NUL)
    return None if at < 0 else f"holds a NUL escape or a lone surrogate (byte {at} of it)"


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
    """Checks the depth of a body by the whole texts of the events that stand beside each other.

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
    escapes = _unescaped(body)
    at = escapes.find(_NUL)
    if at >= 0:
        raise _malformed("The text holds a NUL escape", at)
    lone = _LONE_SURROGATE.search(escapes)
    if lone is not None:
        raise _malformed("The text holds a lone surrogate escape", lone.start())


def _unescaped(body: bytes) -> bytes:
    """The text in which every backslash begins an escape, all else in its place."""
    return body.replace(b"\\\\", b"__")


def _malformed(what: str, at: int | None) -> InvalidInput:
    place = f"byte {at}" if at is not None else f"beyond byte {_PLACE_BYTES_MAX}"
    return InvalidInput(f"{what} ({place}).")
