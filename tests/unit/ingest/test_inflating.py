"""Large bodies on other threads: a few at a time, in order, errors told."""

import asyncio
import gzip
import threading

import pytest

from weir.errors import InvalidInput
from weir.ingest import inflating
from weir.ingest.inflating import RUNNING_MAX, Inflated, Inflater


def _inflate_all(bodies: list[bytes]) -> list[bytes | BaseException | None]:
    """What each body came to, by the order in which they were given."""

    async def main() -> list[bytes | BaseException | None]:
        inflater = Inflater(asyncio.get_running_loop(), bytes_max=1000)
        results: list[bytes | BaseException | None] = [None] * len(bodies)
        left = len(bodies)
        all_done = asyncio.Event()

        def keep(number: int, done: Inflated) -> None:
            nonlocal left
            results[number] = done.exception() or done.result()
            left -= 1
            if not left:
                all_done.set()

        for number, body in enumerate(bodies):
            inflater.inflate("gzip", body, lambda done, n=number: keep(n, done))  # type: ignore[misc]  # n is bound early
        await asyncio.wait_for(all_done.wait(), 20)
        return results

    return asyncio.run(main())


def test_every_body_comes_back() -> None:
    """Broken ones as their error, without holding up the others."""
    bodies = [gzip.compress(b"%d" % number) for number in range(30)]
    bodies[7] = bodies[20] = b"broken"
    results = _inflate_all(bodies)
    for number, result in enumerate(results):
        if number in (7, 20):
            assert isinstance(result, InvalidInput)
        else:
            assert result == b"%d" % number


def test_few_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, and although the pool has room for more."""
    lock = threading.Lock()
    together = threading.Barrier(RUNNING_MAX)
    running = 0
    most = 0

    def slow(encoding: str, body: bytes, *, bytes_max: int) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(20)
        with lock:
            running -= 1
        return body

    monkeypatch.setattr(inflating, "inflate", slow)
    monkeypatch.setattr("os.cpu_count", lambda: 32)
    bodies = [b"x"] * (RUNNING_MAX * 5)
    assert _inflate_all(bodies) == bodies
    assert most == RUNNING_MAX
