"""The node's own disk as the place of lake files; docs/formats/lake.md tells the paths."""

import contextlib
import os
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from weir.storage.local import make_directory, sync_directory, write_durable


class LocalStore:
    """Files under the node's directory, named by relative paths; they are never changed."""

    __slots__ = ("_prepared", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prepared: set[Path] = set()

    def locate(self, path: str) -> Path:
        """Where a file lies, for readers that map it."""
        return self._root / path

    def write(self, path: str, content: bytes | memoryview) -> None:
        """Writes a file durably, directories included. Raises ``OSError``."""
        target = self._root / path
        self._prepare(target.parent)
        write_durable(target, [content])

    def read(self, path: str) -> bytes:
        """The whole file. Raises ``OSError``."""
        return (self._root / path).read_bytes()

    def digest(self, path: str) -> str:
        """The SHA-256 of the whole file, read in parts. Raises ``OSError``."""
        with (self._root / path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def remove(self, path: str) -> None:
        """Removes a file durably; one that is gone already is fine.

        That one's directory is synced too: an earlier attempt may have failed there.
        """
        target = self._root / path
        with contextlib.suppress(FileNotFoundError):
            target.unlink(missing_ok=True)
            sync_directory(target.parent)

    def names(self, directory: str) -> list[str]:
        """The paths of the files in one directory, sorted; none when it does not exist."""
        where = self._root / directory
        if not where.is_dir():
            return []
        return sorted(f"{directory}/{entry.name}" for entry in where.iterdir() if entry.is_file())

    def walk(self, directory: str) -> Iterator[tuple[str, int]]:
        """Every file below a directory and when it was last changed, in microseconds."""
        for where, _, names in os.walk(self._root / directory):
            for name in names:
                path = Path(where, name)
                with contextlib.suppress(FileNotFoundError):
                    yield str(path.relative_to(self._root)), path.stat().st_mtime_ns // 1000

    def _prepare(self, directory: Path) -> None:
        """Makes a directory durable once, and frees it of what a killed process left there."""
        if directory in self._prepared and directory.is_dir():
            return
        make_directory(directory)
        for stray in directory.glob(".*.tmp"):
            stray.unlink(missing_ok=True)
        self._prepared.add(directory)
