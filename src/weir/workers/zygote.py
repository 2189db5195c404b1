"""The fork server of one kind of worker: imports and connects once, forks a worker per request.

A clean process of its own (no state of the process that started it is inherited), with one
thread, because a fork copies only one. It is told by one message to fork: a byte, with the
worker's end of a socket pair beside it. It answers ``BORN`` with the child's process id and a
pidfd beside it, and later ``ENDED`` with the wait status. It ends when its parent's socket does.
"""

import array
import contextlib
import gc
import os
import selectors
import socket
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from weir.clock import Clock, SystemClock
from weir.engine.sandbox import die_with_parent
from weir.engine.session import Engine, Session
from weir.workers.wire import NOTE, Note, WorkerLimits, ZygoteSettings

ENGINE_SHARE: Final = 0.75
"""How much of a worker's memory the engine plans with; the rest is for what it forgets."""

WarmUp = Callable[[Session], None]
"""Runs once in the fork server, so that its workers find in memory what they run through."""
ServeOne = Callable[[socket.socket, Engine, WorkerLimits, Clock], None]
"""The whole life of a worker, from its socket to its last word."""


def serve_forks(*, warm_up: WarmUp, serve_one: ServeOne) -> NoReturn:
    """Runs a fork server of a kind's functions in this process, until its parent's socket ends.

    Its settings are the first argument on the command line.
    """
    settings = msgspec.json.decode(sys.argv[1], type=ZygoteSettings)
    die_with_parent(settings.parent)
    engine = Engine.open(memory_bytes=int(settings.limits.memory_bytes * ENGINE_SHARE))
    warm_up(engine.session())
    gc.freeze()
    with socket.socket(fileno=settings.control) as control:
        _Forks(control, engine, settings.limits, serve_one).serve()
    # Without the interpreter's own end, in which the engine's binding reports what it leaked.
    os._exit(0)


class _Forks:
    """The parent's socket and the children, each watched by its pidfd."""

    def __init__(
        self, control: socket.socket, engine: Engine, limits: WorkerLimits, serve_one: ServeOne
    ) -> None:
        self._control = control
        self._engine = engine
        self._limits = limits
        self._serve_one = serve_one

    def serve(self) -> None:
        """Forks and reaps until the parent is gone."""
        with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionError):
            selector.register(self._control, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is not self._control:
                        self._reap(selector, key)
                    elif not self._fork(selector):
                        return

    def _fork(self, selector: selectors.BaseSelector) -> bool:
        """Forks one worker; False when the parent is gone."""
        asked, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not asked:
            return False
        me = os.getpid()
        child = os.fork()
        if child == 0:
            self._live(descriptors[0], parent=me)
        os.close(descriptors[0])
        pidfd = os.pidfd_open(child)
        selector.register(pidfd, selectors.EVENT_READ, data=child)
        self._tell(Note.BORN, child, 0, pidfd)
        return True

    def _live(self, descriptor: int, *, parent: int) -> NoReturn:
        """A worker's whole life."""
        status = 1
        try:
            die_with_parent(parent)
            connection = socket.socket(fileno=descriptor)
            self._serve_one(connection, self._engine, self._limits, SystemClock())
            status = 0
        finally:
            os._exit(status)

    def _reap(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        child, status = os.waitpid(key.data, 0)
        selector.unregister(key.fileobj)
        os.close(key.fd)
        self._tell(Note.ENDED, child, status, None)

    def _tell(self, note: Note, child: int, status: int, pidfd: int | None) -> None:
        rights = (
            []
            if pidfd is None
            else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))]
        )
        self._control.sendmsg([NOTE.pack(note, child, status)], rights)
