"""The spool: events in files, so that they outlive the program and a node that is away.

A directory holds ``position`` and files ``00000001.spool``, ``00000002.spool``, …, oldest first.
A line of a file is one event: CRC-32 of the JSON as 8 hexadecimal digits, a space, the JSON, a
line feed. Files are only appended to, by the one process that holds the lock on ``position``,
and a run begins a file of its own; a file whose events are settled is removed. ``position`` says
up to where the oldest file is settled. It is not synced: when a power cut takes it back, events
are sent again, under the ids they had. A line that fails its checksum, and the torn end that a
power cut leaves, is skipped and counted.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG, S_IWOTH
from zlib import crc32

from weir_client.losses import log
from weir_client.queues import Peek, QueueFull

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]  # asked for before use

POSITION = "position"
SUFFIX = ".spool"
FILE_BYTES_MAX = 8 * 1024 * 1024
FILES_MIN = 8
"""A spool of small size is divided into so many files, so that settled ones can go."""

_READ_BYTES = 1 << 20
_CHECKSUM_BYTES = 9


class SpoolUnusable(Exception):
    """The directory cannot hold the spool: in use by another process, or not writable."""


@dataclass
class _File:
    path: Path
    number: int
    size: int


class Spool:
    """A bounded queue on disk. ``put`` writes: an event that it took outlives the process."""

    full_code = "spool_full"

    def __init__(self, directory: Path, *, bytes_max: int) -> None:
        """Opens the directory, made if it is not there; raises ``SpoolUnusable``."""
        self._directory = directory
        self._bytes_max = bytes_max
        self._file_bytes = max(1, min(FILE_BYTES_MAX, bytes_max // FILES_MIN))
        self._lock = _lock(directory)
        self._appending: int | None = None
        self.unsynced = False
        self._ended: list[int] = []
        """Descriptors of files that nothing is appended to any more, until they are synced."""
        self._peeked: list[int] = []
        """Length of the lines of the events that ``peek`` gave last."""
        try:
            self._files = deque(_files(directory))
            self._settled_bytes = self._load_position()
            left = [_count(file.path) for file in self._files]
            if left:
                left[0] -= _count(self._files[0].path, self._settled_bytes)
        except OSError as error:
            self.abandon()
            raise SpoolUnusable(f"{directory}: {error.strerror}") from error
        self.events = sum(left)
        self._used_bytes = sum(file.size for file in self._files)
        self.event_bytes = self._used_bytes - self._settled_bytes
        self._next_number = 1 + max((number for number, _ in _numbered(directory)), default=0)

    def put(self, event: bytes) -> None:
        line = b"%08x %s\n" % (crc32(event), event)
        if self._used_bytes + len(line) > self._bytes_max:
            raise QueueFull
        if self._appending is None or self._files[-1].size >= self._file_bytes:
            self._begin_file()
        self._append(line)
        self.unsynced = True
        self._used_bytes += len(line)
        self.event_bytes += len(line)
        self.events += 1

    def peek(self, *, events_max: int, bytes_max: int) -> Peek:
        damaged = 0
        self._peeked = []
        while self._files and (lines := self._lines(bytes_max)):
            found: list[bytes] = []
            room_bytes = bytes_max
            for line in lines[:events_max]:
                event = _checked(line)
                room_bytes -= len(line)
                if found and (event is None or room_bytes < 0):
                    break
                if event is None:
                    self._pass(len(line), 1)
                    damaged += 1
                    continue
                found.append(event)
                self._peeked.append(len(line))
            if found:
                return Peek(found, damaged)
        return Peek([], damaged)

    def settle(self, events: int) -> None:
        self._pass(sum(self._peeked[:events]), events)
        del self._peeked[:events]
        number = self._files[0].number if self._files else 0
        with suppress(OSError):  # then these events are sent again one day, under the same ids
            os.pwrite(self._lock, _position(number, self._settled_bytes), 0)

    def begin_sync(self) -> list[int]:
        """Descriptors to sync and to close, of all that was written since the last time."""
        descriptors, self._ended = self._ended, []
        if self.unsynced and self._appending is not None:
            descriptors.append(os.dup(self._appending))
        self.unsynced = False
        return descriptors

    def begin_anew(self) -> None:
        """What comes next goes to another file."""
        if self._appending is not None:
            self._ended.append(self._appending)
            self._appending = None

    def close(self) -> list[bytes]:
        """Gives the directory back; nothing is lost with the spool."""
        self.begin_anew()
        self._pass(0, 0)
        self.abandon()
        return []

    def abandon(self) -> None:
        """Gives up the descriptors and does nothing else: for a process that owns none of it."""
        self.begin_anew()
        for descriptor in (*self._ended, self._lock):
            os.close(descriptor)
        self._ended = []

    def _append(self, line: bytes) -> None:
        assert self._appending is not None
        file = self._files[-1]
        try:
            left = line[os.write(self._appending, line) :]
            while left:  # the disk took a part; the rest says why
                left = left[os.write(self._appending, left) :]
        except OSError:
            os.ftruncate(self._appending, file.size)
            raise
        file.size += len(line)

    def _begin_file(self) -> None:
        self.begin_anew()
        path = self._directory / f"{self._next_number:08d}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._appending = os.open(path, flags, 0o600)
        self._files.append(_File(path, self._next_number, 0))
        self._next_number += 1
        _sync_directory(self._directory)

    def _lines(self, bytes_max: int) -> list[bytes]:
        """Whole lines from the oldest file that has some; damage may pass for a line."""
        while self._settled_bytes >= self._files[0].size and self._drop_file():
            pass
        if not self._files or self._settled_bytes >= self._files[0].size:
            return []
        file = self._files[0]
        with file.path.open("rb") as reader:
            reader.seek(self._settled_bytes)
            chunk = reader.read(min(max(bytes_max, _READ_BYTES), file.size - self._settled_bytes))
            if b"\n" not in chunk:
                chunk += reader.readline(file.size - self._settled_bytes - len(chunk) + 1)
        lines = _split(chunk)
        if len(lines) > 1 and not lines[-1].endswith(b"\n"):
            del lines[-1]
        return lines

    def _pass(self, line_bytes: int, events: int) -> None:
        """Moves the beginning of what waits."""
        self._settled_bytes += line_bytes
        self.event_bytes -= line_bytes
        self.events = max(0, self.events - events) if self.event_bytes > 0 else 0
        while self._files and self._settled_bytes >= self._files[0].size and self._drop_file():
            pass

    def _drop_file(self) -> bool:
        """Removes the oldest file; not the one that is appended to."""
        is_open = len(self._files) == 1 and self._appending is not None
        if not self._files or (is_open and self._files[0].size < self._file_bytes):
            return False
        if is_open:
            self.begin_anew()
        file = self._files.popleft()
        self._used_bytes -= file.size
        self._settled_bytes = 0
        with suppress(FileNotFoundError):
            file.path.unlink()
        return True

    def _load_position(self) -> int:
        if not self._files:
            return 0
        text = os.pread(self._lock, 64, 0)
        for settled_bytes in _settled_bytes(text, self._files[0].number):
            if settled_bytes <= self._files[0].size:
                return settled_bytes
        return 0


def _lock(directory: Path) -> int:
    if fcntl is None:
        raise SpoolUnusable("A spool needs the file locks of a POSIX system.")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(directory / POSITION, flags, 0o600)
        mode = directory.stat().st_mode
    except OSError as error:
        raise SpoolUnusable(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SpoolUnusable(
            f"{directory} is in use. Give each process, and each client, a directory of its own."
        ) from None
    if mode & S_IWOTH:
        log.warning("every user of this machine may change the spool %s", directory)
    return descriptor


def _files(directory: Path) -> list[_File]:
    return [
        _File(path, number, path.lstat().st_size)
        for number, path in _numbered(directory)
        if S_ISREG(path.lstat().st_mode)
    ]


def _numbered(directory: Path) -> list[tuple[int, Path]]:
    """What has the name of a file of the spool, which may be anything, the oldest first."""
    paths = (path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())
    return sorted((int(path.stem), path) for path in paths)


def _count(path: Path, bytes_max: int | None = None) -> int:
    """Lines of a file, or of its first bytes; a torn last one counts."""
    count, last = 0, b"\n"
    with path.open("rb") as reader:
        while chunk := reader.read(
            _READ_BYTES if bytes_max is None else min(bytes_max, _READ_BYTES)
        ):
            count += chunk.count(b"\n")
            last = chunk[-1:]
            bytes_max = None if bytes_max is None else bytes_max - len(chunk)
    return count + (last != b"\n")


def _checked(line: bytes) -> bytes | None:
    event = line[_CHECKSUM_BYTES:-1]
    return event if line == b"%08x %s\n" % (crc32(event), event) else None


def _split(chunk: bytes) -> list[bytes]:
    """Lines with their ends. By line feed alone: damage may hold carriage returns."""
    parts = chunk.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _position(number: int, settled_bytes: int) -> bytes:
    text = b"%016d %016d" % (number, settled_bytes)
    return b"%s %08x\n" % (text, crc32(text))


def _settled_bytes(text: bytes, number: int) -> list[int]:
    """What ``position`` says of a file; nothing when it is damaged or about another."""
    words = text.split()
    if len(words) != 3 or not (words[0].isdigit() and words[1].isdigit()):
        return []
    found = int(words[1])
    return [found] if text == _position(number, found) else []


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
