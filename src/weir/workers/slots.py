"""Who may run: at most so many jobs at a time, so many of one tenant, and who is next.

Decides and does nothing: whoever waits is an item of the caller's. A slot that becomes free goes
to the tenant that runs least, among equals to the one that was served longest ago. So a tenant
that comes anew waits for one job to end, however many another one has waiting.
"""

from collections import Counter
from typing import Final, Generic, NamedTuple, TypeVar

from weir.domain.tenant_queues import TenantQueues

T = TypeVar("T")

_NEVER: Final = 0


class Admitted(NamedTuple, Generic[T]):
    """An item that waited and runs from now on, and its tenant."""

    tenant_id: int
    item: T


class FairSlots(Generic[T]):
    """The slots of a worker pool and a fair queue for them, which holds at most ``waiting_max``."""

    __slots__ = ("_lines", "_running", "_running_max", "_served", "_share_max", "_waiting_max")

    def __init__(self, *, running_max: int, tenant_running_max: int, waiting_max: int) -> None:
        self._running_max = running_max
        self._share_max = min(tenant_running_max, running_max)
        self._waiting_max = waiting_max
        self._running: Counter[int] = Counter()
        self._served: Counter[int] = Counter()
        self._lines: TenantQueues[T] = TenantQueues()

    @property
    def running_count(self) -> int:
        """Jobs that run now."""
        return self._running.total()

    @property
    def waiting_count(self) -> int:
        """Jobs that wait for a slot."""
        return sum(map(len, self._lines.by_tenant.values()))

    def take(self, tenant_id: int) -> bool:
        """Takes a slot and returns True, if one is free for the tenant."""
        if self.running_count >= self._running_max or self.is_at_its_share(tenant_id):
            return False
        self._start(tenant_id)
        return True

    def wait(self, tenant_id: int, item: T) -> T | None:
        """Queues an item whose tenant got no slot by ``take``; returns what has to leave for it.

        When the queue is full that is the newest item of the tenant with most of them, perhaps
        the item itself; else None.
        """
        if self.waiting_count < self._waiting_max:
            self._lines.add(tenant_id, item)
            return None
        longest = max(self._lines.by_tenant, key=self._waiting_of, default=tenant_id)
        if self._waiting_of(longest) <= self._waiting_of(tenant_id) + 1:
            return item
        pushed_out = self._lines.last_of(longest)
        self._lines.add(tenant_id, item)
        return pushed_out

    def leave(self, tenant_id: int, item: T) -> None:
        """Takes an item out of the queue, if it still waits."""
        self._lines.leave(tenant_id, item)
        self._forget(tenant_id)

    def release(self, tenant_id: int) -> Admitted[T] | None:
        """Gives a slot back; returns what runs in it from now on."""
        self._running[tenant_id] -= 1
        self._forget(tenant_id)
        ready = [each for each in self._lines.by_tenant if not self.is_at_its_share(each)]
        if not ready:
            return None
        chosen = min(ready, key=lambda each: (self._running[each], self._served[each]))
        item = self._lines.next_of(chosen)
        self._start(chosen)
        return Admitted(chosen, item)

    def is_at_its_share(self, tenant_id: int) -> bool:
        """Whether the tenant runs as many jobs as one may."""
        return self._running[tenant_id] >= self._share_max

    def _start(self, tenant_id: int) -> None:
        self._served[tenant_id] = max(self._served.values(), default=_NEVER) + 1
        self._running[tenant_id] += 1

    def _waiting_of(self, tenant_id: int) -> int:
        return len(self._lines.by_tenant.get(tenant_id, ()))

    def _forget(self, tenant_id: int) -> None:
        """A tenant that neither runs nor waits comes anew the next time."""
        if not self._running[tenant_id]:
            del self._running[tenant_id]
            if not self._waiting_of(tenant_id):
                del self._served[tenant_id]
