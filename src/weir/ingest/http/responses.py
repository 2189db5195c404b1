"""Bytes of HTTP/1.1 answers. Pure: the date line and everything else is handed in."""

from email.utils import formatdate
from http import HTTPStatus

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"

_JSON = b"Content-Type: application/json\r\n"
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
