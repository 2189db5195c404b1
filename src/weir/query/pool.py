"""The pool: admits queries, hands each to a worker of its own, and kills at the deadline.

``async with pool.slot(tenant_id) as slot`` first, then the snapshot, then ``slot.run``: who is
refused has cost nobody anything. Who waits, for how long and who is next: ``workers/slots.py``
and ``query_queue_wait_s``. One deadline holds from the wait to the last byte. Whatever happens to
a worker happens to its one query only. Lives on one event loop.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

import msgspec

from weir.clock import Clock
from weir.engine.failures import out_of_memory
from weir.errors import WeirError
from weir.query.failures import broken, queries_busy, timed_out, too_many_queries
from weir.query.job import Job, JobTable, TableSnapshot, job_tables
from weir.query.request import QueryRequest
from weir.query.result import QueryResult
from weir.settings import Settings
from weir.telemetry import QUERIES, QUERY_SECONDS, Happening
from weir.workers.kind import WorkerKind
from weir.workers.running import RunningJob
from weir.workers.slots import FairSlots
from weir.workers.spares import SpareWorkers
from weir.workers.wire import WorkerLimits

CPU_MARGIN_S: Final = 2

QUERIES_KIND: Final = WorkerKind(
    module="weir.query.zygote",
    killed=Happening.QUERY_KILLED,
    failed=Happening.QUERY_WORKER_FAILED,
    timed_out=timed_out,
    out_of_memory=out_of_memory,
    broken=broken,
)


class QueryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The settings ``query_…`` that bound a pool and its workers, under the same names."""

    workers: int
    spares: int
    tenant_workers_max: int
    waiting_max: int
    queue_wait_s: float
    timeout_s: float
    memory_bytes: int
    sql_bytes_max: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns the limits that the settings name."""
        return cls(
            workers=settings.query_workers,
            spares=settings.query_spares,
            tenant_workers_max=settings.query_tenant_workers_max,
            waiting_max=settings.query_waiting_max,
            queue_wait_s=settings.query_queue_wait_s,
            timeout_s=settings.query_timeout_s,
            memory_bytes=settings.query_memory_bytes,
            sql_bytes_max=settings.query_sql_bytes_max,
        )


class QuerySlot:
    """One query's slot in the pool, from ``QueryPool.slot``."""

    __slots__ = ("_job", "_make_job", "_root", "_spares")

    def __init__(
        self,
        job: RunningJob,
        spares: SpareWorkers,
        make_job: Callable[[QueryRequest, tuple[JobTable, ...]], Job],
        *,
        root: Path,
    ) -> None:
        self._job = job
        self._spares = spares
        self._make_job = make_job
        self._root = root

    async def run(self, request: QueryRequest, tables: Sequence[TableSnapshot]) -> QueryResult:
        """Starts the one query over exactly these tables; returns at its first bytes.

        From then on the result holds the slot; descriptors stay the caller's. Raises
        ``InvalidInput`` (``invalid_query``), ``Forbidden`` (``forbidden_query``),
        ``Unprocessable`` (``query_memory_exceeded``), ``TimedOut`` (``query_timeout``),
        ``Unavailable`` when stored events cannot be read, or ``Internal`` when a worker fails.
        """
        told, descriptors = job_tables(tables, self._root)
        encoded = msgspec.msgpack.encode(self._make_job(request, told))
        first = await self._job.begin(self._spares, encoded, descriptors)
        return QueryResult(self._job, first, request.format)


