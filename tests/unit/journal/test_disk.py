"""The machine's own disk."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from weir.journal.disk import PARTS_MAX, LocalDisk

DISK = LocalDisk()


@pytest.mark.parametrize("size", [10, 1000])
def test_parts_lie_one_after_the_other(tmp_path: Path, size: int) -> None:
    """Many parts, small or large, more than one system call takes."""
    parts = [bytes([number % 251]) * size for number in range(2 * PARTS_MAX + 3)]
    descriptor = DISK.create(tmp_path / "file", file_bytes=4096)
    DISK.write(descriptor, parts, 100)
    DISK.sync(descriptor)
    whole = b"".join(parts)
    assert DISK.read(descriptor, len(whole) + 5, 100) == whole
    DISK.close(descriptor)


def test_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes less than it was given is given the rest."""
    real = os.pwritev

    def take_little(descriptor: int, parts: Sequence[bytes], at: int) -> int:
        return real(descriptor, [b"".join(parts)[:1000]], at)

    monkeypatch.setattr(os, "pwritev", take_little)
    parts = [b"a" * 200_000, b"b" * 200_000]
    descriptor = DISK.create(tmp_path / "file", file_bytes=4096)
    DISK.write(descriptor, parts, 0)
    assert DISK.read(descriptor, 400_000, 0) == b"".join(parts)
    DISK.close(descriptor)


def test_reserved_space_is_not_content(tmp_path: Path) -> None:
    """Recovery need not read what was never written."""
    descriptor = DISK.create(tmp_path / "file", file_bytes=1 << 24)
    assert DISK.size(descriptor) == 1 << 24
    DISK.write(descriptor, [b"x"], 5_000_000)
    assert 5_000_001 <= DISK.content_end(descriptor) <= 1 << 24
    DISK.sync(descriptor)
    assert 5_000_001 <= DISK.content_end(descriptor) <= 1 << 24
    DISK.close(descriptor)
