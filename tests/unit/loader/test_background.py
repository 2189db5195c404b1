"""Background work goes on in turn, whatever one of the works does."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from weir.clock import SystemClock
from weir.errors import Conflict
from weir.loader.background import BackgroundThread
from weir.loader.ports import FENCED
from weir.loader.upkeep.recurring import Recurring

DEADLINE_S = 30.0
CLOCK = SystemClock()


class Steps:
    """A work that does what it is told and notes it."""

    def __init__(self, name: str, told: list[str], do: Callable[[float], float | None]) -> None:
        self.name = name
        self.told = told
        self.do = do
        self.is_closed = False

    def step(self, now_s: float) -> float | None:
        self.told.append(self.name)
        return self.do(now_s)

    def close(self) -> None:
        self.is_closed = True


def run_until(thread: BackgroundThread, over: threading.Event) -> None:
    """Runs the works until the event is set, then ends them."""
    thread.start()
    assert over.wait(DEADLINE_S)
    thread.close()
    thread.join()


def test_work_with_much_to_do_holds_others_up_for_one_step() -> None:
    """Those that are due get a step each in turn."""
    told: list[str] = []
    over = threading.Event()

    def once_more(now_s: float) -> float:
        if len(told) > 20:
            over.set()
        return now_s

    run_until(
        BackgroundThread("test", [Steps(name, told, once_more) for name in "ab"], CLOCK), over
    )
    assert told[:20] == ["a", "b"] * 10


def test_work_without_a_time_waits_to_be_woken() -> None:
    """It costs nothing until there is something to do."""
    told: list[str] = []
    stepped = threading.Semaphore(0)

    def sleep(now_s: float) -> None:
        stepped.release()

    thread = BackgroundThread("test", [Steps("a", told, sleep)], CLOCK)
    thread.start()
    for number in range(1, 4):
        assert stepped.acquire(timeout=DEADLINE_S)
        assert not stepped.acquire(timeout=0.02)
        assert len(told) == number
        thread.wake()
    thread.close()
    thread.join()


def test_first_steps_come_after_a_while() -> None:
    """A loader that has just started has better things to do."""
    told: list[str] = []
    over = threading.Event()

    def end(now_s: float) -> None:
        over.set()

    thread = BackgroundThread("test", [Steps("a", told, end)], CLOCK, first_after_s=0.05)
    began_s = CLOCK.monotonic_s()
    run_until(thread, over)
    assert CLOCK.monotonic_s() - began_s >= 0.05


def test_closing_closes_every_work() -> None:
    """Also those of a thread that was never started."""
    works = [Steps(name, [], lambda _: None) for name in "ab"]
    thread = BackgroundThread("test", works, CLOCK)
    thread.close()
    thread.join()
    assert all(work.is_closed for work in works)


def test_failure_of_upkeep_is_tried_again_and_holds_nothing_up() -> None:
    """Whatever it is, the lake is whole without it."""
    told: list[str] = []
    over = threading.Event()

    def fail(now_s: float) -> float:
        if told.count("a") > 2 and told.count("b") > 2:
            over.set()
        raise ZeroDivisionError

    works = [Steps("a", told, fail), Steps("b", told, lambda _: None)]
    recurring = [Recurring(work, name=work.name, interval_s=0.001) for work in works]
    run_until(BackgroundThread("test", recurring, CLOCK), over)


def test_upkeep_that_asks_for_no_time_comes_round() -> None:
    """One that asks for a time gets that."""
    assert Recurring(Steps("a", [], lambda _: None), name="a", interval_s=5.0).step(100.0) == 105.0
    assert Recurring(Steps("a", [], lambda _: 101.0), name="a", interval_s=5.0).step(100.0) == 101.0


def test_loader_that_was_replaced_does_no_upkeep() -> None:
    """The thread ends; the lake commit is what ends the loader."""

    def fence(now_s: float) -> None:
        raise Conflict("Another one.", code=FENCED)

    told: list[str] = []
    thread = BackgroundThread(
        "test", [Recurring(Steps("a", told, fence), name="a", interval_s=0.001)], CLOCK
    )
    thread.start()
    thread.join()
    assert told == ["a"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError("No room."), "OSError"), (Conflict("Changed.", code="changed"), "changed")],
)
def test_failure_of_upkeep_names_the_work_and_the_reason(error: Exception, reason: str) -> None:
    """A scrub that failed is not logged as a merge."""

    def fail(now_s: float) -> None:
        raise error

    with capture_logs() as lines:
        Recurring(Steps("scrub", [], fail), name="scrub", interval_s=5.0).step(0.0)
    assert [(line["happening"], line["work"], line["reason"]) for line in lines] == [
        ("upkeep_failed", "scrub", reason)
    ]


def test_other_conflict_does_not_end_upkeep() -> None:
    """It is a failure like any other."""

    def refuse(now_s: float) -> None:
        raise Conflict("Changed.", code="changed")

    assert Recurring(Steps("a", [], refuse), name="a", interval_s=5.0).step(0.0) == 5.0


@pytest.mark.parametrize("work", ["a", "b"])
def test_closed_thread_takes_no_further_step(work: str) -> None:
    """A step that is running when the thread is closed is the last."""
    told: list[str] = []
    begun, may_go = threading.Event(), threading.Event()

    def wait(now_s: float) -> float:
        begun.set()
        assert may_go.wait(DEADLINE_S)
        return now_s

    thread = BackgroundThread("test", [Steps(work, told, wait), Steps("c", told, wait)], CLOCK)
    thread.start()
    assert begun.wait(DEADLINE_S)
    thread.close()
    may_go.set()
    thread.join()
    assert told == [work]
