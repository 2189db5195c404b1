"""Making a backup: a new moment, the files that it names, the manifest, then a sweep.

    moment-<time>/   databases and journals, copied anew
    lake/ raw/ dedup/   as in the node's directory; a file that is there already is not copied
    backup.json   the manifest, replaced in one step when all of that is durable

Whatever ends a backup early, the one before it stays complete, and the next goes on with the
files that are there.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from weir import __version__
from weir.backup.copying import Advance, copy_durable, hash_of
from weir.backup.manifest import (
    BACKUP_VERSION,
    MANIFEST_NAME,
    MOMENT,
    SHARED,
    Entry,
    Manifest,
    read_manifest,
    write_manifest,
)
from weir.backup.moment import Listed, Moved, copy_moment
from weir.clock import Clock
from weir.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from weir.node.directory import Directory
from weir.node.node_file import read_node
from weir.storage.local import FileLock, make_root, strangers, sync_directory

ATTEMPTS = 3
"""How often a backup begins again when files went away under it: the loader was restarted."""

_LOCK = "lock"

Belief = Callable[[os.stat_result, Entry], bool]
"""Whether a file of the backup before is taken for what it was; else it is read again."""


class Keeper(Protocol):
    """Who keeps the node's files from being removed while they are copied."""

    is_running: bool
    """Whether the node's processes write meanwhile."""

    def settle(self) -> None:
        """Holds, and brings what is in the journals into the lake if that is possible."""
        ...

    def hold(self) -> None:
        """Nothing is removed for a while from now on; called again and again."""
        ...


class Progress(Protocol):
    """Who is told how far a backup is."""

    def expect(self, byte_count: int) -> None:
        """About so many bytes have to be looked at in all."""
        ...

    def advance(self, byte_count: int) -> None:
        """So many more are done."""
        ...


class Made(NamedTuple):
    """A complete backup, and how many bytes of it had to be copied this time."""

    manifest: Manifest
    copied_bytes: int


def unchanged(seen: os.stat_result, known: Entry) -> bool:
    """The usual ``Belief``: nobody has written the file or put another in its place."""
    return (seen.st_mtime_ns, seen.st_ino) == (known.mtime_ns, known.inode)


def make_backup(
    source: Directory,
    target: Path,
    *,
    keeper: Keeper,
    clock: Clock,
    progress: Progress,
    believes: Belief = unchanged,
) -> Made:
    """Brings the backup in ``target`` up to this moment; complete and durable when it returns.

    Holds every event that was acknowledged before the call; a file of the backup before that is
    not what it was is copied again. Raises ``Conflict`` (``locked``) while another backup runs
    there, or (``directory_not_empty``) when ``target`` holds something else, ``Corrupt``
    (``source_damaged``) for a file of the node that is not what was committed, ``Unavailable``
    when the loader does not answer, ``OSError``.
    """
    if not source.control_db.exists():
        raise NotFound(
            f"There is no node in {source.root.absolute()}.",
            code="node_not_found",
            hint="Name its directory with --data or WEIR_DATA_DIR.",
        )
    if target.resolve().is_relative_to(source.root.resolve()):
        raise InvalidInput(
            "A backup inside the node's own directory would be lost with it.",
            hint="Name a directory on another disk.",
        )
    make_root(target, what="backup directory")
    _check_own(target)
    lock = FileLock(target / _LOCK, purpose="A backup is being made")
    lock.acquire()
    try:
        for _ in range(ATTEMPTS):
            try:
                return _attempt(source, target, keeper, clock, progress, believes)
            except Moved:
                continue
    finally:
        lock.release()
    raise Unavailable(
        "Files of the node went away while they were copied.",
        hint="Is its loader being restarted again and again? See its log, then try again.",
        retry_after_s=10,
    )


def _check_own(target: Path) -> None:
    """A sweep removes what the manifest does not name: never from somebody else's directory."""
    if (target / MANIFEST_NAME).exists():
        return
    moments = [path.name for path in target.glob(f"{MOMENT}*")]
    has_begun = (target / _LOCK).exists()  # and was not finished
    if strangers(target, own={_LOCK, *moments, *SHARED} if has_begun else ()):
        raise Conflict(
            f"{target} is not empty, and no backup.",
            code="directory_not_empty",
            hint="Back up into a new directory, or into that of an earlier backup.",
        )


