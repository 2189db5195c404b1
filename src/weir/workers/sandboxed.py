"""A worker's own steps, alike in every kind: it gives up what it does not need, and answers.

What a worker gives up before it is spare needs no job; the rest needs to know the job's files.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from weir.engine import landlock, sandbox, seccomp
from weir.engine.session import Session
from weir.errors import WeirError, failure_of
from weir.workers.wire import (
    Assignment,
    MessageKind,
    WorkerLimits,
    receive_assignment,
    send_message,
)

LAST_WORD_BYTES: Final = 256 << 10
"""Address space that is kept back from a job, to tell how it ended."""


def enter(connection: socket.socket, limits: WorkerLimits) -> None:
    """Gives up everything but the socket: descriptors, environment, network, memory, CPU time."""
    sandbox.enter(
        sandbox.SandboxLimits(memory_bytes=limits.memory_bytes, cpu_s=limits.cpu_s),
        keep={connection.fileno()},
    )


def next_job(connection: socket.socket) -> Assignment | None:
    """Says ``READY`` and waits for the one job; returns None when there is none."""
    send_message(connection, MessageKind.READY, b"")
    return receive_assignment(connection)


def confine(session: Session, limits: WorkerLimits, *, files: Iterable[str]) -> None:
    """Gives up every file but ``files``, new processes and most system calls; starts threads.

    Threads are restricted with the thread that starts them: files first, then threads.
    """
    landlock.restrict_to(files)
    session.use_threads(limits.threads)
    sandbox.forbid_processes()
    seccomp.refuse_calls()


def report(
    connection: socket.socket,
    answer: Callable[[], None],
    *,
    translate: Callable[[Exception], WeirError],
) -> None:
    """Runs the kind's ``answer``, which sends the ``BODY`` messages, and sends the last word.

    ``translate`` tells in Weir's words what is no ``WeirError``. A last word can be said when the
    job's own memory is used up.
    """
    kept = bytearray(LAST_WORD_BYTES)
    try:
        answer()
    except WeirError as error:
        del kept
        _fail(connection, error)
    except ConnectionError:
        return
    except Exception as error:  # whatever the engine throws is this job's end
        del kept
        _fail(connection, translate(error))
    else:
        send_message(connection, MessageKind.DONE, b"")


def _fail(connection: socket.socket, error: WeirError) -> None:
    send_message(connection, MessageKind.FAILED, msgspec.msgpack.encode(failure_of(error)))
