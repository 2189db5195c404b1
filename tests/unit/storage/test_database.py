"""Databases: durable settings of SQLite, transactions that roll back whole, migrations."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from weir.errors import Conflict
from weir.storage import database
from weir.storage.database import begin_write, migrate, open_engine, sqlite_url

REVISION = '''"""{words}"""

from alembic import op

revision = "{revision}"
down_revision = {down!r}


def upgrade() -> None:
    op.execute("CREATE TABLE t{revision} (n INTEGER)")
    {more}
'''


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(sqlite_url(tmp_path / "odd ?#%.db"))
    yield opened
    opened.dispose()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    write_revision(tmp_path / "scripts", "0001", None)
    return tmp_path / "scripts"


def write_revision(scripts: Path, revision: str, down: str | None, *, more: str = "pass") -> None:
    """Adds a migration that makes table ``t<revision>``."""
    (scripts / "versions").mkdir(parents=True, exist_ok=True)
    (scripts / "versions" / f"{revision}_words.py").write_text(
        REVISION.format(words="Words.", revision=revision, down=down, more=more)
    )


def tables(engine: Engine) -> set[str]:
    """The names of the tables in the database."""
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        return set(names)


def pragma(engine: Engine, name: str) -> object:
    """The value of a pragma in a new transaction."""
    with engine.connect() as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


def test_sqlite_is_opened_for_durable_commits(engine: Engine) -> None:
    """Full syncs, foreign keys and a timeout hold on every connection."""
    assert pragma(engine, "synchronous") == 2
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "busy_timeout") == database.BUSY_TIMEOUT_MS


@pytest.mark.parametrize(("version", "mode"), [((3, 51, 2), "truncate"), ((3, 51, 3), "wal")])
def test_wal_is_used_only_where_its_reset_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], mode: str
) -> None:
    """Before SQLite 3.51.3 the rollback journal is used, also for a file that was in WAL."""
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE t (n)")
    raw.close()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert pragma(open_engine(sqlite_url(path)), "journal_mode") == mode


def test_sqlite_file_is_private(engine: Engine) -> None:
    """Only the owner may read a database."""
    assert engine.url.database is not None
    assert stat.S_IMODE(Path(engine.url.database).stat().st_mode) == 0o600


def test_failed_transaction_takes_its_tables_back(engine: Engine) -> None:
    """Changes of tables roll back with the rest."""

    def fail_after_create() -> None:
        with begin_write(engine) as connection:
            connection.execute(text("CREATE TABLE t (n INTEGER)"))
            raise LookupError

    with pytest.raises(LookupError):
        fail_after_create()
    assert tables(engine) == set()


def test_writer_holds_the_lock_from_its_first_statement(engine: Engine) -> None:
    """Two writers never both read and then fail: the second waits at its beginning."""
    with begin_write(engine) as connection:
        connection.execute(text("SELECT 1"))
        other = sqlite3.connect(str(engine.url.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_migrations_run_once_and_in_order(engine: Engine, scripts: Path) -> None:
    """From empty, again, and with a revision added later."""
    migrate(engine, scripts)
    migrate(engine, scripts)
    write_revision(scripts, "0002", "0001")
    migrate(engine, scripts)
    assert tables(engine) == {"alembic_version", "t0001", "t0002"}


def test_failed_migration_changes_nothing(engine: Engine, scripts: Path) -> None:
    """All revisions of one run are one transaction."""
    write_revision(scripts, "0002", "0001", more='op.execute("SELECT * FROM nowhere")')
    with pytest.raises(Exception, match="nowhere"):
        migrate(engine, scripts)
    assert tables(engine) == set()


def test_newer_database_is_refused_with_a_way_out(engine: Engine, scripts: Path) -> None:
    """An older program says what to do and leaves the database alone."""
    write_revision(scripts, "0002", "0001")
    migrate(engine, scripts)
    (scripts / "versions" / "0002_words.py").unlink()
    with pytest.raises(Conflict, match=r"revision 0002.*newer one") as caught:
        migrate(engine, scripts)
    assert caught.value.code == "newer_database"
