"""One job from its worker to its last byte, ended at the deadline whatever goes on."""

import asyncio
import socket
from collections.abc import Callable, Sequence

import msgspec

from weir.errors import Failure, WeirError, error_of
from weir.telemetry import emit
from weir.workers.kill import Worker, cause_of_end
from weir.workers.kind import WorkerKind
from weir.workers.spares import SpareWorkers
from weir.workers.wire import JOB_HEAD, MESSAGE_HEAD, MessageKind


class RunningJob:
    """One job's worker and deadline; ``on_finish`` is called exactly once, with how it ended."""

    def __init__(
        self, kind: WorkerKind, *, deadline: float, on_finish: Callable[[str], None]
    ) -> None:
        self._kind = kind
        self._on_finish: Callable[[str], None] | None = on_finish
        self.deadline = deadline
        """When it is ended, in the loop's time."""
        self._timer = asyncio.get_running_loop().call_at(deadline, self.expire)
        self._expired = False
        self._worker: Worker | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.word: bytes | None = None
        """What the worker told of its whole answer; None until it has come to the last bytes."""

    @property
    def has_begun(self) -> bool:
        """Whether a worker was given the job."""
        return self._worker is not None

    async def begin(
        self, spares: SpareWorkers, encoded: bytes, descriptors: Sequence[int]
    ) -> bytes | None:
        """Hands the job to a worker; returns the first part of its answer, as ``next_part``."""
        if self._expired:
            raise self._kind.timed_out()
        self._worker = await spares.take()
        await self._send(self._worker.connection, encoded, descriptors)
        return await self.next_part()

    async def next_part(self) -> bytes | None:
        """Returns the next bytes of the answer, None at its end; raises what the worker reports."""
        kind, body = await self._next_message()
        while kind == MessageKind.WORD:
            self.word = body
            kind, body = await self._next_message()
        if kind == MessageKind.DONE:
            return None
        if kind == MessageKind.FAILED:
            raise error_of(msgspec.msgpack.decode(body, type=Failure))
        return body

    def finish(self, result: str) -> None:
        """Ends the worker and tells how the job ended; does nothing when it has ended already."""
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
        """Ends the job as its deadline does."""
        if self._on_finish is None:
            return
        self._expired = True
        process_id = self._worker.process_id if self._worker else None
        emit(self._kind.killed, reason="deadline", worker=process_id)
        self.finish(self._kind.timed_out().code)

    async def _next_message(self) -> tuple[int, bytes]:
        assert self._reader is not None, "a job that has begun"
        try:
            size, kind = MESSAGE_HEAD.unpack(await self._reader.readexactly(MESSAGE_HEAD.size))
            return kind, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            raise await self._cause_of_end() from None

    async def _send(
        self, connection: socket.socket, encoded: bytes, descriptors: Sequence[int]
    ) -> None:
        try:
            socket.send_fds(connection, [JOB_HEAD.pack(len(encoded))], descriptors)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=connection)
            self._writer.write(encoded)
            await self._writer.drain()
        except OSError:
            raise await self._cause_of_end() from None

    async def _cause_of_end(self) -> WeirError:
        assert self._worker is not None, "a job that has begun"
        if self._expired:
            return self._kind.timed_out()
        return await cause_of_end(self._worker, self._kind)