class QueryPool:
    """Runs queries, each in a worker of its own; the module says who runs and for how long."""

    def __init__(self, limits: QueryLimits, *, root: Path, clock: Clock) -> None:
        self._limits = limits
        self._root = root.resolve()
        self._clock = clock
        self._spares = SpareWorkers(
            QUERIES_KIND, count=limits.spares, limits=_worker_limits(limits)
        )
        self._slots: FairSlots[asyncio.Future[None]] = FairSlots(
            running_max=limits.workers,
            tenant_running_max=limits.tenant_workers_max,
            waiting_max=limits.waiting_max,
        )

    @property
    def running_count(self) -> int:
        """Queries that run now."""
        return self._slots.running_count

    @property
    def waiting_count(self) -> int:
        """Queries that wait for a slot."""
        return self._slots.waiting_count

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
    async def slot(self, tenant_id: int) -> AsyncIterator[QuerySlot]:
        """Waits for a slot for one query, whose deadline runs from here.

        It is given up at the end of the context, unless a result that was returned holds it. At
        the deadline whatever goes on in the context ends with ``TimedOut`` (``query_timeout``).
        When there is no slot in time, raises ``LimitExceeded`` (``too_many_queries``) if that is
        the tenant's own doing, else ``Unavailable`` (``queries_busy``).
        """
        started_s = self._clock.monotonic_s()
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        try:
            await self._admit(tenant_id, deadline)
        except WeirError as error:
            QUERIES.labels(error.code).inc()
            raise
        job = RunningJob(
            QUERIES_KIND,
            deadline=deadline,
            on_finish=lambda result: self._leave(tenant_id, started_s, result),
        )
        make_job = partial(self._job, started_s=started_s)
        try:
            async with asyncio.timeout_at(deadline):
                yield QuerySlot(job, self._spares, make_job, root=self._root)
        except TimeoutError:
            job.expire()
            raise timed_out() from None
        except WeirError as error:
            job.finish(error.code)
            raise
        except BaseException:
            job.finish("aborted")
            raise
        if not job.has_begun:
            job.finish("aborted")

    async def _admit(self, tenant_id: int, deadline: float) -> None:
        """Returns when the tenant's query holds a slot."""
        if self._slots.take(tenant_id):
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        pushed_out = self._slots.wait(tenant_id, waiter)
        if pushed_out is waiter:
            raise self._no_slot(tenant_id)
        if pushed_out is not None:
            pushed_out.set_exception(too_many_queries())
        patience = loop.time() + self._limits.queue_wait_s
        try:
            async with asyncio.timeout_at(min(patience, deadline)):
                await waiter
        except BaseException as error:  # whatever ends the wait, the queue and the slot know it
            self._slots.leave(tenant_id, waiter)
            if _was_admitted(waiter):
                self._release(tenant_id)
            if not isinstance(error, TimeoutError):
                raise
            raise (timed_out() if deadline <= patience else self._no_slot(tenant_id)) from None

    def _no_slot(self, tenant_id: int) -> WeirError:
        return too_many_queries() if self._slots.is_at_its_share(tenant_id) else queries_busy()

    def _job(self, request: QueryRequest, tables: tuple[JobTable, ...], *, started_s: float) -> Job:
        return Job(
            sql=request.sql,
            parameters=request.parameters,
            sql_bytes_max=self._limits.sql_bytes_max,
            format=request.format,
            row_limit=request.row_limit,
            safe=request.safe,
            with_meta=request.with_meta,
            tables=tables,
            started_s=started_s,
        )

    def _leave(self, tenant_id: int, started_s: float, result: str) -> None:
        QUERIES.labels(result).inc()
        QUERY_SECONDS.labels(result).observe(self._clock.monotonic_s() - started_s)
        self._release(tenant_id)

    def _release(self, tenant_id: int) -> None:
        admitted = self._slots.release(tenant_id)
        while admitted is not None and admitted.item.done():
            # Its client left a moment ago, and it has not come to say so itself.
            admitted = self._slots.release(admitted.tenant_id)
        if admitted is not None:
            admitted.item.set_result(None)


def _worker_limits(limits: QueryLimits) -> WorkerLimits:
    """Threads of all workers together are no more than the cores."""
    threads = max(len(os.sched_getaffinity(0)) // limits.workers, 1)
    cpu_s = math.ceil(limits.timeout_s * threads) + CPU_MARGIN_S
    return WorkerLimits(threads=threads, memory_bytes=limits.memory_bytes, cpu_s=cpu_s)


def _was_admitted(waiter: asyncio.Future[None]) -> bool:
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None
