"""How the pieces of a body are kept."""

import sys
from typing import cast

import pytest

from weir.errors import InvalidInput
from weir.ingest.http.exchange import PIECES_FREE, Exchange, ExchangeConnection
from weir.ingest.http.head import Head

CHUNKED = Head(b"POST", b"/v1/events", b"/v1/events", {b"transfer-encoding": b"chunked"})
WHOLE = Head(b"POST", b"/v1/events", b"/v1/events", {b"content-length": b"100000"})


def _exchange(head: Head) -> Exchange:
    exchange = Exchange(cast("ExchangeConnection", None))
    exchange.head = head
    return exchange


def test_small_pieces_take_the_memory_that_is_counted() -> None:
    """Gathered in few blocks, with the large ones between them where they belong."""
    exchange = _exchange(CHUNKED)
    pieces = [b"%020d" % number for number in range(20_000)]
    pieces[7_000] = b"x" * 100_000
    for piece in pieces:
        exchange.add(piece)
    assert exchange.body == b"".join(pieces)
    assert exchange.body_bytes == len(exchange.body)
    held = sum(sys.getsizeof(part) for part in exchange.parts)
    assert held < 1.3 * exchange.body_bytes


def test_crumbs_are_refused_only_in_chunks() -> None:
    """The packets of a slow network are not the client's choice."""
    exchange = _exchange(WHOLE)
    for _ in range(10 * PIECES_FREE):
        exchange.add(b"ab")
    assert exchange.body == b"ab" * (10 * PIECES_FREE)
    exchange = _exchange(CHUNKED)
    for _ in range(PIECES_FREE):
        exchange.add(b"ab")
    with pytest.raises(InvalidInput):
        _add_all(exchange, [b"ab"] * PIECES_FREE)


def _add_all(exchange: Exchange, pieces: list[bytes]) -> None:
    for piece in pieces:
        exchange.add(piece)
