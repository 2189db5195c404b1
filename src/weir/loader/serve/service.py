"""The loader's socket: snapshots, the ledger, status and forced cuts for the api process.

One thread per connection; the api process keeps a few. A request that fails is answered with a
``Refusal``; a connection that misbehaves is closed. Nothing here changes what the loader does.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from weir.errors import Internal, WeirError, failure_of
from weir.loader.serve.answers import Answers
from weir.loader.serve.rereading import Rereading
from weir.loader.serve.wire import (
    CutRequest,
    HoldRequest,
    LedgerRequest,
    Refusal,
    ReplayRequest,
    Reply,
    Request,
    SnapshotReply,
    SnapshotRequest,
    StatusRequest,
    TraceRequest,
    WholeSnapshotRequest,
    receive_request,
    send_message,
)
from weir.loader.values import SharedSnapshot
from weir.node.sockets import listen_unix
from weir.telemetry import Happening, emit

CONNECTIONS_MAX = 64

ANSWERS: Mapping[type[Request], Callable[[Answers, Any], Reply | SharedSnapshot]] = {
    SnapshotRequest: lambda answers, request: answers.snapshot(request.project_id),
    WholeSnapshotRequest: lambda answers, request: answers.snapshot(request.project_id),
    LedgerRequest: Answers.ledger,
    StatusRequest: lambda answers, _: answers.status(),
    CutRequest: lambda answers, _: answers.cut(),
    HoldRequest: Answers.hold,
    TraceRequest: Answers.trace,
    ReplayRequest: Answers.replay,
}
"""How each type of request is answered."""

AWAITED: Mapping[type[Request], Callable[[Rereading], None]] = {
    SnapshotRequest: Rereading.await_shortly,
    WholeSnapshotRequest: Rereading.await_end,
    LedgerRequest: Rereading.await_end,
    TraceRequest: Rereading.await_end,
    ReplayRequest: Rereading.await_end,
}
"""What a request waits for after a start. The others wait for nothing, or have their own wait."""


class Service:
    """The listening socket and its threads, from construction until ``close``."""

    __slots__ = ("_answers", "_connections", "_listener", "_lock", "_rereading", "_slots")

    def __init__(self, path: Path, answers: Answers, rereading: Rereading) -> None:
        self._answers = answers
        self._rereading = rereading
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._listener = listen_unix(path, backlog=CONNECTIONS_MAX)
        threading.Thread(target=self._accept, name="loader-socket", daemon=True).start()

    def close(self) -> None:
        """Stops listening and hangs up."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed, or the peer is gone again
                self._slots.release()
                if self._listener.fileno() < 0:
                    return
                continue
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while (request := receive_request(connection)) is not None:
                self._answer(connection, request)
        except (OSError, msgspec.MsgspecError):
            pass  # the peer is gone or speaks something else; hang up
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            self._slots.release()

    def _answer(self, connection: socket.socket, request: Request) -> None:
        try:
            reply, descriptor = self._reply(request)
        except WeirError as error:
            reply, descriptor = Refusal(failure_of(error)), None
        except Exception as error:  # whatever it was, the client must hear of it
            emit(Happening.REQUEST_FAILED, where="loader", reason=type(error).__name__)
            refused = Internal("The loader failed to answer; its log says why.")
            reply, descriptor = Refusal(failure_of(refused)), None
        try:
            send_message(connection, reply, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _reply(self, request: Request) -> tuple[Reply, int | None]:
        """The reply, and a descriptor that travels beside it."""
        if (wait := AWAITED.get(type(request))) is not None:
            wait(self._rereading)
        answer = ANSWERS[type(request)](self._answers, request)
        if isinstance(answer, SharedSnapshot):
            return SnapshotReply(answer.snapshot), answer.descriptor
        return answer, None
