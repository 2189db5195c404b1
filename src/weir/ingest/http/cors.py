"""Headers for pages of other origins (the CORS protocol of the Fetch standard).

The key is what lets a client in, and a browser does not send it by itself; so every origin may ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.ingest.http.responses import header_line

if TYPE_CHECKING:
    from weir.ingest.http.head import Head

PREFLIGHT_AGE_S = 86400

_EXPOSED = (
    b"Access-Control-Expose-Headers: "
    b"Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset\r\n"
)


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
