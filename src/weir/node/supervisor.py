"""The supervisor: holds the listening socket, starts the children, restarts those that die.

It does no work of its own, so that it has no reason to fail. A restart loses no waiting
connection, because the socket stays open here.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weir.clock import Clock
from weir.telemetry import CHILD_ENDS, Happening, emit

POLL_S = 0.02
RESTART_DELAY_S = 0.1
RESTART_DELAY_S_MAX = 5.0
SETTLED_S = 5.0
"""A child that lived so long starts again at once when it dies."""

STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Role:
    """One child: how it is started, and what to clear when it is gone."""

    name: str
    arguments: Sequence[str]
    descriptors: Sequence[int]
    when_gone: Callable[[int, int], None]
    """Called with the process id and the exit code, the negative number of a signal."""


@dataclass(slots=True)
class _Child:
    role: Role
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    delay_s: float = RESTART_DELAY_S


class Supervisor:
    """Runs roles as child processes until told to stop."""

    def __init__(self, roles: Sequence[Role], *, environment: dict[str, str], clock: Clock) -> None:
        self._children = [_Child(role) for role in roles]
        self._environment = environment
        self._clock = clock
        self._lifeline, self._held_end = os.pipe()
        self.stop_signals = 0

    def start(self) -> None:
        """Starts every child and heeds SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heed)
        for child in self._children:
            self._spawn(child)

    def watch(self, goes_on: Callable[[], bool]) -> None:
        """Restarts children until a stop signal comes, or ``goes_on``, asked each turn, says no."""
        while not self.stop_signals:
            self.restart_ended()
            if not goes_on():
                return
            signal.sigtimedwait([], POLL_S)

    def restart_ended(self) -> None:
        """Starts those again that ended, at once or after a growing delay."""
        now = self._clock.monotonic_s()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._note_end(child, now)
            if child.process is None and now >= child.start_at_s:
                self._spawn(child)

    def stop(self, names: Sequence[str]) -> None:
        """Ends the children of these names (SIGTERM) and waits for them.

        What is still there at the deadline, or when a second stop signal comes, is killed; what
        was acknowledged is on disk all the same.
        """
        chosen = [child for child in self._children if child.role.name in names]
        for child in chosen:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = self._clock.monotonic_s() + STOP_TIMEOUT_S
        for child in chosen:
            self._await_end(child, deadline)

    @property
    def names(self) -> list[str]:
        return [child.role.name for child in self._children]

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that were started and not yet seen to end."""
        return [child.process.pid for child in self._children if child.process is not None]

    def _heed(self, number: int, frame: object) -> None:
        self.stop_signals += 1

    def _spawn(self, child: _Child) -> None:
        command = [sys.executable, "-m", "weir", *child.role.arguments]
        command += ["--lifeline-fd", str(self._lifeline)]
        child.process = subprocess.Popen(
            command,
            env=self._environment,
            pass_fds=[self._lifeline, *child.role.descriptors],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        child.started_s = self._clock.monotonic_s()
        emit(Happening.CHILD_STARTED, child=child.role.name, pid=child.process.pid)

    def _note_end(self, child: _Child, now: float) -> None:
        assert child.process is not None
        lived_s = now - child.started_s
        child.delay_s = (
            RESTART_DELAY_S if lived_s > SETTLED_S else min(child.delay_s * 2, RESTART_DELAY_S_MAX)
        )
        child.start_at_s = now if lived_s > SETTLED_S else now + child.delay_s
        emit(
            Happening.CHILD_ENDED,
            child=child.role.name,
            pid=child.process.pid,
            code=child.process.returncode,
            lived_s=round(lived_s, 1),
        )
        CHILD_ENDS.labels(child.role.name).inc()
        child.role.when_gone(child.process.pid, child.process.returncode)
        child.process = None

    def _await_end(self, child: _Child, deadline: float) -> None:
        process = child.process
        if process is None:
            return
        while process.poll() is None:
            if self._clock.monotonic_s() > deadline or self.stop_signals > 1:
                process.kill()
            signal.sigtimedwait([], POLL_S)
        child.process = None
