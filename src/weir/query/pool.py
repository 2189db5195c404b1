"""The pool: admits queries, hands each to a worker of its own, and kills at the deadline.

``async with pool.place(tenant_id) as place`` first, then the snapshot, then ``place.run``: who
is refused has cost nobody anything. Who waits, for how long and who is next: ``places.py`` and
``query_queue_wait_s``. One deadline holds from the place to the last byte. Whatever happens to a
worker happens to its one query only. Lives on one event loop.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from weir.clock import Clock
from weir.domain.snapshot import LakeFile, Snapshot
from weir.errors import LimitExceeded, Unavailable, WeirError
from weir.query.places import Places
from weir.query.ranges import Range, Window, day_range
from weir.query.request import CONTENT_TYPES, Format, QueryRequest
from weir.query.running import RunningQuery, timed_out
from weir.query.spares import Spares
from weir.query.wire import Job, JobFile, JobFiles, WorkerLimits
from weir.settings import Settings
from weir.telemetry import QUERIES, QUERY_SECONDS

CPU_MARGIN_S: Final = 2


class QueryResult:
    """A result on its way. Whoever holds it calls ``finish``, read to the end or not."""

    __slots__ = ("_format", "_query")

    def __init__(self, query: RunningQuery, kind: Format) -> None:
        self._query = query
        self._format = kind

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return CONTENT_TYPES[self._format]

    @property
    def deadline(self) -> float:
        """When the query is ended, in the loop's time."""
        return self._query.deadline

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
        query: RunningQuery,
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
        self._places: Places[asyncio.Future[None]] = Places(
            running_max=settings.query_workers,
            tenant_running_max=settings.query_tenant_workers_max,
            waiting_max=settings.query_waiting_max,
        )

    @property
    def running_count(self) -> int:
        """Queries that run now."""
        return self._places.running_count

    @property
    def waiting_count(self) -> int:
        """Queries that wait for their turn."""
        return self._places.waiting_count

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

        It is given up at the end of the context, unless a result that was returned holds it. At
        the deadline whatever goes on in the context ends with ``TimedOut`` (``query_timeout``).
        When there is no room in time, raises ``LimitExceeded`` (``too_many_queries``) if that is
        the tenant's own doing, else ``Unavailable`` (``queries_busy``).
        """
        started_s = self._clock.monotonic_s()
        deadline = asyncio.get_running_loop().time() + self._settings.query_timeout_s
        try:
            await self._admit(tenant_id, deadline)
        except WeirError as error:
            QUERIES.labels(error.code).inc()
            raise
        query = RunningQuery(
            on_finish=lambda result: self._leave(tenant_id, started_s, result),
            deadline=deadline,
        )
        try:
            async with asyncio.timeout_at(deadline):
                yield Place(query, self._spares, partial(self._job, started_s=started_s))
        except TimeoutError:
            query.expire()
            raise timed_out() from None
        except WeirError as error:
            query.finish(error.code)
            raise
        except BaseException:
            query.finish("aborted")
            raise
        if not query.has_begun:
            query.finish("aborted")

    async def _admit(self, tenant_id: int, deadline: float) -> None:
        """Returns when the tenant's query holds a place."""
        if self._places.take(tenant_id):
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        pushed_out = self._places.wait(tenant_id, waiter)
        if pushed_out is waiter:
            raise self._no_room(tenant_id)
        if pushed_out is not None:
            pushed_out.set_exception(_too_many())
        patience = loop.time() + self._settings.query_queue_wait_s
        try:
            async with asyncio.timeout_at(min(patience, deadline)):
                await waiter
        except BaseException as error:  # whatever ends the wait, the line and the place know it
            self._places.leave(tenant_id, waiter)
            if _was_admitted(waiter):
                self._give_up(tenant_id)
            if not isinstance(error, TimeoutError):
                raise
            raise (timed_out() if deadline <= patience else self._no_room(tenant_id)) from None

    def _no_room(self, tenant_id: int) -> WeirError:
        if self._places.is_at_its_share(tenant_id):
            return _too_many()
        return Unavailable(
            "The node is busy with other queries.", code="queries_busy", retry_after_s=1
        )

    def _job(self, request: QueryRequest, snapshot: Snapshot, *, started_s: float) -> Job:
        return Job(
            sql=request.sql,
            sql_bytes_max=self._settings.query_sql_bytes_max,
            format=request.format,
            row_limit=request.row_limit,
            safe=request.safe,
            with_meta=request.with_meta,
            layouts=_layouts(snapshot, self._root),
            tail_row_count=snapshot.tail_row_count,
            tail_byte_count=snapshot.tail_byte_count,
            watermark_us=snapshot.watermark_us,
            started_s=started_s,
        )

    def _leave(self, tenant_id: int, started_s: float, result: str) -> None:
        QUERIES.labels(result).inc()
        QUERY_SECONDS.labels(result).observe(self._clock.monotonic_s() - started_s)
        self._give_up(tenant_id)

    def _give_up(self, tenant_id: int) -> None:
        started = self._places.give_up(tenant_id)
        while started is not None and started.item.done():
            # Its client left a moment ago, and it has not come to say so itself.
            started = self._places.give_up(started.tenant_id)
        if started is not None:
            started.item.set_result(None)


def _worker_limits(settings: Settings) -> WorkerLimits:
    """Threads of all workers together are no more than the cores."""
    threads = max(len(os.sched_getaffinity(0)) // settings.query_workers, 1)
    cpu_s = math.ceil(settings.query_timeout_s * threads) + CPU_MARGIN_S
    return WorkerLimits(threads=threads, memory_bytes=settings.query_memory_bytes, cpu_s=cpu_s)


def _was_admitted(waiter: asyncio.Future[None]) -> bool:
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None


def _too_many() -> LimitExceeded:
    return LimitExceeded(
        "Too many queries run at the same time.",
        code="too_many_queries",
        hint="Wait for an earlier query to end.",
        retry_after_s=1,
    )


def _layouts(snapshot: Snapshot, root: Path) -> tuple[JobFiles, ...]:
    """The snapshot's files by layout, in their order."""
    columns = {layout.id: layout.columns for layout in snapshot.layouts}
    files: dict[int, list[JobFile]] = {}
    for file in snapshot.files:
        files.setdefault(file.layout, []).append(_job_file(file, root))
    return tuple(JobFiles(tuple(each), columns.get(layout, ())) for layout, each in files.items())


def _job_file(file: LakeFile, root: Path) -> JobFile:
    held = Window(Range(file.ts_min_us, file.ts_max_us), day_range(file.day))
    return JobFile(f"{root}/{file.path}", file.row_count, file.byte_count, held)
