"""The disk as the writer and recovery see it: a port, so that tests can make it fail."""

import contextlib
import errno
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from weir.errors import Unavailable
from weir.storage.local import sync_directory

JOINED_BYTES_MAX = 256 << 10
PARTS_MAX = os.sysconf("SC_IOV_MAX")
RETRY_AFTER_S = 2
"""Time after which a worker that lost its journal has been started again."""

_READ_BYTES_MAX = 1 << 30


class Disk(Protocol):
    """Operations on journal files. Every one may raise ``OSError``; none is retried."""

    def names(self, directory: Path) -> list[str]:
        """Names of the entries of a directory, in no order."""
        ...

    def create(self, path: Path, *, file_bytes: int) -> int:
        """A descriptor of a new file with ``file_bytes`` reserved; replaces what stood there."""
        ...

    def open(self, path: Path) -> int:
        """A descriptor for reading and writing an existing file."""
        ...

    def size(self, descriptor: int) -> int:
        """Bytes of the file."""
        ...

    def content_end(self, descriptor: int) -> int:
        """A place behind which the file has zeros only: reserved, and never written."""
        ...

    def read(self, descriptor: int, size: int, at: int) -> bytes:
        """``size`` bytes from ``at``; fewer only at the end of the file."""
        ...

    def write(self, descriptor: int, parts: Sequence[bytes], at: int) -> None:
        """Writes all parts one after the other from ``at``."""
        ...

    def sync(self, descriptor: int) -> None:
        """Makes what was written durable (``fdatasync``)."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cuts the file to ``size`` bytes."""
        ...

    def close(self, descriptor: int) -> None:
        """Gives the descriptor back."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Renames a file, replacing ``target``; durable after ``sync_directory``."""
        ...

    def remove(self, path: Path) -> None:
        """Removes a file that may be gone already; durable after ``sync_directory``."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """Makes creations, renames and removals durable."""
        ...

    def random_seed(self) -> bytes:
        """16 bytes that nobody can guess."""
        ...


class LocalDisk:
    """The machine's own disk."""

    __slots__ = ()

    def names(self, directory: Path) -> list[str]:
        return [entry.name for entry in directory.iterdir()]

    def create(self, path: Path, *, file_bytes: int) -> int:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, file_bytes)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return descriptor

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def size(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_size

    def content_end(self, descriptor: int) -> int:
        end = 0
        try:
            while True:
                end = os.lseek(descriptor, os.lseek(descriptor, end, os.SEEK_DATA), os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # no more content
                raise
        return end

    def read(self, descriptor: int, size: int, at: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            piece = os.pread(descriptor, min(size, _READ_BYTES_MAX), at)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
            at += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, descriptor: int, parts: Sequence[bytes], at: int) -> None:
        for first in range(0, len(parts), PARTS_MAX):
            some = parts[first : first + PARTS_MAX]
            size = sum(map(len, some))
            if size <= JOINED_BYTES_MAX:  # many small parts cost the kernel more than a copy
                _write_all(descriptor, b"".join(some), at)
            elif (written := os.pwritev(descriptor, some, at)) < size:
                _write_all(descriptor, b"".join(some)[written:], at + written)
            at += size

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        sync_directory(directory)

    def random_seed(self) -> bytes:
        return secrets.token_bytes(16)


LOCAL_DISK = LocalDisk()


def refusal(cause: Exception | None) -> Unavailable:
    """What callers are told when frames cannot be taken: ``disk_full`` or ``journal_failed``."""
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            "The disk is full.",
            code="disk_full",
            hint="Free space on the disk of the data directory.",
            retry_after_s=RETRY_AFTER_S,
        )
    return Unavailable(
        "The journal cannot be written.",
        code="journal_failed",
        hint="Look at the disk; what was acknowledged is safe.",
        retry_after_s=RETRY_AFTER_S,
    )


def _write_all(descriptor: int, rest: bytes, at: int) -> None:
    """Writes on after a short write, until the disk says why it was short."""
    while rest:
        written = os.pwrite(descriptor, rest, at)
        rest = rest[written:]
        at += written
