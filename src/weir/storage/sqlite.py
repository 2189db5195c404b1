"""SQLite by the standard library alone, for those who must start without SQLAlchemy.

The supervisor asks before it starts anything, and ``weir doctor`` must not depend on what it
examines. Reads only. Source: sqlite.org/wal.html (the versions whose WAL is safe).
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

WAL_SAFE_FROM: Final = (3, 51, 3)
"""The version from which on resetting the WAL cannot corrupt the database."""

VERSION: Final = sqlite3.sqlite_version

SqliteError = sqlite3.Error


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
