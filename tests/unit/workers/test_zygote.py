"""A fork server of another kind of work than queries: the package knows none of them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from weir.workers.spares import ENVIRONMENT
from weir.workers.wire import (
    JOB_HEAD,
    MESSAGE_HEAD,
    NOTE,
    MessageKind,
    Note,
    WorkerLimits,
    ZygoteSettings,
)

KIND = """
import sys
from weir.errors import Conflict
from weir.workers import sandboxed
from weir.workers.wire import MessageKind, send_message
from weir.workers.zygote import serve_forks

def answer(connection, session, job):
    if job == b"fail":
        raise Conflict("Not this one.")
    if job == b"break":
        raise ValueError("inside")
    session.publish([])
    ((value,),) = session.run("SELECT 6 * 7 AS x", batch_rows=1).batches.read_all().columns
    send_message(connection, MessageKind.BODY, job + str(value.as_py()).encode())

def serve_one(connection, engine, limits, clock):
    sandboxed.enter(connection, limits)
    session = engine.session()
    job = sandboxed.next_job(connection)
    if job is not None:
        sandboxed.confine(session, limits, files=[])
        sandboxed.report(
            connection,
            lambda: answer(connection, session, job.encoded),
            translate=lambda error: Conflict(type(error).__name__),
        )

serve_forks(warm_up=lambda session: None, serve_one=serve_one)
"""


class ForkServer:
    """A running fork server, and this test as its parent."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        limits = WorkerLimits(threads=1, memory_bytes=512 << 20, cpu_s=20)
        told = ZygoteSettings(parent=os.getpid(), control=theirs.fileno(), limits=limits)
        self.process = subprocess.Popen(
            [sys.executable, "-c", KIND, msgspec.json.encode(told).decode()],
            pass_fds=(theirs.fileno(),),
            env=ENVIRONMENT,
        )
        theirs.close()

    def fork(self) -> tuple[socket.socket, int, int]:
        """The socket of a new worker, its process id and its pidfd."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"+"], [theirs.fileno()])
        note, (pidfd,), _, _ = socket.recv_fds(self.control, NOTE.size, 1)
        kind, process_id, _ = NOTE.unpack(note)
        assert kind == Note.BORN
        assert read_message(ours) == (MessageKind.READY, b"")
        return ours, process_id, pidfd

    def next_end(self) -> tuple[int, int]:
        """The process id of the next worker that ends, and its wait status."""
        kind, process_id, status = NOTE.unpack(self.control.recv(NOTE.size))
        assert kind == Note.ENDED
        return process_id, status


def read_message(connection: socket.socket) -> tuple[MessageKind, bytes]:
    """The next message from a worker."""
    head = connection.recv(MESSAGE_HEAD.size, socket.MSG_WAITALL)
    size, kind = MESSAGE_HEAD.unpack(head)
    return MessageKind(kind), connection.recv(size, socket.MSG_WAITALL) if size else b""


def send_job(connection: socket.socket, job: bytes) -> None:
    """Sends a job without descriptors."""
    connection.sendall(JOB_HEAD.pack(len(job)) + job)


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A fork server that ends when its parent's socket does."""
    made = ForkServer()
    yield made
    made.control.close()
    assert made.process.wait(20) == 0


@pytest.mark.parametrize(
    ("job", "kinds"),
    [
        (b"x", [MessageKind.BODY, MessageKind.DONE]),
        (b"fail", [MessageKind.FAILED]),
        (b"break", [MessageKind.FAILED]),
    ],
)
def test_worker_does_one_job_and_ends(
    server: ForkServer, job: bytes, kinds: list[MessageKind]
) -> None:
    """It answers or reports why not, and its end is told with status 0."""
    connection, process_id, pidfd = server.fork()
    os.close(pidfd)
    with connection:
        send_job(connection, job)
        told = [read_message(connection) for _ in kinds]
    assert [kind for kind, _ in told] == kinds
    assert told[0][1] == b"x42" or kinds == [MessageKind.FAILED]
    assert server.next_end() == (process_id, 0)


def test_killed_worker_is_told_with_its_signal(server: ForkServer) -> None:
    """By the pidfd that came with it; the next one is forked as before."""
    connection, process_id, pidfd = server.fork()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    ended, status = server.next_end()
    assert (ended, os.WTERMSIG(status)) == (process_id, signal.SIGKILL)
    os.close(pidfd)
    connection.close()
    connection, process_id, pidfd = server.fork()
    connection.close()
    assert server.next_end() == (process_id, 0)
    os.close(pidfd)
