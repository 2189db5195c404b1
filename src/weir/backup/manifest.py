"""The manifest: what a backup holds, and the mark that it is complete.

``backup.json`` is written last, in one step. Until then the backup before it is the one that
counts, and all of its files are still there. docs/formats/backup.md describes it.
"""

from hashlib import sha256
from pathlib import Path, PurePosixPath

import msgspec

from weir.errors import Conflict, Corrupt
from weir.storage.local import write_durable

MANIFEST_NAME = "backup.json"
BACKUP_VERSION = 2

MOMENT = "moment-"
"""How the folder of what is copied anew each time begins; the time of it follows."""

SHARED = ("lake", "raw", "dedup")
"""What lies in the backup under the names that it has in the node's directory."""

_ANEW = ("catalog.db", "control.db", "journal", "quarantine")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file: its path in the node's directory, and where the backup has it."""

    path: str
    stored: str
    byte_count: int
    sha256: str
    mtime_ns: int = 0
    """With ``inode``, what the stored file looked like when it was right; 0: not known."""
    inode: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete backup. ``epoch`` is that of the node it was made of."""

    format_version: int
    weir_version: str
    made_at_us: int
    epoch: str
    entries: tuple[Entry, ...]
    checksum: str = ""
    """SHA-256 of the manifest as JSON without this field's value."""

    @property
    def byte_count(self) -> int:
        return sum(entry.byte_count for entry in self.entries)


def write_manifest(target: Path, manifest: Manifest) -> Manifest:
    """Makes a backup complete; returns the manifest with its checksum. Raises ``OSError``."""
    sealed = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    write_durable(target / MANIFEST_NAME, [msgspec.json.encode(sealed)])
    return sealed


def read_manifest(target: Path) -> Manifest | None:
    """The manifest of a backup; None when there is none.

    ``Corrupt`` (``backup_damaged``) when it was changed, ``Conflict`` (``newer_format``) when a
    newer version of Weir has written it.
    """
    try:
        text = (target / MANIFEST_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version > BACKUP_VERSION:
            raise Conflict(
                f"The backup in {target} was written by a newer version of Weir.",
                code="newer_format",
                hint="Install that version or a newer one.",
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise damaged(target / MANIFEST_NAME) from error
    if manifest.checksum != _checksum(manifest) or not all(map(_is_own, manifest.entries)):
        raise damaged(target / MANIFEST_NAME)
    return manifest


def damaged(path: Path) -> Corrupt:
    """The error of a file of a backup that is not what was written."""
    return Corrupt(
        f"{path} is not what the backup wrote.",
        code="backup_damaged",
        hint="Restore another copy of the backup; weir backup --verify mends this one while the "
        "node still has the file.",
    )


class _Version(msgspec.Struct):
    format_version: int


def _checksum(manifest: Manifest) -> str:
    plain = msgspec.structs.replace(manifest, checksum="")
    return sha256(msgspec.json.encode(plain)).hexdigest()


def _is_own(entry: Entry) -> bool:
    """Whether a backup has such a file there: a restore writes nothing else, and nowhere else."""
    path, stored = PurePosixPath(entry.path), PurePosixPath(entry.stored)
    if ".." in (*path.parts, *stored.parts) or not (path.parts and stored.parts):
        return False
    if stored.parts[0].startswith(MOMENT):
        return path.parts[0] in _ANEW
    return path == stored and path.parts[0] in SHARED
