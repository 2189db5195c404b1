"""What a backup and a restore do when something is in their way."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.unit.loader.rig import Rig, RigClock, event, make_rig
from weir.backup.make import Made, make_backup
from weir.backup.manifest import Manifest, read_manifest, write_manifest
from weir.backup.restore import restore_backup
from weir.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable, WeirError
from weir.node.directory import Directory
from weir.node.node_file import read_node


class _Keeper:
    """A stopped node; ``meanwhile`` happens at the first hold after the moment was copied."""

    is_running = False

    def __init__(self, meanwhile: Callable[[], None] | None = None) -> None:
        self.settled = 0
        self._meanwhile = meanwhile

    def settle(self) -> None:
        """Counted."""
        self.settled += 1

    def hold(self) -> None:
        """Something may happen to the node."""
        if self._meanwhile is not None:
            self._meanwhile()


class _Progress:
    def expect(self, byte_count: int) -> None:
        """Not looked at."""

    def advance(self, byte_count: int) -> None:
        """Not looked at."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A node with a lake file, a raw file, a sidecar and something in its journal."""
    rig = make_rig(tmp_path / "node", RigClock())
    rig.write([event(1), event(2)])
    with rig.running() as loader:
        loader.cut()
    rig.write([event(3)])
    rig.close()
    with contextlib.closing(sqlite3.connect(rig.directory.control_db)) as database:
        database.execute("CREATE TABLE tenants (id)")
        database.commit()
    yield rig
    rig.close()


def _back_up(rig: Rig, target: Path, keeper: _Keeper | None = None) -> Made:
    return make_backup(
        rig.directory,
        target,
        keeper=keeper or _Keeper(),
        clock=rig.clock,
        progress=_Progress(),
    )


def _restore(source: Path, root: Path, *, byte: int = 7) -> Manifest:
    return restore_backup(
        source,
        Directory(root),
        random=lambda count: bytes([byte]) * count,
        progress=_Progress(),
    )


def _lake_file(root: Path) -> Path:
    return next((root / "lake").rglob("*.parquet"))


