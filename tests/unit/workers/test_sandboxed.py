"""A worker's last word, whatever became of its memory."""

import socket
import subprocess
import sys

import msgspec
import pytest

from weir.errors import Failure, Unprocessable, WeirError, error_of
from weir.workers.sandboxed import report
from weir.workers.wire import MESSAGE_HEAD, MessageKind

HUNGRY = """
import resource, socket, sys
from weir.engine.session import translate
from weir.workers.sandboxed import report

with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
held = []

def eat():
    size = 64 << 20
    while True:
        try:
            held.append(bytearray(size))
        except MemoryError:
            if size <= 1024:
                raise
            size //= 2

report(socket.socket(fileno=int(sys.argv[1])), eat, translate=translate)
"""


def last_word(connection: socket.socket) -> tuple[MessageKind, bytes]:
    """The one message of a worker."""
    with connection.makefile("rb") as stream:
        size, kind = MESSAGE_HEAD.unpack(stream.read(MESSAGE_HEAD.size))
        return MessageKind(kind), stream.read(size)


def test_exhausted_memory_leaves_room_for_the_last_word() -> None:
    """A job that took all that there was is told as that, and not as a worker that broke."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-c", HUNGRY, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
        ) as process,
    ):
        theirs.close()
        kind, told = last_word(ours)
        process.wait(60)
    assert kind is MessageKind.FAILED
    assert error_of(msgspec.msgpack.decode(told, type=Failure)).code == "query_memory_exceeded"


@pytest.mark.parametrize("fails", [True, False])
def test_a_job_ends_with_one_last_word(*, fails: bool) -> None:
    """What failed is told in the kind's words; what did not is done."""

    def answer() -> None:
        if fails:
            raise ValueError("something of the engine's")

    def translate(error: Exception) -> WeirError:
        return Unprocessable(str(error), code="query_memory_exceeded")

    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            report(theirs, answer, translate=translate)
        kind, told = last_word(ours)
    assert kind is (MessageKind.FAILED if fails else MessageKind.DONE)
    assert (b"something" in told) is fails
