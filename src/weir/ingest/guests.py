"""Bodies of requests that no known key came with: they have a small room of their own.

Anybody can send such, for paths that the api process answers. However many they are and however
slowly they come, the room of the events stays free of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.domain.registry import credential_of
from weir.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from weir.domain.registry import Registry
    from weir.ingest.head import Head

GUESTS_SHARE = 16
"""A worker's bytes in flight, divided by this, are the most that guests' bodies take."""


class Guests:
    """The room that guests' bodies take of one worker."""

    __slots__ = ("_bytes", "_bytes_max")

    def __init__(self, *, in_flight_bytes_max: int) -> None:
        self._bytes = 0
        self._bytes_max = in_flight_bytes_max // GUESTS_SHARE

    def reserve(self, body_bytes: int) -> bool:
        """Takes room for body bytes that arrived; False when there is none."""
        if self._bytes + body_bytes > self._bytes_max:
            return False
        self._bytes += body_bytes
        return True

    def release(self, body_bytes: int) -> None:
        """Gives room back."""
        self._bytes -= body_bytes


def brings_body_unknown(head: Head, registry: Registry, *, now_us: int) -> bool:
    """Whether a body follows the head and no key in it is known: its sender is a guest."""
    headers = head.headers
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return False
    text = credential_of(
        authorization=headers.get(b"authorization", b"").decode("latin-1"),
        api_key=headers.get(b"x-api-key", b"").decode("latin-1"),
    )
    if text is None:
        return True
    try:
        registry.authenticate(text, now_us=now_us)
    except (Unauthenticated, Forbidden):
        return True
    return False
