"""Reading the head of one request: gathers what the parser finds, and refuses what is wrong.

What a parser may forgive is refused here when another server on the way could understand it
differently (RFC 9112 section 11.2).
"""

import re

from weir.errors import InvalidInput
from weir.ingest.http.head import Head, origin_form
from weir.ingest.http.refusals import (
    ExpectationFailed,
    HttpLimits,
    TargetTooLong,
    TransferCodingUnknown,
    VersionNotSupported,
    body_too_large,
    headers_too_large,
)

LENGTH_DIGITS_MAX = 32
"""Digits of a Content-Length, leading zeros included."""

_HOST = re.compile(rb"[\w.~%!$&'()*+;=:\[\]-]*", re.ASCII)
"""A name or address and a port (RFC 3986 section 3.2); no list, no path, no user."""

_SINGLE = {
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"authorization",
    b"x-api-key",
    b"content-encoding",
    b"content-type",
    b"expect",
}


class HeadReader:
    """The head of the request that is being received."""

    __slots__ = (
        "_header_bytes",
        "_header_count",
        "_headers",
        "_is_complete",
        "_limits",
        "_target",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._header_count = 0
        self._is_complete = False

    def add_target(self, part: bytes) -> None:
        """Adds a part of the request target; raises ``TargetTooLong``."""
        self._target += part
        if len(self._target) > self._limits.target_bytes_max:
            raise TargetTooLong("The request target is too long.")

    def add_header(self, name: bytes, value: bytes) -> None:
        """Adds a header, or a trailer, which counts but may not change what the head said."""
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        limits = self._limits
        if (
            self._header_count > limits.header_count_max
            or self._header_bytes > limits.header_bytes_max
        ):
            raise headers_too_large()
        if self._is_complete:
            return
        headers = self._headers
        key = name.lower()
        if key not in headers:
            headers[key] = value
        elif key in _SINGLE:
            raise InvalidInput(f"The header {key.decode('latin-1')} is repeated.")
        else:
            headers[key] += b", " + value

    def complete(self, method: bytes, *, version: str) -> Head:
        """Returns the whole head; headers that come now are trailers."""
        self._is_complete = True
        target = origin_form(self._target)
        path = target.partition(b"?")[0]
        return Head(method, target, path, self._headers, is_old=version != "1.1")

    def check(self, head: Head, *, version: str) -> None:
        """Raises the ``WeirError`` that refuses a head, if one does."""
        if head.is_old and version != "1.0":
            raise VersionNotSupported("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        headers = head.headers
        if not head.is_old and b"host" not in headers:
            raise InvalidInput("The Host header is missing.")
        if not _HOST.fullmatch(headers.get(b"host", b"")):
            raise InvalidInput("The Host header is malformed.")
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (head.is_old or coding.lower() != b"chunked"):
            raise TransferCodingUnknown("Only the transfer coding 'chunked' is known.")
        if len(headers.get(b"content-length", b"")) > LENGTH_DIGITS_MAX:
            raise InvalidInput("The Content-Length has too many digits.")
        length = head.content_length
        if length is not None and length > self._limits.body_bytes_max:
            raise body_too_large(self._limits.body_bytes_max)
        if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
            raise ExpectationFailed("This expectation cannot be met.")
