"""What a backup copies anew each time, all of one moment: databases and journals.

In this order: the catalog, then the journals, then control state. Every journal so reaches at
least as far as the catalog's cut, and every project of an event is known.
"""

import contextlib
import os
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from weir.backup.copying import Advance, copy_durable, hash_of
from weir.backup.manifest import Entry
from weir.errors import Corrupt
from weir.journal.file import HEADER_AREA_BYTES, file_name, file_starts
from weir.journal.state import STATE_NAME, JournalState
from weir.node.directory import Directory
from weir.storage.local import make_directory, place_durable

_FILES = """
    SELECT path, byte_count, sha256 FROM files
    UNION ALL SELECT path, byte_count, sha256 FROM raw_files
    UNION ALL SELECT path, byte_count, sha256 FROM sidecars
    ORDER BY path
"""


class Moved(Exception):
    """Files went away between being named and being copied: begin again."""


class Listed(NamedTuple):
    """A file that the catalog names."""

    path: str
    byte_count: int
    sha256: str


def copy_moment(
    source: Directory, target: Path, folder: str, *, is_running: bool, advance: Advance
) -> tuple[list[Entry], list[Listed]]:
    """Copies databases, journals and quarantine into ``folder`` of the backup at ``target``.

    Gives the entries of these and the files that the catalog names. Raises ``Moved``, ``Corrupt``
    for a damaged database, ``OSError``.
    """
    there = Directory(target / folder)
    make_directory(there.root)
    listed: list[Listed] = []
    committed: dict[str, int] = {}
    if source.catalog_db.exists():
        _copy_database(source.catalog_db, there.catalog_db)
        listed, committed = _contents(there.catalog_db)
    for journal in sorted(source.journals.glob("*/")):
        copy = _copy_durable_part if is_running else _copy_whole
        copy(journal, there.journals / journal.name, committed.get(journal.name, 0), advance)
    for path in sorted(each for each in source.quarantine.rglob("*") if each.is_file()):
        copy_durable(path, there.root / path.relative_to(source.root), advance=advance)
    _copy_database(source.control_db, there.control_db)
    entries = []
    for path in sorted(each for each in there.root.rglob("*") if each.is_file()):
        found = hash_of(path, advance=lambda _count: None)
        name = path.relative_to(there.root).as_posix()
        entries.append(Entry(name, f"{folder}/{name}", found.byte_count, found.sha256))
    return entries, listed


def _copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use, checked."""
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    uri = f"{source.absolute().as_uri()}?mode=rw"
    try:
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True)) as reader,
            contextlib.closing(sqlite3.connect(temporary)) as writer,
        ):
            reader.execute("PRAGMA busy_timeout=30000")
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode=DELETE")
            [(told,)] = writer.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise Corrupt(
            f"{source} cannot be copied whole: {told}.",
            code="source_damaged",
            hint="weir doctor looks at it while the node is stopped; an earlier backup is intact.",
        )
    place_durable(temporary, target)


def _contents(catalog: Path) -> tuple[list[Listed], dict[str, int]]:
    """The files that a catalog names, and up to where each journal is in the lake."""
    uri = f"{catalog.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        listed = [Listed(*row) for row in database.execute(_FILES)]
        return listed, dict(database.execute("SELECT id, position FROM journals"))


def _copy_durable_part(journal: Path, target: Path, position: int, advance: Advance) -> None:
    """Copies a journal that is being written, from the file of ``position`` to its durable end."""
    try:
        state = JournalState.open(journal)
    except (FileNotFoundError, ValueError):  # its writer has yet to make it
        return
    with contextlib.closing(state):
        published = state.published()
    if published is None:
        raise Moved
    end = published.end.position
    starts = [start for start in _starts(journal) if start <= end]
    if not starts and not end:  # made just now
        return
    if not starts or starts[0] > position:
        raise Moved
    for start, next_start in pairwise([*starts, end]):
        is_newest = start == starts[-1]
        if next_start > position or is_newest:
            _copy_file(journal, target, start, HEADER_AREA_BYTES + next_start - start, advance)
    make_directory(target)
    state = JournalState.open_or_create(target)
    with contextlib.closing(state):
        state.publish(published.end, published.received_floor_us)
    place_durable(target / STATE_NAME, target / STATE_NAME)  # in its place; now synced too


def _copy_whole(journal: Path, target: Path, position: int, advance: Advance) -> None:
    """Copies a journal that nobody writes as it is: what is durable, recovery finds out."""
    starts = _starts(journal)
    for start, next_start in pairwise([*starts, 1 << 63]):
        if next_start > position:
            _copy_file(journal, target, start, None, advance)
    if starts and (journal / STATE_NAME).exists():
        copy_durable(journal / STATE_NAME, target / STATE_NAME, advance=advance)


def _starts(journal: Path) -> list[int]:
    return file_starts(entry.name for entry in journal.iterdir())


def _copy_file(
    journal: Path, target: Path, start: int, length: int | None, advance: Advance
) -> None:
    name = file_name(start)
    try:
        copied = copy_durable(journal / name, target / name, length=length, advance=advance)
    except FileNotFoundError as error:
        raise Moved from error
    if copied is None:
        raise Moved
