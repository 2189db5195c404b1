"""How workers end: killed by their parent, by the kernel, or by themselves."""

import asyncio
import contextlib
import os
import select
import signal
import socket
from typing import Final

from weir.errors import WeirError
from weir.telemetry import emit
from weir.workers.kind import WorkerKind
from weir.workers.wire import MESSAGE_HEAD

ENDED_WAIT_S: Final = 2.0
"""How long the fork server may take to tell how a worker ended."""

_SIGNS_OF_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
"""Not the parent's kill: the kernel's, or an allocation that the engine did not survive."""


class Worker:
    """A forked process as its parent holds it: the pidfd to kill it by, and its socket."""

    __slots__ = ("_pidfd", "connection", "ended", "greeting_missing", "process_id")

    def __init__(
        self, process_id: int, pidfd: int, connection: socket.socket, ended: asyncio.Future[int]
    ) -> None:
        self.process_id = process_id
        self.connection = connection
        self.ended = ended
        """The wait status; known some time after the process has ended."""
        self.greeting_missing = MESSAGE_HEAD.size
        """Bytes of ``READY`` that have not arrived yet."""
        self._pidfd: int | None = pidfd

    def has_ended(self) -> bool:
        """Whether the process is no more, told by the kernel before anybody is notified."""
        if self._pidfd is None:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """Ends the process now, if it has not ended, and gives up its descriptors."""
        self.connection.close()
        if self._pidfd is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        self._pidfd = None


async def cause_of_end(worker: Worker, kind: WorkerKind) -> WeirError:
    """Returns why a worker ended without a last word, as its job's caller is told; logs it."""
    try:
        async with asyncio.timeout(ENDED_WAIT_S):
            status = await asyncio.shield(worker.ended)
    except TimeoutError:
        status = 0
    emit(kind.failed, reason="worker_ended", worker=worker.process_id, status=status)
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if by == signal.SIGXCPU:
        return kind.timed_out()
    if by in _SIGNS_OF_MEMORY:
        return kind.out_of_memory()
    return kind.broken()
