"""The local store: whole files, removals that may be repeated, no strays."""

from pathlib import Path

import pytest

from weir.lake.store import LocalStore


def test_file_is_written_read_and_removed(tmp_path: Path) -> None:
    """Directories are made as needed; removing twice is fine."""
    store = LocalStore(tmp_path)
    store.write("a/b/c", b"1")
    store.write("a/b/d", memoryview(b"22"))
    assert store.read("a/b/d") == b"22"
    assert store.locate("a/b/c") == tmp_path / "a/b/c"
    assert store.names("a/b") == ["a/b/c", "a/b/d"]
    store.remove("a/b/c")
    store.remove("a/b/c")
    assert store.names("a/b") == ["a/b/d"]
    assert store.names("nowhere") == []
    with pytest.raises(FileNotFoundError):
        store.read("a/b/c")


def test_strays_of_a_killed_writer_are_swept(tmp_path: Path) -> None:
    """Temporary files of an earlier process go with the first write beside them."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".c.123.tmp").write_bytes(b"half")
    store = LocalStore(tmp_path)
    store.write("a/c", b"whole")
    assert store.names("a") == ["a/c"]
