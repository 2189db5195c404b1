"""Who sends a body that no known key came with: such bodies have a small share of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.domain.registry import credential_of
from weir.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from weir.domain.registry import Registry
    from weir.ingest.head import Head


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
