"""Lines: what waits for its turn, by tenant, so that nobody waits behind all of another's."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sized

T = TypeVar("T")


class Lines(Generic[T]):
    """A line for each tenant; the first of each in turn. What bounds them is the caller's."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: OrderedDict[int, deque[T]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def by_tenant(self) -> Mapping[int, Sized]:
        """The lines, none of them empty; first the tenant that has waited longest for its turn."""
        return self._lines

    def join(self, tenant_id: int, item: T) -> None:
        """Puts an item at the end of its tenant's line."""
        line = self._lines.get(tenant_id)
        if line is None:
            line = self._lines[tenant_id] = deque()
        line.append(item)

    def next(self) -> T:
        """Takes the first of the tenant that has waited longest for its turn."""
        return self.next_of(next(iter(self._lines)))

    def next_of(self, tenant_id: int) -> T:
        """Takes the first of a tenant that has a line; its next turn comes after the others'."""
        line = self._lines[tenant_id]
        item = line.popleft()
        if line:
            self._lines.move_to_end(tenant_id)
        else:
            del self._lines[tenant_id]
        return item

    def leave(self, tenant_id: int, item: T) -> bool:
        """Takes an item out of its line; False when it is not in it any more."""
        line = self._lines.get(tenant_id, deque())
        if item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[tenant_id]
        return True

    def last_of(self, tenant_id: int) -> T:
        """Takes the newest of a tenant that has a line."""
        line = self._lines[tenant_id]
        item = line.pop()
        if not line:
            del self._lines[tenant_id]
        return item
