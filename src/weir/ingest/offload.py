"""Large bodies are worked on in other threads, a few at a time.

A body that waits here is still as it was received, and counted; what it is inflated to is counted
by the door as soon as it has it. So the number of those in between is what bounds the memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from weir.domain.tenant_queues import TenantQueues

RUNNING_MAX = 2
"""Bodies of one worker that are worked on, or were and are not yet with the door."""

T = TypeVar("T")


class _Job(NamedTuple, Generic[T]):
    work: Callable[[], T]
    then: Callable[[asyncio.Future[T]], None]


class Offload(Generic[T]):
    """One worker's large bodies, tenants in turn."""

    __slots__ = ("_loop", "_running", "_threads", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # No more threads than bodies: each keeps what it had of memory for its next one.
        self._threads = ThreadPoolExecutor(RUNNING_MAX, "offload")
        self._running = 0
        self._waiting: TenantQueues[_Job[T]] = TenantQueues()

    def run(
        self, tenant_id: int, work: Callable[[], T], then: Callable[[asyncio.Future[T]], None]
    ) -> None:
        """Calls ``work`` in a thread and ``then`` with what came of it, on the loop."""
        self._waiting.add(tenant_id, _Job(work, then))
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._running < RUNNING_MAX:
            job = self._waiting.next()
            self._running += 1
            future = self._loop.run_in_executor(self._threads, job.work)
            future.add_done_callback(partial(self._finish, job.then))

    def _finish(self, then: Callable[[asyncio.Future[T]], None], done: asyncio.Future[T]) -> None:
        self._running -= 1
        try:
            then(done)
        finally:
            self._go_on()
