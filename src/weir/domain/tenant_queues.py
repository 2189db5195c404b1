"""Queues by tenant: what waits is served tenant by tenant, nobody behind all of another's."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sized

T = TypeVar("T")


class TenantQueues(Generic[T]):
    """A queue for each tenant, served in turn. What bounds them is the caller's."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: OrderedDict[int, deque[T]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._queues)

    @property
    def by_tenant(self) -> Mapping[int, Sized]:
        """The queues, none of them empty; first the tenant that has waited longest for its turn."""
        return self._queues

    def add(self, tenant_id: int, item: T) -> None:
        """Puts an item at the end of its tenant's queue."""
        queue = self._queues.get(tenant_id)
        if queue is None:
            queue = self._queues[tenant_id] = deque()
        queue.append(item)

    def next(self) -> T:
        """Takes the first of the tenant that has waited longest for its turn."""
        return self.next_of(next(iter(self._queues)))

    def next_of(self, tenant_id: int) -> T:
        """Takes the first of a tenant that has a queue; its next turn comes after the others'."""
        queue = self._queues[tenant_id]
        item = queue.popleft()
        if queue:
            self._queues.move_to_end(tenant_id)
        else:
            del self._queues[tenant_id]
        return item

    def leave(self, tenant_id: int, item: T) -> bool:
        """Takes an item out of its queue; False when it is not in it any more."""
        queue = self._queues.get(tenant_id, deque())
        if item not in queue:
            return False
        queue.remove(item)
        if not queue:
            del self._queues[tenant_id]
        return True

    def last_of(self, tenant_id: int) -> T:
        """Takes the newest of a tenant that has a queue."""
        queue = self._queues[tenant_id]
        item = queue.pop()
        if not queue:
            del self._queues[tenant_id]
        return item
