"""Expiry: journal files that the lake has committed are removed."""

from itertools import pairwise
from pathlib import Path

from weir.journal.disk import LOCAL_DISK, Disk
from weir.journal.file import file_name, file_starts
from weir.telemetry import Happening, emit


def expire(directory: Path, *, below_position: int, disk: Disk = LOCAL_DISK) -> int:
    """Removes the files whose frames all lie below a position; returns how many.

    The newest file stays whatever the position. Removes oldest first, so that a crash in the
    middle leaves no hole; repeating it is fine. Raises ``OSError``.
    """
    removed = 0
    for start, next_start in pairwise(file_starts(disk.names(directory))):
        if next_start > below_position:
            break
        disk.remove(directory / file_name(start))
        removed += 1
    if removed:
        disk.sync_directory(directory)
        emit(
            Happening.JOURNAL_EXPIRED,
            journal=directory.name,
            files=removed,
            below_position=below_position,
        )
    return removed
