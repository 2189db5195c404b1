"""SQLite by the standard library alone, for those who must start without SQLAlchemy.

The supervisor asks before it starts anything, and ``weir doctor`` must not depend on what it
examines. Reads only. Source: sqlite.org/wal.html (the versions whose WAL is safe).

Migrations are numbered files ``versions/NNNN_words.py`` whose ``revision`` is ``NNNN``, so that
the newest one is known from the names alone.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weir.errors import Conflict

WAL_SAFE_FROM: Final = (3, 51, 3)
"""The version from which on resetting the WAL cannot corrupt the database."""

VERSION: Final = sqlite3.sqlite_version

VERSION_TABLE: Final = "alembic_version"
"""The table that names the newest migration of a database."""

SqliteError = sqlite3.Error

_HAS_REVISION = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
_REVISION = "SELECT version_num FROM alembic_version"


def is_wal_safe() -> bool:
    """Whether this library's WAL can be used."""
    return sqlite3.sqlite_version_info >= WAL_SAFE_FROM


@contextlib.contextmanager
def reading(path: Path, *, wait_s: float) -> Iterator[sqlite3.Connection]:
    """A connection to a database that is there, for SELECTs; raises ``SqliteError``.

    A commit that was broken off is rolled back by the first that looks, so the file may be written.
    ``wait_s`` is how long a writer is waited for.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=wait_s)) as database:
        yield database


def revisions_in(migrations: Path) -> list[str]:
    """The revisions that this version of Weir knows of a database, oldest first."""
    return sorted(path.name[:4] for path in (migrations / "versions").glob("[0-9]*_*.py"))


def check_revision(path: Path, migrations: Path, *, wait_s: float) -> None:
    """Raises ``Conflict`` (``newer_database``) for a database that a newer version has written.

    One that is not there, empty or cannot be read is left to whoever opens it.
    """
    if not path.exists():
        return
    try:
        with reading(path, wait_s=wait_s) as database:
            if database.execute(_HAS_REVISION).fetchone() is None:
                return
            found = database.execute(_REVISION).fetchone()
    except sqlite3.Error:
        return
    known = revisions_in(migrations)
    if found is not None and found[0] not in known:
        raise newer_database(str(path), found[0], newest=known[-1])


def newer_database(name: str, revision: str, *, newest: str) -> Conflict:
    """The error for a database of a revision that this version of Weir does not know."""
    return Conflict(
        f"The database {name} was written by a newer version of Weir: it has revision {revision},"
        f" and this version knows revisions up to {newest}.",
        code="newer_database",
        hint="Run the version of Weir that wrote it or a newer one, or restore a backup made"
        " before the upgrade.",
    )


def quick_check(path: Path) -> str:
    """Reads the whole file without changing it; returns ``ok``, or what is wrong with it.

    With a hot journal beside it that is left to the next start.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            [(told,)] = database.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        return str(error)
    return str(told)
