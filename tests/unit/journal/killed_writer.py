"""A process that appends for ever and tells on standard output what was acknowledged.

Run by ``test_kill``: ``killed_writer.py <journal directory> <quarantine> <first number>``.
"""

import asyncio
import os
import sys
from pathlib import Path

from weir.clock import SystemClock
from weir.domain.frame import Draft, Place
from weir.journal.writer import JournalWriter

CLIENTS = 16


class Client:
    """Appends the next number as soon as its last one is durable."""

    def __init__(self, writer: JournalWriter, numbers: "Numbers") -> None:
        self._writer = writer
        self._numbers = numbers
        self._number = 0

    def durable(self, received_at_us: int) -> None:
        os.write(1, b"%d %d\n" % (self._number, received_at_us))
        self.start()

    def failed(self, error: Exception) -> None:
        raise error

    def start(self) -> None:
        self._number = self._numbers.take()
        body = b"%d " % self._number + b"x" * (self._number * 37 % 3000)
        self._writer.append(Draft(Place(1, 2, 3, 4), 1, 1, 1, 0, 0, b"", body), self)


class Numbers:
    """Counts up, over all clients."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        """A number that nobody has had."""
        self._next += 1
        return self._next - 1


async def main() -> None:
    directory, quarantine, first = sys.argv[1:]
    writer = JournalWriter.open(
        Path(directory),
        quarantine=Path(quarantine),
        clock=SystemClock(),
        file_bytes=1 << 18,
        notify=asyncio.get_running_loop().call_soon_threadsafe,
    )
    numbers = Numbers(int(first))
    for _ in range(CLIENTS):
        Client(writer, numbers).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
