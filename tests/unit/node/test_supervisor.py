"""The supervisor's restarts, with real children and a clock of the test's own."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from weir.node.supervisor import RESTART_DELAY_S, RESTART_DELAY_S_MAX, SETTLED_S, Role, Supervisor


@dataclass
class _Clock:
    """Time that passes when the test says so."""

    now_s: float = 100.0
    gone: list[int] = field(default_factory=list)

    def now_us(self) -> int:
        return int(self.now_s * 1e6)

    def monotonic_s(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def clock() -> _Clock:
    """A clock that stands still."""
    return _Clock()


@pytest.fixture
def supervisor(clock: _Clock) -> Supervisor:
    """A supervisor of one role whose process ends at once (the command does not exist)."""
    role = Role("short-lived", ["no-such-command"], [], lambda pid, _code: clock.gone.append(pid))
    return Supervisor([role], environment=dict(os.environ), clock=clock)


def _restart_when_gone(supervisor: Supervisor, clock: _Clock, *, times: int) -> None:
    """Looks again and again, at standing time, until the child's end was noticed."""
    pause = threading.Event()
    for _ in range(6000):
        supervisor.restart_ended()
        if len(clock.gone) == times:
            return
        pause.wait(0.01)
    pytest.fail("the end of the child was not noticed")


def test_a_child_that_dies_young_waits_longer_each_time(
    supervisor: Supervisor, clock: _Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    """Delays double up to their bound, so that a crash loop costs little."""
    supervisor.start()
    delay = RESTART_DELAY_S
    for times in (1, 2, 3):
        _restart_when_gone(supervisor, clock, times=times)
        delay = min(2 * delay, RESTART_DELAY_S_MAX)
        clock.now_s += delay - 0.01
        supervisor.restart_ended()
        assert len(supervisor.pids) == 0, "started before its time"
        clock.now_s += 0.02
        supervisor.restart_ended()
        assert len(supervisor.pids) == 1
    supervisor.stop(supervisor.names)


def test_a_child_that_lived_long_starts_again_at_once(
    supervisor: Supervisor, clock: _Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    """One crash after a long life is no crash loop."""
    supervisor.start()
    [first] = supervisor.pids
    clock.now_s += SETTLED_S + 1
    _restart_when_gone(supervisor, clock, times=1)
    assert clock.gone == [first]
    assert len(supervisor.pids) == 1
    supervisor.stop(supervisor.names)


def test_watching_ends_when_the_node_cannot_go_on(supervisor: Supervisor) -> None:
    """Asked each turn, whatever the children do."""
    supervisor.start()
    answers = [True, True, False]
    supervisor.watch(lambda: answers.pop(0))
    assert answers == []
    supervisor.stop(supervisor.names)


def test_stop_signals_are_counted_and_heeded(supervisor: Supervisor, clock: _Clock) -> None:
    """SIGTERM ends ``watch``."""
    supervisor.start()
    turns: list[int] = []

    def each_turn() -> bool:
        turns.append(1)
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    supervisor.watch(each_turn)
    assert supervisor.stop_signals == 1
    assert turns == [1]
    supervisor.stop(supervisor.names)
