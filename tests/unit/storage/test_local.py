"""Durable files and locks."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weir.clock import SystemClock
from weir.errors import Conflict
from weir.storage.local import FileLock, make_directory, while_locked, write_durable


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_write_durable_replaces_the_whole_file(tmp_path: Path) -> None:
    """The new content is there, whole, private, and no temporary file is left."""
    path = tmp_path / "registry"
    write_durable(path, [b"a longer first content"])
    write_durable(path, [b"se", memoryview(b"cond")])
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert _names(tmp_path) == ["registry"]


def _parts_that_fail() -> Iterator[bytes]:
    yield b"half of the new "
    raise RuntimeError


def test_write_durable_keeps_the_old_file_when_the_content_fails(tmp_path: Path) -> None:
    """A source that breaks half-way leaves the old content and no rest."""
    path = tmp_path / "registry"
    write_durable(path, [b"old"])
    with pytest.raises(RuntimeError):
        write_durable(path, _parts_that_fail())
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["registry"]


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC])
def test_write_durable_keeps_the_old_file_when_the_sync_fails(
    fault: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot make the new content durable never gets to show it."""
    path = tmp_path / "registry"
    write_durable(path, [b"old"])

    def fail(_descriptor: int) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(fault)):
        write_durable(path, [b"new"])
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["registry"]


def test_write_durable_syncs_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content first, then the name, then the directory: the only order that survives a cut."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("sync directory" if target.is_dir() else "sync file")
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    write_durable(tmp_path / "file", [b"x"])
    assert steps == ["sync file", "rename", "sync directory"]


def test_make_directory_makes_parents_and_is_repeatable(tmp_path: Path) -> None:
    """Parents are made too, private to the owner; a second call changes nothing."""
    path = tmp_path / "a" / "b"
    make_directory(path)
    make_directory(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_make_directory_syncs_what_a_killed_predecessor_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that is there may not be durable yet: its parents are synced all the same."""
    path = tmp_path / "a" / "b"
    path.mkdir(parents=True)
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    make_directory(path)
    assert {path.parent, tmp_path} <= set(synced)


def test_lock_is_taken_and_released_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for the holder's number the lock holds; and no descriptor keeps it for ever."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", refuse)
    first = FileLock(tmp_path / "lock", purpose="Node")
    second = FileLock(tmp_path / "lock", purpose="Node")
    first.acquire()
    with pytest.raises(Conflict):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


_HOLDER = (
    "import sys, pathlib; from weir.storage.local import FileLock;"
    "FileLock(pathlib.Path(sys.argv[1]), purpose='Node').acquire();"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock ``lock`` until its input ends."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_lock_of_another_process_is_refused_with_its_id(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    """The refusal names the process that holds the lock, and what to do."""
    with pytest.raises(Conflict, match=str(holder.pid)) as caught:
        FileLock(tmp_path / "lock", purpose="Node").acquire()
    assert caught.value.code == "locked"
    assert caught.value.hint


def test_lock_is_waited_for_until_its_holder_dies(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    """A predecessor that is just dying does not fail its successor."""
    lock = FileLock(tmp_path / "lock", purpose="Node")
    tries = 0

    def take() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            holder.kill()
            holder.wait()
        lock.acquire()

    while_locked(take, wait_s=60, clock=SystemClock())
    assert tries == 3
    lock.release()


def test_wait_for_a_lock_ends_with_its_time_or_when_given_up(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    """What is raised then names the holder, as without waiting."""
    lock = FileLock(tmp_path / "lock", purpose="Node")
    with pytest.raises(Conflict, match=str(holder.pid)):
        while_locked(lock.acquire, wait_s=0.05, clock=SystemClock())
    with pytest.raises(Conflict, match=str(holder.pid)):
        while_locked(lock.acquire, wait_s=3600, clock=SystemClock(), given_up=lambda: True)


def test_other_conflicts_are_not_waited_for() -> None:
    """Only a lock goes away by waiting."""

    def take() -> None:
        raise Conflict("Another node.", code="fenced")

    with pytest.raises(Conflict, match="Another node"):
        while_locked(take, wait_s=3600, clock=SystemClock())


def test_killed_holder_frees_the_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """Whatever way the holder ends, the next process gets the lock."""
    holder.kill()
    holder.wait()
    lock = FileLock(tmp_path / "lock", purpose="Node")
    lock.acquire()
    lock.release()


def test_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """Release is immediate, and harmless when nothing is held."""
    first = FileLock(tmp_path / "lock", purpose="Node")
    second = FileLock(tmp_path / "lock", purpose="Node")
    first.acquire()
    with pytest.raises(Conflict):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    second.release()


def test_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    """A child that outlives the holder must not keep the node locked."""
    lock = FileLock(tmp_path / "lock", purpose="Node")
    lock.acquire()
    program = "import sys; print('running', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        close_fds=False,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        lock.release()
        again = FileLock(tmp_path / "lock", purpose="Node")
        again.acquire()
        again.release()
        child.kill()
