"""SQLite without SQLAlchemy: what the supervisor and doctor read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from weir.storage.sqlite import SqliteError, quick_check, reading


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one table of one row."""
    path = tmp_path / "some #1.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (7)")
        connection.commit()
    return path


def test_committed_rows_are_read(database: Path) -> None:
    """Whatever characters the path has."""
    with reading(database, wait_s=1) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(7,)]


def test_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A reader leaves nothing behind."""
    path = tmp_path / "none.db"
    with pytest.raises(SqliteError), reading(path, wait_s=0):
        pass
    assert not path.exists()


def test_damage_is_told_in_words(tmp_path: Path) -> None:
    """And soundness by one word."""
    path = tmp_path / "plain.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t SELECT zeroblob(100000)")
        connection.commit()
    assert quick_check(path) == "ok"
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    assert quick_check(path) != "ok"
    path.write_bytes(b"nothing of the kind" * 100)
    assert "not a database" in quick_check(path)
