"""Opens a database of the node, catalog or control state, and brings its tables to this version.

SQLite is opened so that a commit survives a power cut: ``synchronous=FULL``, in WAL where the
library is free of the WAL-reset corruption (fixed in 3.51.3), otherwise with a rollback journal
that is truncated. With ``journal_mode=DELETE`` the last commit could be undone by a journal that
comes back after a power cut; truncation is synced. Sources: sqlite.org/pragma.html (synchronous),
sqlite.org/wal.html.

Which migrations there are is known from their files' names alone (``sqlite.py``), and Alembic is
loaded only when there is work. An empty database gets the newest tables at once: a first start need
not wait for Alembic.
"""

import contextlib
import os
import sqlite3
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

from weir.storage.sqlite import VERSION_TABLE, is_wal_safe, newer_database, revisions_in

BUSY_TIMEOUT_MS = 10_000

_BEGIN_OPTION = "weir_begin"
_VERSION = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


@dataclass(frozen=True, slots=True)
class Newest:
    """What all migrations together make of an empty database; a test compares the two."""

    tables: MetaData
    rows: Mapping[Table, Mapping[str, object]]
    """The row that each of these tables begins with."""


def sqlite_url(path: Path) -> URL:
    """The URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path.absolute()))


def open_engine(url: str | URL) -> Engine:
    """An engine for the database at ``url``; nothing is connected yet.

    A SQLite file is made (0600) when it is missing, every transaction begins explicitly (so that
    changes of tables roll back too), and a locked database is waited for ``BUSY_TIMEOUT_MS``.
    Any other database is opened as its driver does.
    """
    parsed = make_url(url)
    engine = create_engine(parsed, hide_parameters=True)
    if parsed.get_backend_name() != "sqlite":
        return engine
    if parsed.database and parsed.database != ":memory:":
        os.close(os.open(parsed.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextlib.contextmanager
def begin_write(engine: Engine) -> Generator[Connection]:
    """A transaction that is going to write: committed at the end, rolled back on an error.

    On SQLite it takes the write lock at once: a transaction that read first and asked for the
    lock later would fail instead of waiting.
    """
    with engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"}).begin() as connection:
        yield connection


def migrate(engine: Engine, script_location: Path, *, newest: Newest | None = None) -> None:
    """Brings the tables to the newest revision of ``script_location/versions``, all or nothing.

    Cheap when they are there already, and for an empty database when ``newest`` is told. Raises
    ``Conflict`` (``newer_database``) for a database that a newer version of Weir has written.
    """
    revisions = revisions_in(script_location)
    with engine.connect() as connection:
        current = _current_revision(connection)
    if current == revisions[-1]:
        return
    if newest is not None and _make_tables(engine, newest, revision=revisions[-1]):
        return
    if current is not None and current not in revisions:
        name = engine.url.database or engine.url.render_as_string()
        raise newer_database(name, current, newest=revisions[-1])
    _upgrade(engine, script_location)


def _make_tables(engine: Engine, newest: Newest, *, revision: str) -> bool:
    """Makes the newest tables in an empty database; False when it is not empty."""
    with begin_write(engine) as connection:
        if inspect(connection).get_table_names():
            return False
        newest.tables.create_all(connection, checkfirst=False)
        _VERSION.create(connection)
        rows = {_VERSION: {"version_num": revision}, **newest.rows}
        for table, row in rows.items():
            connection.execute(table.insert().values(row))
    return True


def _prepare_sqlite(raw: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # None: sqlite3 begins nothing by itself; it would leave DDL outside of transactions.
    raw.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"journal_mode={'WAL' if is_wal_safe() else 'TRUNCATE'}",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        raw.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN"))


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # a constant
    return revision


def _upgrade(engine: Engine, script_location: Path) -> None:
    # Imported here: 0.2 s that a start without migrations need not pay.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(script_location))
    with (
        begin_write(engine) as connection,
        EnvironmentContext(
            Config(),
            script,
            fn=lambda revision, _: script._upgrade_revs("head", revision),
        ) as environment,
    ):
        environment.configure(
            connection=connection, version_table=VERSION_TABLE, transactional_ddl=True
        )
        environment.run_migrations()
