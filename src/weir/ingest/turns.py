"""Who is worked for next: tenants in turn, however much each of them has waiting.

What waits here are requests whose bodies count as bytes in flight, which bounds the lines.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Lines(Generic[T]):
    """A line for each tenant; the first of each in turn."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: OrderedDict[int, deque[T]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def join(self, tenant_id: int, item: T) -> None:
        """Puts an item at the end of its tenant's line."""
        line = self._lines.get(tenant_id)
        if line is None:
            line = self._lines[tenant_id] = deque()
        line.append(item)

    def next(self) -> T:
        """Takes the first of the tenant that has waited longest for its turn."""
        tenant_id, line = next(iter(self._lines.items()))
        item = line.popleft()
        if line:
            self._lines.move_to_end(tenant_id)
        else:
            del self._lines[tenant_id]
        return item


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
