"""Appends a second of one journal, and what a frame costs the processor.

64 clients on one event loop, each with one frame of 190 bytes outstanding. Run it on the disk
that is to be judged: ``python bench/journal_append.py [directory]``.
"""

import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from weir.clock import SystemClock
from weir.domain.frame import Draft, Place
from weir.journal.disk import LOCAL_DISK
from weir.journal.reader import JournalReader
from weir.journal.writer import JournalWriter

CLIENTS = 64
BODY_BYTES = 190
SECONDS = 5.0
FILE_BYTES = 64 << 20


class Client:
    """Appends its next frame as soon as the last one is durable."""

    __slots__ = ("_draft", "_writer", "appends", "stopped")

    def __init__(self, writer: JournalWriter, draft: Draft) -> None:
        self._writer = writer
        self._draft = draft
        self.appends = 0
        self.stopped = False

    def durable(self, received_at_us: int) -> None:
        self.appends += 1
        if not self.stopped:
            self._writer.append(self._draft, self)

    def failed(self, error: Exception) -> None:
        raise error

    def start(self) -> None:
        self._writer.append(self._draft, self)


async def measure_appends(directory: Path) -> None:
    """Prints appends a second and processor time per append."""
    loop = asyncio.get_running_loop()
    writer = JournalWriter.open(
        directory / "00",
        quarantine=directory / "quarantine",
        clock=SystemClock(),
        file_bytes=FILE_BYTES,
        notify=loop.call_soon_threadsafe,
    )
    draft = Draft(
        place=Place(1, 2, 3, 4),
        dialect=1,
        dialect_version=1,
        event_count=1,
        refused_count=0,
        flags=0,
        meta=b"",
        body=bytes(BODY_BYTES),
    )
    clients = [Client(writer, draft) for _ in range(CLIENTS)]
    started_s, busy_s = time.perf_counter(), used_s()
    for client in clients:
        client.start()
    await asyncio.sleep(SECONDS)
    elapsed_s, busy_s = time.perf_counter() - started_s, used_s() - busy_s
    appends = sum(client.appends for client in clients)
    for client in clients:
        client.stopped = True
    writer.close()
    print(f"appends/s             {appends / elapsed_s:12,.0f}")
    print(f"processor µs/append   {busy_s / appends * 1e6:12.2f}")


def used_s() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_reading(directory: Path) -> None:
    """Prints frames a second of a reader."""
    reader = JournalReader(directory / "00")
    position = frames = 0
    started_s = time.perf_counter()
    while (batch := reader.read(position, byte_limit=4 << 20)).frames:
        frames += len(batch.frames)
        position = batch.next_position
    print(f"frames read/s         {frames / (time.perf_counter() - started_s):12,.0f}")


def measure_disk(directory: Path) -> None:
    """Prints the time of one write of 16 KiB and its fdatasync, as a batch does it."""
    descriptor = LOCAL_DISK.create(directory / "probe", file_bytes=FILE_BYTES)
    block, times_s = os.urandom(16384), []
    for index in range(500):
        started_s = time.perf_counter()
        LOCAL_DISK.write(descriptor, [block], index * len(block))
        LOCAL_DISK.sync(descriptor)
        times_s.append(time.perf_counter() - started_s)
    LOCAL_DISK.close(descriptor)
    print(f"fdatasync µs, median  {statistics.median(times_s) * 1e6:12.0f}")


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as name:
        directory = Path(name)
        measure_disk(directory)
        uvloop.run(measure_appends(directory))
        measure_reading(directory)


if __name__ == "__main__":
    main()
