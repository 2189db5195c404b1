"""A machine that can lose power: what of its files is durable, and what a crash makes of the rest.

Programs run on it unchanged. The functions of ``os`` that change files or make them durable are
replaced while the machine is ``on``; they do their real work in a directory in memory, and the
machine keeps beside it what a disk would be sure to have:

- a file's content as of the last sync of that file;
- a directory's entries as of the last sync of that directory.

``cut_power`` turns the directory into what a reboot might find: of every sector and every entry
that differ from what is durable either the old or the new one, whichever the seed says. Every
such call of ``os`` is a step, at which the seed may end the process or the machine, make the disk
fail, or let another process go on.
"""

import contextlib
import errno
import io
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

SECTOR_BYTES = 512
TRACE_MAX = 2000
STATE_NAME = "state"
WRITTEN_BACK = 0.3
"""How often the kernel writes a mapped file back by itself."""

TOPS = ("journal", "lake", "raw", "dedup", "quarantine")
"""What a power cut may change; the catalog keeps its own promises."""


class Gone(BaseException):
    """This process is dead: nothing after this point happens."""

    def __init__(self, process: str) -> None:
        super().__init__(process)
        self.process = process


@dataclass
class Faults:
    """How likely each fault is at a step."""

    sync_fails: float = 0.0
    write_fails: float = 0.0
    write_is_short: float = 0.0
    read_fails: float = 0.0


class Bias(NamedTuple):
    """What a world has in any case; None leaves it to the seed."""

    faults: Faults | None = None
    merges: bool | None = None
    power_fails: bool | None = None


def draw_faults(choice: random.Random) -> Faults:
    """Mostly none, and otherwise of one kind."""
    kind = choice.random()
    if kind < 0.15:
        return Faults(sync_fails=0.05)
    if kind < 0.3:
        return Faults(write_fails=0.05)
    if kind < 0.4:
        return Faults(write_is_short=0.3)
    return Faults(read_fails=0.05) if kind < 0.45 else Faults()


class _File(NamedTuple):
    process: str
    path: Path
    inode: int


@dataclass
class _Dropped:
    """Sectors that a failed sync gave up: a later sync does not write them, unless changed."""

    sectors: dict[int, bytes] = field(default_factory=dict)


