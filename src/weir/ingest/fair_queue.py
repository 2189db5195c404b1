"""Who is worked for next: tenants in turn, however much each of them has waiting.

What waits here are requests whose bodies count as bytes in flight, which bounds the lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weir.domain.tenant_queues import TenantQueues

if TYPE_CHECKING:
    import asyncio


class FairQueue:
    """One worker's work of some length on its loop: one piece between two looks at the sockets.

    So a tenant that sends little is served between two pieces of those that send much.
    """

    __slots__ = ("_is_taken", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: TenantQueues[Callable[[], None]] = TenantQueues()
        self._is_taken = False

    def claim(self) -> bool:
        """Whether the turn is free; it is the caller's then, until the sockets were looked at."""
        if self._is_taken:
            return False
        self._is_taken = True
        self._loop.call_soon(self._go_on)
        return True

    def wait(self, tenant_id: int, work: Callable[[], None]) -> None:
        """Calls ``work`` when it is the tenant's turn; only where ``claim`` said no."""
        self._waiting.add(tenant_id, work)

    def _go_on(self) -> None:
        if not self._waiting:
            self._is_taken = False
            return
        self._loop.call_soon(self._go_on)
        self._waiting.next()()