def test_restored_files_are_those_of_the_node(rig: Rig, tmp_path: Path) -> None:
    """Byte for byte, under the same names; nothing of run/, no lock, no key in clear."""
    rig.directory.first_run.write_text("secret")
    _back_up(rig, tmp_path / "backup")
    _restore(tmp_path / "backup", tmp_path / "copy")
    for name in rig.file_names():
        assert (tmp_path / "copy" / name).read_bytes() == (rig.directory.root / name).read_bytes()
    top = {path.name for path in (tmp_path / "copy").iterdir()}
    assert top == {
        *("catalog.db", "control.db", "dedup", "journal", "lake", "node.json", "node.lock", "raw")
    }
    everything = [path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert not any(b"secret" in content for content in everything)


def test_each_restore_is_a_life_of_its_own(rig: Rig, tmp_path: Path) -> None:
    """Two nodes from one backup, and the first node, never write a journal of one name."""
    _back_up(rig, tmp_path / "backup")
    for byte in (1, 2):
        _restore(tmp_path / "backup", tmp_path / f"copy-{byte}", byte=byte)
    directories = [Directory(tmp_path / name) for name in ("node", "copy-1", "copy-2")]
    names = {each.journal(0, epoch=read_node(each).epoch).name for each in directories}
    assert names == {"00", "01010101-00", "02020202-00"}


def test_second_backup_copies_only_what_is_new(rig: Rig, tmp_path: Path) -> None:
    """Lake, raw and sidecar files are believed; the moment is copied anew."""
    first = _back_up(rig, tmp_path / "backup")
    second = _back_up(rig, tmp_path / "backup")
    assert first.copied_bytes == first.manifest.byte_count
    moment = sum(
        each.byte_count for each in second.manifest.entries if each.stored.startswith("moment-")
    )
    assert second.copied_bytes == moment < first.copied_bytes


def test_backup_that_breaks_off_leaves_the_one_before_whole(rig: Rig, tmp_path: Path) -> None:
    """A damaged lake file ends it; what was complete still is, and can be restored."""
    _back_up(rig, tmp_path / "backup")
    before = read_manifest(tmp_path / "backup")
    rig.writers.clear()
    rig.write([event(4)])
    with rig.running() as loader:
        loader.cut()
    rig.close()
    newest = max((rig.directory.root / "lake").rglob("*.parquet"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    with pytest.raises(Corrupt) as caught:
        _back_up(rig, tmp_path / "backup")
    assert caught.value.code == "source_damaged"
    assert read_manifest(tmp_path / "backup") == before
    _restore(tmp_path / "backup", tmp_path / "copy")


def test_broken_off_backup_is_finished_by_the_next(rig: Rig, tmp_path: Path) -> None:
    """Files that an attempt left are read again and kept; half a one is replaced."""
    target = tmp_path / "backup"
    _back_up(rig, target)
    (target / "backup.json").unlink()
    half = _lake_file(target)
    half.write_bytes(half.read_bytes()[:10])
    (target / "moment-1").mkdir()
    made = _back_up(rig, target)
    assert half.stat().st_size in {entry.byte_count for entry in made.manifest.entries}
    assert not (target / "moment-1").exists()
    _restore(target, tmp_path / "copy")


def test_files_that_go_away_begin_it_again(rig: Rig, tmp_path: Path) -> None:
    """Once is survived; when it goes on, the node is told to be restless."""
    raw = next((rig.directory.root / "raw").rglob("*.zst"))
    content = raw.read_bytes()
    taken: list[Path] = []

    def take_once() -> None:
        if not taken:
            raw.unlink()
            taken.append(raw)
        elif keeper.settled == 2 and not raw.exists():
            raw.write_bytes(content)

    keeper = _Keeper(take_once)
    _back_up(rig, tmp_path / "backup", keeper)
    assert keeper.settled == 2
    raw.unlink()
    with pytest.raises(Unavailable):
        _back_up(rig, tmp_path / "other")


def test_reused_files_that_were_damaged_are_copied_again(rig: Rig, tmp_path: Path) -> None:
    """One that was written since, of the same length; what nobody touched is not read."""
    target = tmp_path / "backup"
    _back_up(rig, target)
    for victim in (_lake_file(target), next((target / "raw").rglob("*.zst"))):
        victim.write_bytes(b"\xff" * victim.stat().st_size)
    victim.unlink()
    made = _back_up(rig, target)
    manifest = read_manifest(target)
    assert manifest == made.manifest
    _restore(target, tmp_path / "copy")


def test_damage_that_leaves_no_trace_is_mended_by_reading_all(rig: Rig, tmp_path: Path) -> None:
    """Bits of the disk flip without a new time: only a backup that believes nothing sees it."""
    target = tmp_path / "backup"
    _back_up(rig, target)
    victim = _lake_file(target)
    seen = victim.stat()
    victim.write_bytes(b"\xff" * seen.st_size)
    os.utime(victim, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    _back_up(rig, target)
    with pytest.raises(Corrupt) as caught:
        _restore(target, tmp_path / "copy")
    assert "--verify" in str(caught.value)
    make_backup(
        rig.directory,
        target,
        keeper=_Keeper(),
        clock=rig.clock,
        progress=_Progress(),
        believes=lambda _seen, _known: False,
    )
    _restore(target, tmp_path / "mended")


def test_a_backup_of_the_version_before_is_read(rig: Rig, tmp_path: Path) -> None:
    """Its manifest tells no times; its files are read once more and kept."""
    target = tmp_path / "backup"
    made = _back_up(rig, target).manifest
    plain = tuple(msgspec.structs.replace(each, mtime_ns=0, inode=0) for each in made.entries)
    write_manifest(target, msgspec.structs.replace(made, format_version=1, entries=plain))
    assert b"inode" not in (target / "backup.json").read_bytes()
    _restore(target, tmp_path / "copy")
    inode = _lake_file(target).stat().st_ino
    _back_up(rig, target)
    assert _lake_file(target).stat().st_ino == inode


@pytest.mark.parametrize("name", ["notes.txt", "lake", "lock-file"])
def test_a_backup_goes_into_no_directory_of_others(rig: Rig, tmp_path: Path, name: str) -> None:
    """Nothing there is touched; an empty one, and a file system's own folder, are fine."""
    target = tmp_path / "mine"
    (target / name).mkdir(parents=True)
    with pytest.raises(Conflict) as caught:
        _back_up(rig, target)
    assert caught.value.code == "directory_not_empty"
    assert [path.name for path in target.iterdir()] == [name]
    (target / name).rename(target / "lost+found")
    _back_up(rig, target)


def test_a_file_is_no_directory(rig: Rig, tmp_path: Path) -> None:
    """It is said of the backup's directory, not of the node's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"backup directory .* it is a file"):
        _back_up(rig, tmp_path / "file")


def test_restore_refuses_what_it_would_overwrite(rig: Rig, tmp_path: Path) -> None:
    """A directory with anything in it, even one that a node left."""
    _back_up(rig, tmp_path / "backup")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("kept")
    for root in (tmp_path / "copy", rig.directory.root):
        with pytest.raises(Conflict) as caught:
            _restore(tmp_path / "backup", root)
        assert caught.value.code == "directory_not_empty"
    assert (tmp_path / "copy" / "mine").read_text() == "kept"


@pytest.mark.parametrize("what", ["lake", "moment", "manifest", "missing"])
def test_restore_refuses_a_damaged_backup(rig: Rig, tmp_path: Path, what: str) -> None:
    """Every byte is checked; the directory is not taken for a node, and the restore goes on."""
    target = tmp_path / "backup"
    _back_up(rig, target)
    victim = {
        "lake": _lake_file(target),
        "missing": _lake_file(target),
        "moment": next(target.glob("moment-*/journal/00/*.wal")),
        "manifest": target / "backup.json",
    }[what]
    content = victim.read_bytes()
    changed = content.replace(b"lake/", b"lakf/") if what == "manifest" else content[:-1] + b"\xff"
    victim.write_bytes(changed)
    if what == "missing":
        victim.unlink()
    with pytest.raises(WeirError) as caught:
        _restore(target, tmp_path / "copy")
    assert caught.value.code == "backup_damaged"
    if what == "manifest":
        return
    with pytest.raises(Conflict) as refused:
        read_node(Directory(tmp_path / "copy"))
    assert refused.value.code == "restore_unfinished"
    victim.write_bytes(content)
    _restore(target, tmp_path / "copy")
    assert read_node(Directory(tmp_path / "copy")).epoch


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("../outside", "lake/1"),
        ("/outside", "lake/1"),
        ("lake/1", "../outside"),
        ("lake/1", "/outside"),
        ("", ""),
        ("node.json", "moment-1/node.json"),
        ("run/registry", "moment-1/run/registry"),
        ("first-run.json", "lake/1"),
        ("lake/1", "lake/2"),
        ("lake/1", "moment-1/lake/1"),
    ],
)
def test_a_manifest_of_other_files_is_refused(
    rig: Rig, tmp_path: Path, path: str, stored: str
) -> None:
    """A restore writes the files of a backup, each in its own place, and nothing besides."""
    target = tmp_path / "backup"
    made = _back_up(rig, target).manifest
    entry = msgspec.structs.replace(made.entries[-1], path=path, stored=stored)
    write_manifest(target, msgspec.structs.replace(made, entries=(*made.entries, entry)))
    with pytest.raises(Corrupt):
        _restore(target, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_places_that_make_no_sense_are_refused(rig: Rig, tmp_path: Path) -> None:
    """No node, no backup, and a backup inside the node."""
    with pytest.raises(NotFound):
        _restore(tmp_path / "nothing", tmp_path / "copy")
    with pytest.raises(InvalidInput):
        _back_up(rig, rig.directory.root / "backup")
    rig.directory.control_db.unlink()
    with pytest.raises(NotFound):
        _back_up(rig, tmp_path / "backup")


def test_nothing_is_removed_while_a_backup_holds(tmp_path: Path) -> None:
    """Expired raw files and journal files stay for the lease, and go with a later commit."""
    rig = make_rig(tmp_path / "node", RigClock())
    with rig.running() as loader:
        rig.write([event(1)])
        loader.cut()
        before = rig.file_names()
        asyncio.run(loader.client.hold(3.0))
        rig.clock.us += 40 * 86_400_000_000
        rig.write([event(2)])
        loader.cut()
        assert before <= rig.file_names()
    rig.close()
    with rig.running():
        pass
    assert not before <= rig.file_names(), "the next start removes them"
