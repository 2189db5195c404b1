"""Who is worked for next: tenants in turn, however much each of them has waiting.

What waits here are requests whose bodies count as bytes in flight, which bounds the lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weir.domain.tenant_queues import Lines

if TYPE_CHECKING:
    import asyncio


class Turns:
    """One worker's work of some length on its loop: one piece between two looks at the sockets.

    So whoever sends little is served between two pieces of those who send much.
    """

    __slots__ = ("_is_taken", "_lines", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: Lines[Callable[[], None]] = Lines()
        self._is_taken = False

    def take(self) -> bool:
        """Whether the turn is free; it is the caller's then, until the sockets were looked at."""
        if self._is_taken:
            return False
        self._is_taken = True
        self._loop.call_soon(self._go_on)
        return True

    def wait(self, tenant_id: int, work: Callable[[], None]) -> None:
        """Calls ``work`` when it is the tenant's turn; only where ``take`` said no."""
        self._lines.join(tenant_id, work)

    def _go_on(self) -> None:
        if not self._lines:
            self._is_taken = False
            return
        self._loop.call_soon(self._go_on)
        self._lines.next()()
