"""The api process's side of the loader's socket.

Calls wait in threads. All requests may be repeated, so a connection that breaks is replaced, and
a loader that is away (it restarts within seconds) is tried again until ``PATIENCE_S`` is over.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

from weir.clock import Clock, SystemClock
from weir.domain.outcome import LedgerRow
from weir.errors import Unavailable, WeirError, error_of
from weir.loader.serve.wire import (
    CutRequest,
    HoldRequest,
    LedgerReply,
    LedgerRequest,
    Refusal,
    ReplayReply,
    ReplayRequest,
    Reply,
    Request,
    SnapshotReply,
    SnapshotRequest,
    Status,
    StatusRequest,
    TraceReply,
    TraceRequest,
    WholeSnapshotRequest,
    receive_reply,
    send_message,
)
from weir.loader.values import ReplayFate, SharedSnapshot
from weir.node.sockets import connect_unix

PATIENCE_S = 10.0
"""How long a loader is waited for that is away."""

ANSWER_S = 10.0
"""How long an answer is waited for."""

TRACE_S = 30.0
"""How long a trace is waited for, which reads raw files."""

CUT_S = 60.0
"""How long a forced cut is waited for."""

REPLAY_S = 120.0
"""How long a replay is waited for, which looks for duplicates in the lake and ends with a cut."""

THREADS_MAX = 32
"""Calls at the same time. Threads of their own: other slow work of the process cannot hold
queries up, nor they it."""

_PAUSE_S = 0.05
_IDLE_MAX = 8
_CLOCK = SystemClock()

_Answer = tuple[Reply, int | None]


class LoaderClient:
    """Asks the loader; safe for use by many tasks and threads at once."""

    __slots__ = ("_clock", "_idle", "_lock", "_path", "_pause", "_threads")

    def __init__(self, path: Path, *, clock: Clock = _CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="loader-client")
        self._pause = threading.Event()

    async def snapshot(self, project_id: int) -> SharedSnapshot:
        """Files and tail of a project; the caller closes the descriptor. ``Unavailable``."""
        reply, descriptor = await self._ask(SnapshotRequest(project_id), ANSWER_S)
        assert isinstance(reply, SnapshotReply)
        return SharedSnapshot(reply.snapshot, descriptor)

    async def whole_snapshot(self, project_id: int) -> SharedSnapshot:
        """``snapshot``, with all in it that was durable when the loader began. ``Unavailable``."""
        reply, descriptor = await self._ask(WholeSnapshotRequest(project_id), ANSWER_S)
        assert isinstance(reply, SnapshotReply)
        return SharedSnapshot(reply.snapshot, descriptor)

    async def ledger(
        self,
        *,
        key_ids: Collection[int] | None,
        from_minute: int,
        to_minute: int,
        by: Literal["minute", "total"] = "minute",
    ) -> tuple[LedgerRow, ...]:
        """Counts of keys (None: all) in the half-open range of minutes. ``Unavailable``."""
        keys = None if key_ids is None else tuple(key_ids)
        reply, _ = await self._ask(LedgerRequest(keys, from_minute, to_minute, by), ANSWER_S)
        assert isinstance(reply, LedgerReply)
        return reply.rows

    async def status(self) -> Status:
        """How the loader stands. ``Unavailable``."""
        reply, _ = await self._ask(StatusRequest(), ANSWER_S)
        assert isinstance(reply, Status)
        return reply

    async def trace(
        self, project_id: int, event_id: str, *, received_at_us: int | None
    ) -> TraceReply:
        """The copies of an event that are kept, by time. ``Unavailable``."""
        request = TraceRequest(project_id, event_id, received_at_us)
        reply, _ = await self._ask(request, TRACE_S)
        assert isinstance(reply, TraceReply)
        return reply

    async def cut(self) -> Status:
        """Returns when everything durable now is in the lake. ``Unavailable``."""
        reply, _ = await self._ask(CutRequest(), CUT_S)
        assert isinstance(reply, Status)
        return reply

    async def hold(self, lease_s: float) -> Status:
        """No file of the lake or of a journal is removed for so long. ``Unavailable``."""
        reply, _ = await self._ask(HoldRequest(lease_s), ANSWER_S)
        assert isinstance(reply, Status)
        return reply

    async def replay(
        self, project_id: int, places: Sequence[tuple[str, int]]
    ) -> tuple[ReplayFate, ...]:
        """Decodes dead letters again; fates of some of them at least. ``Unavailable``."""
        reply, _ = await self._ask(ReplayRequest(project_id, tuple(places)), REPLAY_S)
        assert isinstance(reply, ReplayReply)
        return reply.fates

    def close(self) -> None:
        """Hangs up."""
        self._pause.set()
        self._threads.shutdown(wait=False)
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    async def _ask(self, request: Request, timeout_s: float) -> _Answer:
        loop = asyncio.get_running_loop()
        if self._pause.is_set():
            raise _away()
        answer = loop.run_in_executor(self._threads, self._call, request, timeout_s)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(_close_unclaimed)
            raise

    def _call(self, request: Request, timeout_s: float) -> _Answer:
        deadline_s = self._clock.monotonic_s() + PATIENCE_S
        while True:
            try:
                reply, descriptor = self._exchange(request, timeout_s)
            except (OSError, msgspec.MsgspecError) as error:
                away = isinstance(error, TimeoutError) or self._clock.monotonic_s() >= deadline_s
                if away or self._pause.wait(_PAUSE_S):
                    raise _away() from error
                continue
            if isinstance(reply, Refusal):
                raise _refused(reply)
            return reply, descriptor

    def _exchange(self, request: Request, timeout_s: float) -> _Answer:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or connect_unix(self._path, timeout_s=timeout_s)
        try:
            connection.settimeout(timeout_s)
            send_message(connection, request)
            answer = receive_reply(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < _IDLE_MAX and not self._pause.is_set():
                self._idle.append(connection)
                return answer
        connection.close()
        return answer


class WholeSnapshots:
    """A loader's snapshots for those who must not miss what was acknowledged before its start."""

    __slots__ = ("_loader",)

    def __init__(self, loader: LoaderClient) -> None:
        self._loader = loader

    async def snapshot(self, project_id: int) -> SharedSnapshot:
        """Files and tail of a project; the caller closes the descriptor. ``Unavailable``."""
        return await self._loader.whole_snapshot(project_id)


def _refused(reply: Refusal) -> WeirError:
    error = error_of(reply.failure)
    if isinstance(error, Unavailable) and error.retry_after_s is None:
        error.retry_after_s = 1
    return error


def _away() -> Unavailable:
    return Unavailable(
        "Queries are not available at the moment.",
        hint="The loader is starting or overloaded; try again in a moment.",
        retry_after_s=1,
    )


def _close_unclaimed(answer: "asyncio.Future[_Answer]") -> None:
    if answer.cancelled() or answer.exception() is not None:
        return
    descriptor = answer.result()[1]
    if descriptor is not None:
        os.close(descriptor)
