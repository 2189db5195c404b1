"""Pipelined requests of one connection: answers leave in the order of the requests.

A client may send its next requests before the first is answered (RFC 9112 section 9.3.2). They are
handed to the door one after the other; what is answered early waits here for what came before it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from weir.ingest.http.exchange import Exchange


class Pipeline:
    """The requests of one connection that are not answered yet, and those not yet begun."""

    __slots__ = ("_is_flushing", "_is_paused", "_take", "_waiting", "exchanges")

    def __init__(self, take: Callable[[Exchange], None]) -> None:
        self._take = take
        """Handles a request; it is the door's."""
        self.exchanges: deque[Exchange] = deque()
        """Requests that are not answered yet, the earliest first."""
        self._waiting: deque[Exchange] = deque()
        self._is_paused = False
        self._is_flushing = False

    def begin(self, exchange: Exchange) -> None:
        """Hands a complete request to the door, or keeps it until ``resume_requests``."""
        if self._is_paused:
            self._waiting.append(exchange)
        else:
            self._take(exchange)

    def pause_requests(self) -> None:
        """Keeps later requests waiting, in order, because the one just taken is decided later."""
        self._is_paused = True

    def resume_requests(self) -> None:
        """Hands on the requests that waited since ``pause_requests``."""
        self._is_paused = False
        while self._waiting and not self._is_paused:
            self._take(self._waiting.popleft())

    def begin_when_first(self, exchange: Exchange) -> None:
        """Calls ``exchange.start`` at once or when the earlier requests are answered."""
        if self.exchanges[0] is exchange:
            _start(exchange)

    def is_next(self, exchange: Exchange) -> bool:
        """Whether the answer of an exchange may leave now, by ``flush``."""
        return not self._is_flushing and self.exchanges[0] is exchange

    def flush(self, transport: asyncio.Transport) -> Exchange | None:
        """Writes the answers that are next in line, and begins what waited to be first.

        Returns the exchange whose answer is the connection's last, once that is written. What
        begins may be answered at once: then the loop below goes on, not another one.
        """
        exchanges = self.exchanges
        self._is_flushing = True
        try:
            while exchanges:
                exchange = exchanges[0]
                if exchange.start is not None:
                    _start(exchange)
                if exchange.output is None:
                    return None
                exchanges.popleft()
                if exchange.output:
                    transport.write(exchange.output)
                if exchange.is_last:
                    return exchange
        finally:
            self._is_flushing = False
        return None

    def drop(self) -> list[Exchange]:
        """Forgets all requests; returns those that were not answered."""
        abandoned = list(self.exchanges)
        self.exchanges.clear()
        self._waiting.clear()
        return abandoned


def _start(exchange: Exchange) -> None:
    start = exchange.start
    if start is not None:
        exchange.start = None
        start()
