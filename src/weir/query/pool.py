"""The pool: admits queries, hands each to a worker of its own, and kills at the deadline.

``async with pool.place(tenant_id) as place`` first, then the snapshot, then ``place.run``: who
is refused has cost nobody anything. At most ``query_workers`` run at a time,
``query_tenant_workers_max`` of one tenant. A query that finds no room waits for a moment, then
gets 429. Whatever happens to a worker happens to its one query only. Lives on one event loop.
"""

import asyncio
import math
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from weir.clock import Clock
from weir.domain.snapshot import LakeFile, Snapshot
from weir.engine.failures import out_of_memory
from weir.engine.sources import Source
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

    __slots__ = ("_format", "_query")

    def __init__(self, query: "_Query", kind: Format) -> None:
        self._query = query
        self._format = kind

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return CONTENT_TYPES[self._format]

    def body(self) -> AsyncIterator[bytes]:
        """The bytes, once. After the first ones NDJSON tells an error in a last line
        ``{"error", "message"}``; other formats raise the ``WeirError``."""
        return self._query.body(self._format)

    def finish(self) -> None:
        """Ends the worker if it still runs and frees its place."""
        self._query.finish("aborted")


class Place:
    """One query's room in the pool, from ``QueryPool.place``."""

    __slots__ = ("_make_job", "_query", "_spares")

    def __init__(
        self,
        query: "_Query",
        spares: Spares,
        make_job: Callable[[QueryRequest, Snapshot], Job],
    ) -> None:
        self._query = query
        self._spares = spares
        self._make_job = make_job

    async def run(
        self, request: QueryRequest, snapshot: Snapshot, tail_fd: int | None
    ) -> QueryResult:
        """Starts the one query; returns at its first bytes. ``tail_fd`` stays the caller's.

        From then on the result holds the room. Raises ``InvalidInput`` (``invalid_query``),
        ``Forbidden`` (``forbidden_query``), ``Unprocessable`` (``query_memory_exceeded``),
        ``TimedOut`` (``query_timeout``) or a plain ``WeirError`` when a worker fails.
        """
        await self._query.begin(self._spares, self._make_job(request, snapshot), tail_fd)
        return QueryResult(self._query, request.format)


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

    @asynccontextmanager
    async def place(self, tenant_id: int) -> AsyncIterator[Place]:
        """Room for one query, whose deadline runs from here.

        It is given up at the end of the context, unless a result that was returned holds it.
        Raises ``LimitExceeded`` (``too_many_queries``) when no room is found in time.
        """
        started_s = self._clock.monotonic_s()
        deadline = asyncio.get_running_loop().time() + self._settings.query_timeout_s
        await self._admit(tenant_id)
        query = _Query(
            on_finish=lambda result: self._leave(tenant_id, started_s, result),
            deadline=deadline,
        )
        try:
            yield Place(query, self._spares, partial(self._job, started_s=started_s))
        except WeirError as error:
            query.finish(error.code)
            raise
        except BaseException:
            query.finish("aborted")
            raise
        if not query.has_begun:
            query.finish("aborted")

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

    def _job(self, request: QueryRequest, snapshot: Snapshot, *, started_s: float) -> Job:
        return Job(
            sql=request.sql,
            sql_bytes_max=self._settings.query_sql_bytes_max,
            format=request.format,
            row_limit=request.row_limit,
            safe=request.safe,
            with_meta=request.with_meta,
            sources=_sources(snapshot, self._root),
            row_count=sum(file.row_count for file in snapshot.files) + snapshot.tail_row_count,
            byte_count=sum(file.byte_count for file in snapshot.files) + snapshot.tail_byte_count,
            tail_byte_count=snapshot.tail_byte_count,
            watermark_us=snapshot.watermark_us,
            started_s=started_s,
        )

    def _has_room(self, tenant_id: int) -> bool:
        if self._running.total() >= self._settings.query_workers:
            return False
        return self._running[tenant_id] < self._settings.query_tenant_workers_max

    def _leave(self, tenant_id: int, started_s: float, result: str) -> None:
        QUERIES.labels(result).inc()
        QUERY_SECONDS.labels(result).observe(self._clock.monotonic_s() - started_s)
        self._running[tenant_id] -= 1
        self._running += Counter()  # forgets tenants at zero
        self._freed.set()
        self._freed = asyncio.Event()


class _Query:
    """One query's worker, deadline and place in the pool, given up exactly once."""

    def __init__(self, *, on_finish: Callable[[str], None], deadline: float) -> None:
        self._on_finish: Callable[[str], None] | None = on_finish
        self._deadline = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)
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
            raise _timed_out()
        try:
            async with asyncio.timeout_at(self._deadline):
                self._worker = await spares.take()
                await self._send(self._worker.connection, job, tail_fd)
                self._first = await self._next() or b""
        except TimeoutError:
            self._expire()
            raise _timed_out() from None

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


def _sources(snapshot: Snapshot, root: Path) -> tuple[Source, ...]:
    """The snapshot's files by layout, in their order."""
    columns = {layout.id: layout.columns for layout in snapshot.layouts}
    files: dict[int, list[LakeFile]] = {}
    for file in snapshot.files:
        files.setdefault(file.layout, []).append(file)
    return tuple(
        Source(
            tuple(f"{root}/{file.path}" for file in each),
            columns.get(layout, ()),
            sum(file.row_count for file in each),
        )
        for layout, each in files.items()
    )
