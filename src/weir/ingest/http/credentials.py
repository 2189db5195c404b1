"""Who sends a body that no known key came with: such bodies have a small share of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.dialects.hygiene import BYTE_ORDER_MARK
from weir.dialects.port import BodyTooLarge
from weir.domain.registry import credential_of
from weir.errors import Forbidden, Unauthenticated
from weir.ingest.encodings import encoding_of
from weir.ingest.judging import inflate_small

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.domain.registry import Registry
    from weir.ingest.http.exchange import Exchange
    from weir.ingest.http.head import Head
    from weir.tokens.memory import TokenMemory


KEYLESS_BODY_BYTES_MAX = 65536
"""Of a body in which a key is looked for, as received: what browsers let a beacon have."""


def is_keyless(head: Head) -> bool:
    """Whether no header holds a key. Raises ``BodyTooLarge`` when none can stand in the body."""
    authorization, api_key = _credentials(head)
    if credential_of(authorization=authorization, api_key=api_key) is not None:
        return False
    if head.content_length is not None and head.content_length > KEYLESS_BODY_BYTES_MAX:
        raise _too_large()
    return True


def key_in_body(exchange: Exchange, find_key: Callable[[bytes], str | None]) -> str:
    """The key in the body, or nothing; ``BodyTooLarge`` as above."""
    body = exchange.body
    encoding = encoding_of(exchange.head.headers.get(b"content-encoding"), body)
    small = inflate_small(encoding, body) if len(body) <= KEYLESS_BODY_BYTES_MAX else None
    if small is None:
        raise _too_large()
    return find_key(small.removeprefix(BYTE_ORDER_MARK)) or ""


def brings_body_unknown(
    head: Head, registry: Registry, tokens: TokenMemory, *, now_us: int
) -> bool:
    """Whether a body follows the head and no key in it is known: its sender is a guest."""
    headers = head.headers
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return False
    authorization, api_key = _credentials(head)
    try:
        known = tokens.find(registry, authorization=authorization, api_key=api_key, now_us=now_us)
    except (Unauthenticated, Forbidden):
        return True
    return known is None


def _credentials(head: Head) -> tuple[str, str]:
    headers = head.headers
    return (
        headers.get(b"authorization", b"").decode("latin-1"),
        headers.get(b"x-api-key", b"").decode("latin-1"),
    )


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(
        f"A body that brings its API key has at most {KEYLESS_BODY_BYTES_MAX} bytes.",
        hint="Send the key in a header.",
    )
