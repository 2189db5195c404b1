"""The fork server of query workers: imports and connects once, forks a worker for each request.

A clean process of its own (no state of the api process is inherited), with one thread, because
a fork copies only one. It is told by one message to fork: a byte, with the worker's end of a
socket pair beside it. It answers ``BORN`` with the child's process id and a pidfd beside it, and
later ``ENDED`` with the wait status. It ends when the pool's socket does.
"""

import array
import contextlib
import gc
import os
import selectors
import socket
import sys

import msgspec

from weir.clock import SystemClock
from weir.engine.sandbox import die_with_parent
from weir.engine.session import Engine
from weir.query.wire import NOTE, Note, WorkerLimits, ZygoteSettings
from weir.query.worker import ENGINE_SHARE, serve_one, warm_up


def main(settings: ZygoteSettings) -> None:
    """Serves until the pool closes its end."""
    die_with_parent(settings.parent)
    engine = Engine.open(memory_bytes=int(settings.limits.memory_bytes * ENGINE_SHARE))
    warm_up(engine.session())
    gc.freeze()
    control = socket.socket(fileno=settings.control)
    with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionError):
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    _reap(control, selector, key)
                elif not _fork(control, selector, engine, settings.limits):
                    return


def _fork(
    control: socket.socket,
    selector: selectors.BaseSelector,
    engine: Engine,
    limits: WorkerLimits,
) -> bool:
    """Forks one worker; False when the pool is gone."""
    asked, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    if not asked:
        return False
    me = os.getpid()
    child = os.fork()
    if child == 0:
        _live(descriptors[0], parent=me, engine=engine, limits=limits)
    os.close(descriptors[0])
    pidfd = os.pidfd_open(child)
    selector.register(pidfd, selectors.EVENT_READ, data=child)
    _tell(control, Note.BORN, child, 0, pidfd)
    return True


def _live(descriptor: int, *, parent: int, engine: Engine, limits: WorkerLimits) -> None:
    """A worker's whole life; it never returns."""
    status = 1
    try:
        die_with_parent(parent)
        serve_one(socket.socket(fileno=descriptor), engine, limits, SystemClock())
        status = 0
    finally:
        os._exit(status)


def _reap(
    control: socket.socket, selector: selectors.BaseSelector, key: selectors.SelectorKey
) -> None:
    child, status = os.waitpid(key.data, 0)
    selector.unregister(key.fileobj)
    os.close(key.fd)
    _tell(control, Note.ENDED, child, status, None)


def _tell(control: socket.socket, note: Note, child: int, status: int, pidfd: int | None) -> None:
    rights = (
        [] if pidfd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))]
    )
    control.sendmsg([NOTE.pack(note, child, status)], rights)


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=ZygoteSettings))
    # Without the interpreter's own end, in which the engine's binding reports what it leaked.
    os._exit(0)
