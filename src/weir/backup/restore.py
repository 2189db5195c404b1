"""Restoring a backup into an empty directory, as a new life of the node.

The mark ``restoring`` stands in the directory until everything is verified and durable; no node
starts before. The databases come last: until then no command takes the directory for a node.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from weir.backup.copying import copy_durable, hash_of
from weir.backup.make import Progress
from weir.backup.manifest import Entry, Manifest, damaged, read_manifest
from weir.errors import Conflict, NotFound
from weir.node.directory import Directory
from weir.node.node_file import write_node
from weir.storage.local import FileLock, make_root, strangers, sync_directory, write_durable

EPOCH_BYTES = 4
_LAST = ("catalog.db", "control.db")


class _Mark(msgspec.Struct, frozen=True):
    """What is being restored, and as which epoch."""

    checksum: str
    epoch: str


def restore_backup(
    source: Path,
    directory: Directory,
    *,
    random: Callable[[int], bytes],
    progress: Progress,
) -> Manifest:
    """Makes a node out of the backup in ``source``; ``random`` gives bytes for its epoch.

    Nothing is ever overwritten. A restore that was broken off goes on. ``NotFound``
    (``backup_not_found``) when no complete backup is there, ``Conflict``
    (``directory_not_empty``) when the directory holds anything else, ``Corrupt``
    (``backup_damaged``) for a file that is not what was written, ``OSError``.
    """
    manifest = read_manifest(source)
    if manifest is None:
        raise NotFound(
            f"There is no complete backup in {source}.",
            code="backup_not_found",
            hint="weir backup makes one; it is complete once backup.json is there.",
        )
    make_root(directory.root)
    lock = FileLock(directory.node_lock, purpose="The directory is in use")
    lock.acquire()
    try:
        mark = _mark(directory, manifest, random)
        progress.expect(manifest.byte_count)
        for entry in sorted(manifest.entries, key=_order):
            _place(source, directory, entry, progress)
        write_node(directory, epoch=mark.epoch)
        directory.restoring.unlink()
        sync_directory(directory.root)
    finally:
        lock.release()
    return manifest


def _mark(directory: Directory, manifest: Manifest, random: Callable[[int], bytes]) -> _Mark:
    """The mark of this restore, set now or by an earlier attempt."""
    try:
        found = msgspec.json.decode(directory.restoring.read_bytes(), type=_Mark)
    except FileNotFoundError:
        if strangers(directory.root, own={directory.node_lock.name}):
            raise Conflict(
                f"{directory.root} is not empty.",
                code="directory_not_empty",
                hint="Restore into a new directory: nothing is ever overwritten.",
            ) from None
        found = _Mark(manifest.checksum, random(EPOCH_BYTES).hex())
        write_durable(directory.restoring, [msgspec.json.encode(found)])
    if found.checksum != manifest.checksum:
        raise Conflict(
            f"{directory.root} holds a part of another backup.",
            code="directory_not_empty",
            hint="Remove it, or finish that restore with the same backup.",
        )
    return found


def _place(source: Path, directory: Directory, entry: Entry, progress: Progress) -> None:
    target = directory.root / entry.path
    if target.exists():
        if hash_of(target, advance=progress.advance).sha256 == entry.sha256:
            return
        raise Conflict(
            f"{target} was changed during the restore.",
            code="directory_not_empty",
            hint="Restore into a new directory.",
        )
    stored = source / entry.stored
    try:
        copied = copy_durable(stored, target, expected=entry.sha256, advance=progress.advance)
    except FileNotFoundError as error:
        raise damaged(stored) from error
    if copied is None:
        raise damaged(stored)


def _order(entry: Entry) -> tuple[bool, str]:
    return entry.path in _LAST, entry.path
