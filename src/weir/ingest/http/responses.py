"""Bytes of HTTP/1.1 answers. Pure: the date line and everything else is handed in.

Pages of other origins may read them (the CORS protocol of the Fetch standard). The key is what
lets a client in, and a browser does not send it by itself; so every origin may ask.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weir.dialects.port import RateWindow
    from weir.ingest.http.head import Head

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"

_JSON = b"Content-Type: application/json\r\n"
PREFLIGHT_AGE_S = 86400

_EXPOSED = (
    b"Access-Control-Expose-Headers: "
    b"Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset\r\n"
)
_WINDOW = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n"
_SAFE = b"X-Content-Type-Options: nosniff\r\n"


def _status_line(status: HTTPStatus) -> bytes:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()


_STATUS_LINES = {status.value: _status_line(status) for status in HTTPStatus}
_HEADS = {
    status: line + _JSON + _SAFE + b"Content-Length: " for status, line in _STATUS_LINES.items()
}


def date_line(now_s: float) -> bytes:
    """The Date header for a time in seconds since 1970."""
    return f"Date: {formatdate(now_s, usegmt=True)}\r\n".encode()


def render_json(status: int, body: bytes, *, date: bytes, headers: bytes, is_head: bool) -> bytes:
    """A whole answer with a JSON body; ``headers`` are further complete header lines."""
    head = b"%s%d\r\n%s%s\r\n" % (_HEADS[status], len(body), date, headers)
    return head if is_head else head + body


def render_empty(status: int, *, date: bytes, headers: bytes) -> bytes:
    """An answer without a body (204, 304)."""
    return b"%s%s%s\r\n" % (_STATUS_LINES[status], date, headers)


def status_line(status: int) -> bytes:
    """The first line; an unknown status gets an empty phrase."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_line(name: str, value: str | int) -> bytes:
    """One header line. The value is ours, or was checked to hold no line break."""
    return f"{name}: {value}\r\n".encode("latin-1")


def window_headers(window: RateWindow) -> bytes:
    """Header lines that show a client its window."""
    return _WINDOW % (window.limit, window.remaining, window.reset_s)


def cors_headers(head: Head) -> bytes:
    """Header lines of any answer to a request that names its origin; else nothing."""
    origin = head.headers.get(b"origin")
    if origin is None:
        return b""
    return (
        b"Access-Control-Allow-Origin: "
        + origin
        + b"\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
        + _EXPOSED
    )


def preflight_headers(head: Head, allow: bytes) -> bytes:
    """Header lines of the answer to a browser that asks before it sends by one of ``allow``."""
    requested = head.headers.get(b"access-control-request-headers", b"")
    return (
        cors_headers(head)
        + b"Access-Control-Allow-Methods: "
        + allow
        + b"\r\n"
        + (b"Access-Control-Allow-Headers: " + requested + b"\r\n" if requested else b"")
        + header_line("Access-Control-Max-Age", PREFLIGHT_AGE_S)
    )
