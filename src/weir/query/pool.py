"""The pool: admits queries, hands each to a worker of its own, and kills at the deadline.

At most ``query_workers`` run at a time, ``query_tenant_workers_max`` of one tenant. A query that
finds no room waits for a moment, then gets 429. Whatever happens to a worker happens to its one
query only. Lives on one event loop.
"""

import asyncio
import math
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec

from weir.clock import Clock
from weir.domain.snapshot import Snapshot
from weir.engine.failures import out_of_memory
from weir.errors import LimitExceeded, TimedOut, WeirError
from weir.query.request import CONTENT_TYPES, Format, QueryRequest
from weir.query.spares import Spares, Worker
from weir.query.wire import FRAME_HEAD, JOB_HEAD, Failure, Job, Kind, WorkerLimits, error_of
from weir.settings import Settings
from weir.telemetry import QUERIES, QUERY_SECONDS, Happening, emit

ENDED_WAIT_S: Final = 2.0
CPU_MARGIN_S: Final = 2

_SIGNS_OF_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
"""Not our kill: the kernel's, or an allocation that the engine did not survive."""


class QueryResult:
    """A result on its way. Whoever holds it calls ``finish``, read to the end or not."""

    __slots__ = ("_query", "content_type")

    def __init__(self, query: "_Query", content_type: str) -> None:
        self._query = query
        self.content_type = content_type

    def body(self) -> AsyncIterator[bytes]:
        """The bytes, once. After the first ones NDJSON tells an error in a last line
        ``{"error", "message"}``; other formats raise the ``WeirError``."""
        return self._query.body()

    def finish(self) -> None:
        """Ends the worker if it still runs and frees its place."""
        self._query.finish("aborted")


class QueryPool:
    """Runs queries; see the module."""

    def __init__(self, *, settings: Settings, root: Path, clock: Clock) -> None:
        self._settings = settings
        self._root = root.resolve()
        self._clock = clock
        self._spares = Spares(count=settings.query_spares, limits=_worker_limits(settings))
        self._running: Counter[int] = Counter()
        self._freed = asyncio.Event()

    @property
    def running_count(self) -> int:
        """Queries that run now."""
        return self._running.total()

    @property
    def zygote_id(self) -> int | None:
        """The process id of the fork server, the parent of all workers; None between two."""
        return self._spares.zygote_id

    async def start(self) -> None:
        """Returns when a worker is connected, so that the first query is fast."""
        await self._spares.start()

    async def close(self) -> None:
        """Ends all workers; queries that run break off."""
        await self._spares.close()

    async def run(
        self, request: QueryRequest, snapshot: Snapshot, tail_fd: int | None
    ) -> QueryResult:
        """Starts a query; returns at its first bytes. ``tail_fd`` stays the caller's.

        Raises ``LimitExceeded`` (``too_many_queries``), ``InvalidInput`` (``invalid_query``),
        ``Forbidden`` (``forbidden_query``), ``Unprocessable`` (``query_memory_exceeded``),
        ``TimedOut`` (``query_timeout``) or a plain ``WeirError`` when a worker fails.
        """
        started_s = self._clock.monotonic_s()
        deadline = asyncio.get_running_loop().time() + self._settings.query_timeout_s
        await self._admit(request.tenant_id)
        query = _Query(
            request.format,
            on_finish=lambda result: self._leave(request.tenant_id, started_s, result),
            deadline=deadline,
        )
        try:
            job = _job(request, snapshot, self._root, self._settings, started_s)
            await query.begin(self._spares, job, tail_fd)
        except WeirError as error:
            query.finish(error.code)
            raise
        except BaseException:
            query.finish("aborted")
            raise
        return QueryResult(query, CONTENT_TYPES[request.format])

    async def _admit(self, tenant_id: int) -> None:
        try:
            async with asyncio.timeout(self._settings.query_queue_wait_s):
                while not self._has_room(tenant_id):
                    await self._freed.wait()
        except TimeoutError:
            QUERIES.labels("too_many_queries").inc()
            raise LimitExceeded(
                "Too many queries run at the same time.",
                code="too_many_queries",
                hint="Wait for an earlier query to end.",
                retry_after_s=1,
            ) from None
        self._running[tenant_id] += 1

    def _has_room(self, tenant_id: int) -> bool:
        if self._running.total() >= self._settings.query_workers:
            return False
        return self._running[tenant_id] < self._settings.query_tenant_workers_max

    def _leave(self, tenant_id: int, started_s: float, result: str) -> None:
        QUERIES.labels(result).inc()
        QUERY_SECONDS.observe(self._clock.monotonic_s() - started_s)
        self._running[tenant_id] -= 1
        self._running += Counter()  # forgets tenants at zero
        self._freed.set()
        self._freed = asyncio.Event()


class _Query:
    """One query's worker, deadline and place in the pool, given up exactly once."""

    def __init__(self, kind: Format, *, on_finish: Callable[[str], None], deadline: float) -> None:
        self._format = kind
        self._on_finish: Callable[[str], None] | None = on_finish
        self._deadline = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)
        self._expired = False
        self._worker: Worker | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._first = b""

    async def begin(self, spares: Spares, job: Job, tail_fd: int | None) -> None:
        """Hands the job to a worker and waits for the first bytes of its answer."""
        try:
            async with asyncio.timeout_at(self._deadline):
                self._worker = await spares.take()
                await self._send(self._worker.connection, job, tail_fd)
                self._first = await self._next() or b""
        except TimeoutError:
            self._expire()
            raise _timed_out() from None

    async def body(self) -> AsyncIterator[bytes]:
        """See ``QueryResult.body``."""
        try:
            part: bytes | None = self._first
            while part is not None:
                yield part
                part = await self._next()
        except WeirError as error:
            self.finish(error.code)
            if self._format is not Format.NDJSON:
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

    def _expire(self) -> None:
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
            return _timed_out()
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
            return _timed_out()
        if by in _SIGNS_OF_MEMORY:
            return out_of_memory()
        return WeirError("The query failed inside the node.")


def _job(
    request: QueryRequest, snapshot: Snapshot, root: Path, settings: Settings, started_s: float
) -> Job:
    return Job(
        sql=request.sql,
        sql_bytes_max=settings.query_sql_bytes_max,
        format=request.format,
        row_limit=request.row_limit,
        safe=request.safe,
        with_meta=request.with_meta,
        files=tuple(f"{root}/{file.path}" for file in snapshot.files),
        row_count=sum(file.row_count for file in snapshot.files) + snapshot.tail_row_count,
        byte_count=sum(file.byte_count for file in snapshot.files) + snapshot.tail_byte_count,
        tail_byte_count=snapshot.tail_byte_count,
        watermark_us=snapshot.watermark_us,
        started_s=started_s,
    )


def _worker_limits(settings: Settings) -> WorkerLimits:
    """Threads of all workers together are no more than the cores."""
    threads = max(len(os.sched_getaffinity(0)) // settings.query_workers, 1)
    cpu_s = math.ceil(settings.query_timeout_s * threads) + CPU_MARGIN_S
    return WorkerLimits(threads=threads, memory_bytes=settings.query_memory_bytes, cpu_s=cpu_s)


def _timed_out() -> TimedOut:
    return TimedOut(
        "The query took longer than it may.",
        code="query_timeout",
        hint="Read a shorter time, or fewer rows or columns.",
    )
