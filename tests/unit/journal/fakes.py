"""What the journal's tests put in place of the clock, the disk and the edge."""

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from weir.domain.frame import Draft, Place
from weir.journal.disk import LocalDisk
from weir.journal.reader import JournalReader, ReadResult
from weir.journal.writer import JournalWriter

DEADLINE_S = 120
FILE_BYTES = 1 << 16
SECTOR_BYTES = 512
PLACE = Place(tenant_id=1, project_id=2, endpoint_id=3, key_id=4)

Open = Callable[..., JournalWriter]
"""Opens the test's journal; keywords replace the defaults."""


class SetClock:
    """A clock that stands where the test puts it."""

    def __init__(self, now_us: int = 1_800_000_000_000_000) -> None:
        self.us = now_us

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        return self.us / 1e6


class Answer:
    """A waiter that keeps what it was told and can be waited for."""

    def __init__(self) -> None:
        self.received_at_us: int | None = None
        self.error: Exception | None = None
        self.times_told = 0
        self._told = threading.Event()

    def durable(self, received_at_us: int) -> None:
        self.received_at_us = received_at_us
        self._tell()

    def failed(self, error: Exception) -> None:
        self.error = error
        self._tell()

    def wait(self) -> "Answer":
        """Itself, once it was told; fails after the deadline."""
        assert self._told.wait(DEADLINE_S), "nobody answered"
        return self

    @property
    def told(self) -> bool:
        return self._told.is_set()

    def _tell(self) -> None:
        self.times_told += 1
        self._told.set()


class QuickDisk(LocalDisk):
    """A disk whose syncs cost nothing, for tests that open many journals."""

    __slots__ = ()

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, directory: Path) -> None:
        pass


class FailingDisk(QuickDisk):
    """A disk whose named operation raises while ``error`` is set."""

    __slots__ = ("error", "operation", "syncs")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.error: OSError | None = None
        self.syncs = 0

    def create(self, path: Path, *, file_bytes: int) -> int:
        self._maybe_fail("create")
        return super().create(path, file_bytes=file_bytes)

    def write(self, descriptor: int, parts: Sequence[bytes], at: int) -> None:
        self._maybe_fail("write")
        super().write(descriptor, parts, at)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        self._maybe_fail("sync")

    def _maybe_fail(self, operation: str) -> None:
        if self.error and operation == self.operation:
            raise self.error


class StoppableDisk(QuickDisk):
    """A disk that counts; writes wait while ``may_write`` is not set, and a sync may fail."""

    __slots__ = ("error", "may_write", "syncs", "waiting", "writes")

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.may_write = threading.Event()
        self.may_write.set()
        self.waiting = threading.Event()
        self.writes: list[int] = []
        self.syncs = 0

    def write(self, descriptor: int, parts: Sequence[bytes], at: int) -> None:
        self.waiting.set()
        assert self.may_write.wait(DEADLINE_S)
        self.writes.append(sum(map(len, parts)))
        super().write(descriptor, parts, at)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.error:
            raise self.error


class PowerCut(BaseException):
    """The machine stops here."""


class PowerDisk(LocalDisk):
    """A disk that forgets: after ``cut``, any sector not synced may hold what it held before.

    Directory entries are taken as durable when made. ``operations_left`` counts down over every
    operation that changes something; at 0 the power is cut.
    """

    __slots__ = ("_unsynced", "operations_left")

    def __init__(self, operations_left: int = 1 << 30) -> None:
        self.operations_left = operations_left
        self._unsynced: list[tuple[int, int, bytes]] = []

    def create(self, path: Path, *, file_bytes: int) -> int:
        self._spend()
        return super().create(path, file_bytes=file_bytes)

    def write(self, descriptor: int, parts: Sequence[bytes], at: int) -> None:
        self._spend()
        size = sum(map(len, parts))
        before = super().read(descriptor, size, at).ljust(size, b"\0")
        self._unsynced.append((descriptor, at, before))
        super().write(descriptor, parts, at)

    def sync(self, descriptor: int) -> None:
        self._spend()
        self._unsynced = [entry for entry in self._unsynced if entry[0] != descriptor]

    def truncate(self, descriptor: int, size: int) -> None:
        self._spend()
        super().truncate(descriptor, size)

    def rename(self, source: Path, target: Path) -> None:
        self._spend()
        super().rename(source, target)

    def sync_directory(self, directory: Path) -> None:
        self._spend()

    def close(self, descriptor: int) -> None:
        if all(entry[0] != descriptor for entry in self._unsynced):
            super().close(descriptor)

    def forget(self, choice: random.Random) -> None:
        """Puts a random choice of the unsynced sectors back to what they were."""
        for descriptor, at, before in reversed(self._unsynced):
            for start in range(0, len(before), SECTOR_BYTES):
                if choice.random() < 0.5:
                    super().write(descriptor, [before[start : start + SECTOR_BYTES]], at + start)
        for descriptor in {descriptor for descriptor, _, _ in self._unsynced}:
            super().close(descriptor)
        self._unsynced = []

    def _spend(self) -> None:
        if self.operations_left <= 0:
            raise PowerCut
        self.operations_left -= 1


def draft(body: bytes = b'{"event":"a"}', *, events: int = 1, meta: bytes = b"") -> Draft:
    """A frame to be written."""
    return Draft(
        place=PLACE,
        dialect=1,
        dialect_version=1,
        event_count=events,
        refused_count=0,
        flags=0,
        meta=meta,
        body=body,
    )


def write(writer: JournalWriter, *bodies: bytes, events: int = 1) -> list[int]:
    """Appends the bodies, each in a batch of its own; their times."""
    times = []
    for body in bodies:
        answer = Answer()
        writer.append(draft(body, events=events), answer)
        assert answer.wait().error is None
        assert answer.received_at_us is not None
        times.append(answer.received_at_us)
    return times


def read_all(directory: Path, *, byte_limit: int = 1 << 20) -> ReadResult:
    """Everything that a new reader finds, as one batch."""
    reader = JournalReader(directory)
    whole = ReadResult([], 0, [], 0)
    while whole.next_position < reader.durable_position():
        batch = reader.read(whole.next_position, byte_limit=byte_limit)
        whole = ReadResult(
            whole.frames + batch.frames,
            batch.next_position,
            whole.damages + batch.damages,
            batch.next_offset,
        )
    return whole


def bodies_of(batch: ReadResult) -> list[bytes]:
    """The bodies of its frames."""
    return [frame.body for frame in batch.frames]


def newest_file(directory: Path) -> Path:
    """The journal file with the greatest start."""
    return max(directory.glob("*.wal"))


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Turns one bit of a file around."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
