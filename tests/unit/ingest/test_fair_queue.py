"""The fair queue: between two pieces of work the loop goes round."""

import asyncio
from functools import partial

from weir.ingest.fair_queue import FairQueue


def test_one_piece_is_worked_on_between_two_looks_at_the_sockets() -> None:
    """What else the loop has to do is done between; the turn is free again at the end."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        queue = FairQueue(loop)
        seen: list[str] = []

        def tick(left: int) -> None:
            seen.append("tick")
            if left:
                loop.call_soon(tick, left - 1)

        assert queue.claim()
        loop.call_soon(tick, 3)
        for number in range(3):
            assert not queue.claim()
            queue.wait(1, partial(seen.append, f"work {number}"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert queue.claim()
        return seen

    assert asyncio.run(main()) == [
        *("work 0", "tick", "work 1", "tick", "work 2", "tick", "tick"),
    ]


def test_work_that_fails_holds_nobody_up() -> None:
    """The next in line still has its turn."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: seen.append("failed"))
        queue = FairQueue(loop)
        seen: list[str] = []

        def fail() -> None:
            raise RuntimeError

        assert queue.claim()
        queue.wait(1, fail)
        queue.wait(1, lambda: seen.append("next"))
        for _ in range(4):
            await asyncio.sleep(0)
        return seen

    assert asyncio.run(main()) == ["failed", "next"]