def _attempt(
    source: Directory,
    target: Path,
    keeper: Keeper,
    clock: Clock,
    progress: Progress,
    believes: Belief,
) -> Made:
    earlier = _known(target)
    node = read_node(source)
    keeper.settle()
    made_at_us = clock.now_us()
    folder = f"{MOMENT}{made_at_us}"
    own, listed = copy_moment(
        source, target, folder, is_running=keeper.is_running, advance=lambda _count: keeper.hold()
    )
    progress.expect(sum(file.byte_count for file in listed))
    copied_bytes = sum(entry.byte_count for entry in own)
    for file in listed:
        known = earlier.get(file.path)
        if known is not None and not _is_as_known(target / file.path, file, known, believes):
            known = None
        copied_bytes += _bring(source, target, file, known, keeper, progress)
    files = (_entry(target, file) for file in listed)
    manifest = write_manifest(
        target,
        Manifest(
            format_version=BACKUP_VERSION,
            weir_version=__version__,
            made_at_us=made_at_us,
            epoch=node.epoch,
            entries=(*own, *files),
        ),
    )
    _sweep(target, folder, {file.path for file in listed})
    return Made(manifest, copied_bytes)


def _known(target: Path) -> Mapping[str, Entry]:
    """What the backup before holds; nothing when its manifest is damaged."""
    try:
        manifest = read_manifest(target)
    except Corrupt:
        return {}
    return {entry.stored: entry for entry in manifest.entries} if manifest else {}


def _bring(
    source: Directory,
    target: Path,
    file: Listed,
    known: Entry | None,
    keeper: Keeper,
    progress: Progress,
) -> int:
    """Makes sure that the backup has a file, ``known`` or not; how many bytes were copied."""

    def advance(byte_count: int) -> None:
        keeper.hold()
        progress.advance(byte_count)

    stored = target / file.path
    if known is not None:
        advance(file.byte_count)
        return 0
    if _is_there(stored, file, advance):
        return 0
    try:
        copied = copy_durable(
            source.root / file.path, stored, expected=file.sha256, advance=advance
        )
    except FileNotFoundError as error:
        raise Moved from error
    if copied is None:
        raise Corrupt(
            f"{source.root / file.path} is not what was committed: its SHA-256 differs.",
            code="source_damaged",
            hint="The disk has lost it. Take it out of an earlier backup; that one is intact.",
        )
    return copied.byte_count


def _is_as_known(stored: Path, file: Listed, known: Entry, believes: Belief) -> bool:
    try:
        seen = stored.stat()
    except FileNotFoundError:
        return False
    is_same = (seen.st_size, known.sha256) == (file.byte_count, file.sha256)
    return is_same and believes(seen, known)


def _is_there(stored: Path, file: Listed, advance: Advance) -> bool:
    """Whether a file is there that nothing is known about, by its bytes."""
    try:
        if stored.stat().st_size != file.byte_count:
            return False
    except FileNotFoundError:
        return False
    return hash_of(stored, advance=advance).sha256 == file.sha256


def _entry(target: Path, file: Listed) -> Entry:
    seen = (target / file.path).stat()
    return Entry(
        path=file.path,
        stored=file.path,
        byte_count=file.byte_count,
        sha256=file.sha256,
        mtime_ns=seen.st_mtime_ns,
        inode=seen.st_ino,
    )


def _sweep(target: Path, folder: str, wanted: Iterable[str]) -> None:
    """Removes what the manifest does not name."""
    wanted = set(wanted)
    for moment in target.glob(f"{MOMENT}*"):
        if moment.name != folder:
            shutil.rmtree(moment)
    for name in SHARED:
        for path in [each for each in (target / name).rglob("*") if each.is_file()]:
            if path.relative_to(target).as_posix() not in wanted:
                path.unlink()
    sync_directory(target)
