"""Spare workers: forked, sandboxed and connected before anybody asks for them.

Guards the fork server and the workers that it forked, until one is taken. Lives on one event loop.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import Final

import msgspec

from weir.errors import Unavailable
from weir.telemetry import emit
from weir.workers.kill import Worker
from weir.workers.kind import WorkerKind
from weir.workers.wire import NOTE, Note, WorkerLimits, ZygoteSettings

START_TIMEOUT_S: Final = 30.0
RESTART_DELAY_S: Final = 1.0
REFILL_DELAY_S: Final = 0.1
"""How long a fork waits while spares are left: a short job has the cores to itself."""
CLOSE_TIMEOUT_S: Final = 5.0

ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All of a worker's environment before it empties it: one thread, no memory reserved ahead."""


class SpareWorkers:
    """Keeps ``count`` connected workers of one kind; ``take`` hands one out, another is forked."""

    def __init__(self, kind: WorkerKind, *, count: int, limits: WorkerLimits) -> None:
        self._kind = kind
        self._count = count
        self._limits = limits
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._asked: deque[socket.socket] = deque()
        self._alive: dict[int, Worker] = {}
        self._starting: set[Worker] = set()
        self._ready: deque[Worker] = deque()
        self._waiting: deque[asyncio.Future[Worker]] = deque()
        self._restart: asyncio.TimerHandle | None = None
        self._refilling: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def zygote_id(self) -> int | None:
        """The process id of the fork server; None while there is none."""
        return None if self._zygote is None else self._zygote.pid

    async def start(self) -> None:
        """Starts the fork server; returns when one worker is connected, in about a second.

        Raises ``Unavailable`` when none is within ``START_TIMEOUT_S``.
        """
        self._launch()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                first = await self.take()
        except TimeoutError:
            await self.close()
            raise Unavailable("No worker could be started.", module=self._kind.module) from None
        self._ready.appendleft(first)
        self._watch(first)

    async def take(self) -> Worker:
        """Returns a connected worker, now the caller's to kill; waits for one if none is spare."""
        while self._ready:
            worker = self._ready.popleft()
            asyncio.get_running_loop().remove_reader(worker.connection)
            if worker.has_ended():
                worker.kill()
                continue
            self._refill_soon()
            return worker
        waiter: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._refill()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                waiter.result().kill()
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)

    async def close(self) -> None:
        """Ends the fork server and all workers, taken ones too."""
        self._closed = True
        for timer in (self._restart, self._refilling):
            if timer is not None:
                timer.cancel()
        zygote = self._zygote
        self._drop_zygote()
        if zygote is not None:
            await asyncio.to_thread(_end, zygote)

    def _launch(self) -> None:
        self._restart = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        told = ZygoteSettings(parent=os.getpid(), control=theirs.fileno(), limits=self._limits)
        self._zygote = subprocess.Popen(
            [sys.executable, "-I", "-m", self._kind.module, msgspec.json.encode(told).decode()],
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._on_control)
        self._refill()

    def _refill_soon(self) -> None:
        if not self._ready and not self._starting:
            self._refill()
        elif self._refilling is None:
            loop = asyncio.get_running_loop()
            self._refilling = loop.call_later(REFILL_DELAY_S, self._refill)

    def _refill(self) -> None:
        if self._refilling is not None:
            self._refilling.cancel()
            self._refilling = None
        wanted = self._count + len(self._waiting)
        have = len(self._ready) + len(self._starting) + len(self._asked)
        for _ in range(wanted - have):
            self._ask()

    def _ask(self) -> None:
        if self._control is None:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            except OSError:
                # A zygote that is gone shows at once as end of file on the control socket.
                ours.close()
                return
        self._asked.append(ours)

    def _on_control(self) -> None:
        assert self._control is not None
        while True:
            try:
                note, descriptors, _, _ = socket.recv_fds(self._control, NOTE.size, 1)
            except BlockingIOError:
                return
            except OSError:
                note, descriptors = b"", []
            if not note:
                self._on_zygote_lost()
                return
            kind, process_id, status = NOTE.unpack(note)
            if kind == Note.BORN:
                self._on_born(process_id, descriptors[0])
            else:
                self._on_ended(process_id, status)

    def _on_born(self, process_id: int, pidfd: int) -> None:
        loop = asyncio.get_running_loop()
        worker = Worker(process_id, pidfd, self._asked.popleft(), loop.create_future())
        self._alive[process_id] = worker
        self._starting.add(worker)
        self._watch(worker)

    def _on_ended(self, process_id: int, status: int) -> None:
        worker = self._alive.pop(process_id, None)
        if worker is not None and not worker.ended.done():
            worker.ended.set_result(status)

    def _watch(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(worker.connection, self._on_worker, worker)

    def _on_worker(self, worker: Worker) -> None:
        """A worker that nobody has taken says that it is connected, or is gone."""
        try:
            greeting = worker.connection.recv(max(worker.greeting_missing, 1))
        except BlockingIOError:
            return
        except OSError:
            greeting = b""
        worker.greeting_missing -= len(greeting)
        if greeting and worker.greeting_missing > 0:
            return
        if greeting and worker.greeting_missing == 0:
            self._starting.discard(worker)
            self._offer(worker)
            return
        self._on_spare_lost(worker)

    def _offer(self, worker: Worker) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                asyncio.get_running_loop().remove_reader(worker.connection)
                waiter.set_result(worker)
                return
        self._ready.append(worker)

    def _on_spare_lost(self, worker: Worker) -> None:
        asyncio.get_running_loop().remove_reader(worker.connection)
        self._starting.discard(worker)
        with contextlib.suppress(ValueError):
            self._ready.remove(worker)
        worker.kill()
        emit(self._kind.failed, reason="spare_ended")
        asyncio.get_running_loop().call_later(RESTART_DELAY_S, self._refill_unless_closed)

    def _refill_unless_closed(self) -> None:
        if not self._closed:
            self._refill()

    def _on_zygote_lost(self) -> None:
        zygote = self._zygote
        self._drop_zygote()
        emit(self._kind.failed, reason="zygote_ended")
        if zygote is not None:
            zygote.kill()
            zygote.wait()
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._restart = loop.call_later(RESTART_DELAY_S, self._launch)

    def _drop_zygote(self) -> None:
        """Forgets the zygote and its workers; the kernel ends them with it."""
        loop = asyncio.get_running_loop()
        if self._control is not None:
            loop.remove_reader(self._control)
            self._control.close()
            self._control = None
        for worker in (*self._ready, *self._starting):
            loop.remove_reader(worker.connection)
        for worker in self._alive.values():
            worker.kill()
            if not worker.ended.done():
                worker.ended.set_result(signal.SIGKILL)
        for connection in self._asked:
            connection.close()
        for group in (self._ready, self._starting, self._alive, self._asked):
            group.clear()
        self._zygote = None


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(CLOSE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
