"""Local files that are either there whole and durable, or not there.

The one place where the order temporary name, fsync, rename, fsync of the directory is written.
"""

import contextlib
import errno
import fcntl
import os
import pwd
import stat
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
            f"The {what} {root} cannot be used: {_reason(error, root)}.",
            code="data_directory",
            hint=_owner_hint(error, root)
            or f"Choose another {where}, or mend its disk or its permissions.",
        ) from error


def check_entry(root: Path, *, what: str = "data directory") -> None:
    """Raises ``InvalidInput`` when a directory is there and this user may not look into it.

    Or when it is no directory, or nobody can tell. One that is not there yet is fine.
    """
    with usable(root, what=what):
        try:
            is_directory = stat.S_ISDIR(root.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return
        if not is_directory:
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        if not os.access(root, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root))


def check_access(path: Path) -> None:
    """Raises ``InvalidInput`` (``file_access``) for a file that this user may not read and write.

    Or for a directory in which it may not. One that is not there is fine.
    """
    wanted = os.R_OK | os.W_OK
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            wanted |= os.X_OK
        if not os.access(path, wanted):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise refusal_of(error, path) from error


def check_socket(path: Path) -> None:
    """Raises ``InvalidInput`` (``file_access``) for a Unix socket that this user may not use.

    One that is not there is fine.
    """
    try:
        path.stat()
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise refusal_of(error) from error


def working_directory_is_there() -> bool:
    """Whether relative paths lead anywhere."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def refusal_of(error: OSError, path: Path | None = None) -> InvalidInput:
    """What the system refused, in one sentence: which file, and why, or whose it is.

    ``path`` is the file that an error is about which names none.
    """
    if path is None and isinstance(error.filename, str | bytes):
        path = Path(os.fsdecode(error.filename))
    subject = "A file" if path is None else str(path)
    return InvalidInput(
        f"{subject} cannot be used: {_reason(error, path)}.",
        code="file_access",
        hint=_owner_hint(error, path) or "Mend its disk or its permissions, or name another.",
    )


def _reason(error: OSError, path: Path | None) -> str:
    """The system's words; of a refused permission, whose the file is that is in the way."""
    words = error.strerror or type(error).__name__
    barrier = _barrier(error, path)
    if barrier is None:
        return words
    shown = "it" if barrier == path else str(barrier)
    mode = stat.S_IMODE(barrier.stat().st_mode)
    owner = barrier.stat().st_uid
    if owner == os.geteuid():
        return f"{words}, {shown} has mode {mode:03o}"
    return f"{shown} belongs to the user {_name_of(owner)}, and you are {_name_of(os.geteuid())}"


def _owner_hint(error: OSError, path: Path | None) -> str | None:
    barrier = _barrier(error, path)
    if barrier is None or barrier.stat().st_uid == os.geteuid():
        return None
    name = _name_of(barrier.stat().st_uid)
    return f"Run the command as that user (sudo -u {name} weir …), or name a directory of yours."


def _barrier(error: OSError, path: Path | None) -> Path | None:
    """What stands in the way of a refused permission: the file, or a directory above it."""
    if path is None or error.errno not in (errno.EACCES, errno.EPERM):
        return None
    named = error.filename if isinstance(error.filename, str) else ""
    target = Path(named) if named.startswith(str(path)) else path
    there: Path | None = None
    for part in (*reversed(target.absolute().parents), target.absolute()):
        try:
            part.stat()
        except OSError:
            break
        there = part
    return path if there == path.absolute() else there


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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