class Machine:
    """One machine and its disk below ``root``. Steps happen one at a time."""

    def __init__(self, root: Path, choice: random.Random) -> None:
        self.root = root
        self.choice = choice
        self.faults = Faults()
        self.trace: deque[str] = deque(maxlen=TRACE_MAX)
        self.steps = 0
        self.ends_in: int | None = None
        """Steps until something ends; None: never."""
        self.power_fails = False
        """Whether it is the machine that ends then, and not one process."""
        self.is_off = False
        self.dead: set[str] = set()
        self.between: Callable[[str], None] | None = None
        """Called at steps: lets other processes go on."""
        self.threads: dict[str, str] = {}
        """Which process a thread belongs to, by its name."""
        self.permits: dict[str, threading.Event] = {}
        """A thread that has one does nothing until it is set, so that all goes in turn."""
        self.woken = threading.Event()
        """Set when something has ended."""
        self.now_s = 0.0
        self._running: dict[int, str] = {}
        self._files: dict[int, _File] = {}
        """By descriptor."""
        self._nothing = os.memfd_create("nothing", os.MFD_CLOEXEC)
        self._reserved: set[int] = set()
        """Descriptors of the dead: nothing is behind them."""
        self._closing = threading.Lock()
        """A dead thread on its way out closes its files while they are given back."""
        self._durable: dict[int, bytes] = {}
        """By inode."""
        self._entries: dict[Path, dict[str, int]] = {}
        """Durable entries by directory."""
        self._dropped: dict[int, _Dropped] = {}
        self._keep_entries(root)

    # --- processes

    @contextlib.contextmanager
    def running(self, process: str) -> Iterator[None]:
        """What this thread does inside is done by a process."""
        thread = threading.get_ident()
        before = self._running.get(thread)
        self._running[thread] = process
        try:
            yield
        finally:
            if before is None:
                del self._running[thread]
            else:
                self._running[thread] = before

    def owner(self) -> str:
        """The process whose code is running."""
        process = self._running.get(threading.get_ident())
        return process or self.threads.get(threading.current_thread().name, "")

    def bury(self, process: str) -> None:
        """A dead process gives its descriptors back, and so its locks."""
        self.dead.add(process)
        for descriptor, file in list(self._files.items()):
            if file.process == process:
                self._give_back(descriptor)

    def step(self, what: str) -> None:
        """One thing that a process does to the world outside. ``Gone`` when it has ended."""
        permit = self.permits.get(threading.current_thread().name)
        if permit is not None:
            permit.wait()
        process = self.owner()
        self._check(process)
        self.steps += 1
        self.trace.append(f"{process}: {what}")
        if self.ends_in is not None:
            self.ends_in -= 1
            if self.ends_in <= 0:
                self.end(process)
        if self.between is not None:
            self.between(process)
        self._check(process)

    def end(self, process: str) -> None:
        """The machine or the process stops here, as was decided."""
        self.ends_in = None
        self.is_off = self.power_fails
        self.dead.add(process)
        self.trace.append("power cut" if self.power_fails else f"kill {process}")

    def _check(self, process: str) -> None:
        if self.is_off or process in self.dead:
            self.woken.set()
            raise Gone(process)

    def close(self) -> None:
        """Gives back the descriptors that nobody has closed; all threads have ended."""
        inode = os.fstat(self._nothing).st_ino
        for descriptor in {*self._reserved, self._nothing}:
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_ino == inode:
                    _REAL["close"](descriptor)

    def _give_back(self, descriptor: int) -> None:
        """Closes a dead process's file, and keeps the number until its holder closes that.

        A thread of the dead may still be on its way out. What it closes then must not be somebody
        else's file by now.
        """
        with self._closing:
            if self._file(descriptor):
                del self._files[descriptor]
                os.dup2(self._nothing, descriptor, inheritable=False)
                self._reserved.add(descriptor)

    # --- power

    def cut_power(self) -> None:
        """What a reboot finds. All processes are gone."""
        for descriptor in list(self._files):
            self._give_back(descriptor)
        self._dropped.clear()
        self._reboot(self.root, TOPS)
        self.is_off = False

    def _reboot(self, directory: Path, only: Collection[str] | None = None) -> None:
        durable = self._entries.get(directory, {})
        found = {entry.name: entry.inode() for entry in os.scandir(directory)}
        for name in sorted(durable.keys() | found.keys()):
            if only is not None and name not in only:
                continue
            path = directory / name
            old, new = durable.get(name), found.get(name)
            if old != new and (old is None or self.choice.random() < 0.5):
                if old is None and self.choice.random() < 0.5:
                    self._erase(path)
                elif old is not None:
                    self._put_back(path, old, exists=new is not None)
            if path.is_dir():
                self._reboot(path)
            elif path.exists():
                self._blend(path)
        self._keep_entries(directory)

    def _erase(self, path: Path) -> None:
        self.trace.append(f"reboot: {self._short(path)} was never there")
        if path.is_dir():
            for entry in list(path.iterdir()):
                self._erase(entry)
            self._entries.pop(path, None)
            path.rmdir()
        else:
            _REAL["unlink"](path)

    def _put_back(self, path: Path, inode: int, *, exists: bool) -> None:
        """An entry whose removal or replacement was not durable is there again."""
        self.trace.append(f"reboot: {self._short(path)} is there again")
        if exists:
            _REAL["unlink"](path)
        content = self._durable.get(inode, b"")
        path.write_bytes(content)
        _REAL["utime"](path, (self.now_s, self.now_s))
        self._durable[path.stat().st_ino] = content

    def _blend(self, path: Path) -> None:
        """Of what was not synced, the disk has some sectors and others not."""
        inode = path.stat().st_ino
        content = path.read_bytes()
        durable = self._durable.get(inode, b"")
        if content != durable:
            size = self.choice.choice((len(content), len(durable)))
            if len(content) == len(durable):
                size = len(content)
            content = content[:size].ljust(size, b"\0")
            durable = durable[:size].ljust(size, b"\0")
            keeps = self.choice.choice((0.0, 0.5, 1.0))
            blended = b"".join(
                (content if self.choice.random() < keeps else durable)[at : at + SECTOR_BYTES]
                for at in range(0, size, SECTOR_BYTES)
            )
            self.trace.append(f"reboot: {self._short(path)} has {keeps:.0%} of what was unsynced")
            path.write_bytes(blended)
            _REAL["utime"](path, (self.now_s, self.now_s))
            content = blended
        self._durable[inode] = content

    # --- what is durable

    def _keep_entries(self, directory: Path) -> None:
        self._entries[directory] = {entry.name: entry.inode() for entry in os.scandir(directory)}

    def _keep_content(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        content = _content(descriptor)
        dropped = self._dropped.get(inode)
        if dropped is not None:
            before = self._durable.get(inode, b"").ljust(len(content), b"\0")
            kept = bytearray(content)
            for at, bytes_then in list(dropped.sectors.items()):
                if content[at : at + SECTOR_BYTES] == bytes_then:
                    kept[at : at + len(bytes_then)] = before[at : at + len(bytes_then)]
                else:
                    del dropped.sectors[at]
            content = bytes(kept)
        self._durable[inode] = content

    def _drop_content(self, descriptor: int) -> None:
        """A sync failed: the kernel holds the pages for written, and they are not."""
        inode = os.fstat(descriptor).st_ino
        content = _content(descriptor)
        before = self._durable.get(inode, b"").ljust(len(content), b"\0")
        dropped = self._dropped.setdefault(inode, _Dropped())
        for at in range(0, len(content), SECTOR_BYTES):
            now = content[at : at + SECTOR_BYTES]
            if now != before[at : at + len(now)]:
                dropped.sectors[at] = now

    def _write_back_states(self, directory: Path) -> None:
        """The kernel writes a mapped file back when it likes."""
        path = directory / STATE_NAME
        if self.choice.random() < WRITTEN_BACK and path.exists():
            self._durable[path.stat().st_ino] = path.read_bytes()

    # --- the calls

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """The machine's calls stand in the place of those of ``os``."""
        for name in _REAL:
            setattr(os, name, getattr(self, f"_{name}"))
        try:
            yield
        finally:
            for name, real in _REAL.items():
                setattr(os, name, real)

    def _mine(self, path: Any) -> bool:
        return str(path).startswith(str(self.root))

    def _file(self, descriptor: int) -> _File | None:
        """What a descriptor is; None when it was closed behind the back of ``os``."""
        file = self._files.get(descriptor)
        if file is not None:
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_ino == file.inode:
                    return file
            del self._files[descriptor]
        return None

    def _short(self, path: Any) -> str:
        return str(path).removeprefix(f"{self.root}/")

    def _open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if not self._mine(path):
            return int(_REAL["open"](path, flags, mode, **more))
        if flags & os.O_CREAT:
            self.step(f"open {self._short(path)}")
        descriptor = int(_REAL["open"](path, flags, mode, **more))
        inode = os.fstat(descriptor).st_ino
        self._files[descriptor] = _File(self.owner(), Path(path), inode)
        return descriptor

    def _close(self, descriptor: int) -> None:
        with self._closing:
            self._files.pop(descriptor, None)
            _REAL["close"](descriptor)

    def _fdopen(self, descriptor: int, *arguments: Any, **named: Any) -> Any:
        if descriptor not in self._files:
            return _REAL["fdopen"](descriptor, *arguments, **named)
        return _Writer(descriptor, self._close)

    def _fsync(self, descriptor: int) -> None:
        self._sync("fsync", descriptor)

    def _fdatasync(self, descriptor: int) -> None:
        self._sync("fdatasync", descriptor)

    def _sync(self, name: str, descriptor: int) -> None:
        file = self._file(descriptor)
        if file is None:
            _REAL[name](descriptor)
            return
        path = file.path
        is_directory = path.is_dir()
        if not is_directory:
            _REAL["utime"](descriptor, (self.now_s, self.now_s))
        self.step(f"{name} {self._short(path)}")
        if self.choice.random() < self.faults.sync_fails:
            self.trace.append(f"EIO of {name} {self._short(path)}")
            if not is_directory:
                self._drop_content(descriptor)
            raise OSError(errno.EIO, "the disk failed")
        if is_directory:
            self._keep_entries(path)
            return
        self._keep_content(descriptor)
        if path.name.endswith((".wal", ".next.tmp")):
            self._write_back_states(path.parent)

    def _pwrite(self, descriptor: int, content: Any, at: int) -> int:
        if self._file(descriptor) is None:
            return int(_REAL["pwrite"](descriptor, content, at))
        self._before_write("pwrite", descriptor)
        if len(content) > 1 and self.choice.random() < self.faults.write_is_short:
            content = memoryview(content)[: len(content) // 2]
        return int(_REAL["pwrite"](descriptor, content, at))

    def _pwritev(self, descriptor: int, parts: Any, at: int) -> int:
        if self._file(descriptor) is None:
            return int(_REAL["pwritev"](descriptor, parts, at))
        self._before_write("pwritev", descriptor)
        return int(_REAL["pwritev"](descriptor, parts, at))

    def _before_write(self, name: str, descriptor: int) -> None:
        path = self._short(self._files[descriptor].path)
        self.step(f"{name} {path}")
        if self.choice.random() < self.faults.write_fails:
            self.trace.append(f"ENOSPC of {name} {path}")
            raise OSError(errno.ENOSPC, "the disk is full")

    def _pread(self, descriptor: int, size: int, at: int) -> bytes:
        if self._file(descriptor) and self.choice.random() < self.faults.read_fails:
            self.trace.append(f"EIO of pread {self._short(self._files[descriptor].path)}")
            raise OSError(errno.EIO, "the disk failed")
        content: bytes = _REAL["pread"](descriptor, size, at)
        return content

    def _ftruncate(self, descriptor: int, size: int) -> None:
        if self._file(descriptor):
            self.step(f"ftruncate {self._short(self._files[descriptor].path)} {size}")
        _REAL["ftruncate"](descriptor, size)

    def _posix_fallocate(self, descriptor: int, at: int, size: int) -> None:
        if self._file(descriptor):
            self._before_write("fallocate", descriptor)
        _REAL["posix_fallocate"](descriptor, at, size)

    def _rename(self, source: Any, target: Any) -> None:
        if self._mine(source):
            self.step(f"rename {self._short(source)} {self._short(target)}")
        _REAL["rename"](source, target)

    def _unlink(self, path: Any) -> None:
        if self._mine(path):
            self.step(f"unlink {self._short(path)}")
        _REAL["unlink"](path)

    def _mkdir(self, path: Any, mode: int = 0o777) -> None:
        if self._mine(path):
            self.step(f"mkdir {self._short(path)}")
        _REAL["mkdir"](path, mode)  # another process may have made it meanwhile: then it raises
        self._entries.pop(Path(path), None)

    def _utime(self, *arguments: Any, **named: Any) -> None:
        _REAL["utime"](*arguments, **named)


class _Writer(io.BufferedWriter):
    """What ``os.fdopen`` gives for writing, closed as every other descriptor is."""

    def __init__(self, descriptor: int, close: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(descriptor, "wb", closefd=False))
        self._descriptor = descriptor
        self._close_descriptor = close

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                self._close_descriptor(self._descriptor)


def _content(descriptor: int) -> bytes:
    again = _REAL["open"](f"/proc/self/fd/{descriptor}", os.O_RDONLY)  # it may be for writing only
    try:
        return bytes(_REAL["pread"](again, os.fstat(again).st_size, 0))
    finally:
        _REAL["close"](again)


_REAL: dict[str, Callable[..., Any]] = {
    name: getattr(os, name)
    for name in (
        "open",
        "close",
        "fdopen",
        "fsync",
        "fdatasync",
        "pwrite",
        "pwritev",
        "pread",
        "ftruncate",
        "posix_fallocate",
        "rename",
        "unlink",
        "mkdir",
        "utime",
    )
}
