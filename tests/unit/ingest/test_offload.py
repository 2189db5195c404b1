"""Large bodies on other threads: a few at a time, in order, errors told."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from weir.errors import InvalidInput
from weir.ingest.offload import RUNNING_MAX, Offload


def _run_all(works: list[Callable[[], int]]) -> list[int | BaseException | None]:
    """What each work came to, by the order in which they were given."""

    async def main() -> list[int | BaseException | None]:
        offload: Offload[int] = Offload(asyncio.get_running_loop())
        results: list[int | BaseException | None] = [None] * len(works)
        left = len(works)
        all_done = asyncio.Event()

        def keep(number: int, done: asyncio.Future[int]) -> None:
            nonlocal left
            results[number] = done.exception() or done.result()
            left -= 1
            if not left:
                all_done.set()

        for number, work in enumerate(works):
            offload.run(1, work, partial(keep, number))
        await asyncio.wait_for(all_done.wait(), 120)
        return results

    return asyncio.run(main())


def test_every_work_comes_back() -> None:
    """Failed ones as their error, without holding up the others."""

    def work(number: int) -> int:
        if number in (7, 20):
            raise InvalidInput("broken")
        return number

    for number, result in enumerate(_run_all([partial(work, number) for number in range(30)])):
        if number in (7, 20):
            assert isinstance(result, InvalidInput)
        else:
            assert result == number


def test_few_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, and although the pool has room for more."""
    lock = threading.Lock()
    together = threading.Barrier(RUNNING_MAX)
    running = 0
    most = 0

    def slow() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(120)
        with lock:
            running -= 1
        return 1

    monkeypatch.setattr("os.cpu_count", lambda: 32)
    count = RUNNING_MAX * 5
    assert _run_all([slow] * count) == [1] * count
    assert most == RUNNING_MAX


def test_tenant_that_comes_later_does_not_wait_behind_all_of_another() -> None:
    """Its work begins with the next ones, whatever the other has waiting."""
    others = 20
    begun: list[int] = []
    go = threading.Event()

    def work(tenant: int) -> None:
        assert go.wait(120)
        begun.append(tenant)

    async def main() -> None:
        offload: Offload[None] = Offload(asyncio.get_running_loop())
        done = asyncio.Semaphore(0)
        for tenant in (*([1] * others), 2):
            offload.run(tenant, partial(work, tenant), lambda _: done.release())
        go.set()
        for _ in range(others + 1):
            await asyncio.wait_for(done.acquire(), 120)

    asyncio.run(main())
    assert begun.index(2) <= 3 * RUNNING_MAX
