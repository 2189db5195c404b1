"""Limits of HTTP, and the errors of a request that are raised before its route is known."""

from typing import NamedTuple

from weir.dialects.port import BodyTooLarge
from weir.errors import InvalidInput, LimitExceeded


class HttpLimits(NamedTuple):
    """What one client may take of a worker; docs/reference/settings.md explains each."""

    connections_max: int
    pipelined_requests_max: int
    target_bytes_max: int
    header_count_max: int
    header_bytes_max: int
    body_bytes_max: int
    body_bytes_per_s_min: int
    receive_timeout_s: float
    keepalive_timeout_s: float
    drain_timeout_s: float


class HeadersTooLarge(LimitExceeded):
    """Request line or headers over their limits."""

    status = 431
    default_code = "headers_too_large"


class TargetTooLong(LimitExceeded):
    """The request target is over its limit."""

    status = 414
    default_code = "target_too_long"


class RequestTimeout(LimitExceeded):
    """The request did not arrive whole in time."""

    status = 408
    default_code = "request_timeout"


class ExpectationFailed(InvalidInput):
    """An Expect header other than 100-continue."""

    status = 417
    default_code = "expectation_failed"


class TransferCodingUnknown(InvalidInput):
    """A Transfer-Encoding other than chunked, or any in HTTP/1.0."""

    status = 501
    default_code = "transfer_coding_unknown"


class VersionNotSupported(InvalidInput):
    """A request in another version than HTTP/1.1 and HTTP/1.0."""

    status = 505
    default_code = "version_not_supported"


def headers_too_large() -> HeadersTooLarge:
    """The error for a head over its limits."""
    return HeadersTooLarge("The request's headers are too large.")


def body_too_large(bytes_max: int) -> BodyTooLarge:
    """The error for a body over its limit as received."""
    return BodyTooLarge(f"The body is larger than {bytes_max} bytes.")
