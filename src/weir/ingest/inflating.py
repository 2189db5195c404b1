"""Large bodies are inflated on other threads, a few at a time.

A body that waits here is still small, and counted; what comes out may be large and is counted by
the door as soon as it has it. So the number of those in between is what bounds the memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from weir.ingest.body import inflate

RUNNING_MAX = 4
"""Bodies of one worker that are being inflated, or were and are not yet with the door."""

Inflated = asyncio.Future[bytes]


class _Job(NamedTuple):
    encoding: str
    body: bytes
    then: Callable[[Inflated], None]


class Inflater:
    """One worker's large bodies, first come, first served."""

    __slots__ = ("_bytes_max", "_loop", "_running", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, bytes_max: int) -> None:
        self._loop = loop
        self._bytes_max = bytes_max
        self._running = 0
        self._waiting: deque[_Job] = deque()

    def inflate(self, encoding: str, body: bytes, then: Callable[[Inflated], None]) -> None:
        """Inflates as ``body.inflate`` does and calls ``then`` with the result, on the loop."""
        self._waiting.append(_Job(encoding, body, then))
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._running < RUNNING_MAX:
            job = self._waiting.popleft()
            self._running += 1
            work = partial(inflate, job.encoding, job.body, bytes_max=self._bytes_max)
            future = self._loop.run_in_executor(None, work)
            future.add_done_callback(partial(self._finish, job.then))

    def _finish(self, then: Callable[[Inflated], None], done: Inflated) -> None:
        self._running -= 1
        try:
            then(done)
        finally:
            self._go_on()
