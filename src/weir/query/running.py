"""One query's life: its worker, its deadline and its place in the pool."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from weir.engine.failures import out_of_memory
from weir.errors import Failure, Internal, TimedOut, WeirError, error_of
from weir.query.request import Format
from weir.query.spares import Spares, Worker
from weir.query.wire import FRAME_HEAD, JOB_HEAD, Job, Kind
from weir.telemetry import Happening, emit

ENDED_WAIT_S: Final = 2.0

_SIGNS_OF_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
"""Not our kill: the kernel's, or an allocation that the engine did not survive."""


class RunningQuery:
    """One query's worker, deadline and place in the pool, given up exactly once."""

    def __init__(self, *, on_finish: Callable[[str], None], deadline: float) -> None:
        self._on_finish: Callable[[str], None] | None = on_finish
        self.deadline = deadline
        """When it is ended, in the loop's time."""
        self._timer = asyncio.get_running_loop().call_at(deadline, self.expire)
        self._expired = False
        self._worker: Worker | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._first = b""

    @property
    def has_begun(self) -> bool:
        """Whether a worker was given the query."""
        return self._worker is not None

    async def begin(self, spares: Spares, job: Job, tail_fd: int | None) -> None:
        """Hands the job to a worker and waits for the first bytes of its answer."""
        if self._expired:
            raise timed_out()
        self._worker = await spares.take()
        await self._send(self._worker.connection, job, tail_fd)
        self._first = await self._next() or b""

    async def body(self, kind: Format) -> AsyncIterator[bytes]:
        """See ``QueryResult.body``."""
        try:
            part: bytes | None = self._first
            while part is not None:
                yield part
                part = await self._next()
        except WeirError as error:
            self.finish(error.code)
            if kind is not Format.NDJSON:
                raise
            told = {"error": error.code, "message": str(error)}
            yield msgspec.json.encode(told) + b"\n"
        else:
            self.finish("ok")

    def finish(self, result: str) -> None:
        """Ends the worker and leaves the pool; what is called later does nothing."""
        if self._on_finish is None:
            return
        on_finish, self._on_finish = self._on_finish, None
        self._timer.cancel()
        if self._writer is not None:
            self._writer.transport.abort()
        if self._worker is not None:
            self._worker.kill()
        on_finish(result)

    def expire(self) -> None:
        """What the deadline does."""
        if self._on_finish is None:
            return
        self._expired = True
        process_id = self._worker.process_id if self._worker else None
        emit(Happening.QUERY_KILLED, reason="deadline", worker=process_id)
        self.finish("query_timeout")

    async def _send(self, connection: socket.socket, job: Job, tail_fd: int | None) -> None:
        encoded = msgspec.msgpack.encode(job)
        descriptors = [] if tail_fd is None else [tail_fd]
        try:
            socket.send_fds(connection, [JOB_HEAD.pack(len(encoded))], descriptors)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=connection)
            self._writer.write(encoded)
            await self._writer.drain()
        except OSError:
            raise await self._death() from None

    async def _next(self) -> bytes | None:
        """The next bytes of the answer; None at its end. Raises what the worker reports."""
        assert self._reader is not None
        try:
            size, kind = FRAME_HEAD.unpack(await self._reader.readexactly(FRAME_HEAD.size))
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            raise await self._death() from None
        if kind == Kind.DONE:
            return None
        if kind == Kind.FAILED:
            raise error_of(msgspec.msgpack.decode(body, type=Failure))
        return body

    async def _death(self) -> WeirError:
        """Why the worker ended without a last word."""
        if self._expired:
            return timed_out()
        assert self._worker is not None
        try:
            async with asyncio.timeout(ENDED_WAIT_S):
                status = await asyncio.shield(self._worker.ended)
        except TimeoutError:
            status = 0
        by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        emit(
            Happening.QUERY_WORKER_FAILED,
            reason="worker_ended",
            worker=self._worker.process_id,
            status=status,
        )
        if by == signal.SIGXCPU:
            return timed_out()
        if by in _SIGNS_OF_MEMORY:
            return out_of_memory()
        return Internal("The query failed inside the node.")


def timed_out() -> TimedOut:
    """The error of a query that reached its deadline."""
    return TimedOut(
        "The query took longer than it may.",
        code="query_timeout",
        hint="Read a shorter time, or fewer rows or columns.",
    )
