"""Local files that are either there whole and durable, or not there.

The one place where the order temporary name, fsync, rename, fsync of the directory is written.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Collection, Generator, Iterable
from pathlib import Path
from time import sleep
from typing import TypeVar

from weir.clock import Clock
from weir.errors import Conflict, InvalidInput

LOCK_POLL_S = 0.02
_LOST_AND_FOUND = "lost+found"

Held = TypeVar("Held")


def write_durable(path: Path, parts: Iterable[bytes | memoryview], *, mode: int = 0o600) -> None:
    """Writes a file so that after the return it survives a power cut, and before is not seen.

    An existing file is replaced in one step. Raises ``OSError``; then ``path`` is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def place_durable(temporary: Path, path: Path) -> None:
    """Renames a written file so that content and name survive a power cut; ``OSError``."""
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Makes a directory (0700) and its parents so that they survive a power cut.

    Those that are there are made durable too, as far up as this process may write on the same
    file system: the process that made them may have been killed before it had synced them.
    """
    _make_directory(path)
    device = path.stat().st_dev
    for parent in path.absolute().parents:
        if not os.access(parent, os.W_OK) or parent.stat().st_dev != device:
            return
        sync_directory(parent)


def make_root(path: Path, *, what: str = "data directory") -> None:
    """Makes a directory, or finds it usable; ``InvalidInput`` says why it is not.

    ``what`` names it in the error: the node's own, or another.
    """
    with usable(path, what=what):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        make_directory(path)
        _check_writable(path)


@contextlib.contextmanager
def usable(root: Path, *, what: str = "data directory") -> Generator[None]:
    """Inside, ``OSError`` is raised on as ``InvalidInput``: the directory cannot be used."""
    try:
        yield
    except OSError as error:
        where = "with --data" if what == "data directory" else "directory"
        raise InvalidInput(
            f"The {what} {root} cannot be used: {error.strerror}.",
            code="data_directory",
            hint=f"Choose another {where}, or mend its disk or its permissions.",
        ) from error


def strangers(path: Path, *, own: Collection[str]) -> list[str]:
    """Names in a directory that are not ``own``, sorted; none in one that is not there.

    What file systems and this module leave by themselves is nobody's.
    """
    if not path.is_dir():
        return []
    names = {entry.name for entry in path.iterdir()} - {*own, _LOST_AND_FOUND}
    return sorted(name for name in names if not _is_temporary(name))


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        _make_directory(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)


def _check_writable(path: Path) -> None:
    if os.access(path, os.W_OK | os.X_OK):
        return
    number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
    raise OSError(number, os.strerror(number))


def sync_directory(path: Path) -> None:
    """Makes creations, renames and removals in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """An exclusive lock held by this process from ``acquire`` until it ends or ``release``s."""

    __slots__ = ("_descriptor", "_purpose", "path")

    def __init__(self, path: Path, *, purpose: str) -> None:
        self.path = path
        self._purpose = purpose
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock at once; raises ``Conflict`` naming the holder's process id."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Conflict(
                f"{self._purpose}: {self.path} is held by process {holder}.",
                code="locked",
                hint="Stop that process first, or use another --data directory.",
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # the name is for people; a full disk has no room for it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Frees the lock, by closing its descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def while_locked(
    take: Callable[[], Held],
    *,
    wait_s: float,
    clock: Clock,
    given_up: Callable[[], bool] = lambda: False,
) -> Held:
    """Calls ``take`` until no other process holds its lock; returns what it returns.

    For a predecessor that may be just dying: its locks go with it. Blocks the thread for at most
    ``wait_s`` seconds, or until ``given_up`` returns true, and then raises the ``Conflict``
    (``locked``) of the last try. Any other error of ``take`` is raised at once.
    """
    deadline_s = clock.monotonic_s() + wait_s
    while True:
        try:
            return take()
        except Conflict as error:
            if error.code != "locked" or clock.monotonic_s() >= deadline_s or given_up():
                raise
        sleep(LOCK_POLL_S)
