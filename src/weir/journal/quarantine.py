"""Damaged bytes of a journal are kept aside for a person to look at; the journal stays as it is."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from weir.journal.disk import Disk
from weir.journal.file import HEADER_AREA_BYTES, file_name, file_starts
from weir.journal.walk import CHUNK_BYTES
from weir.storage.local import make_directory, write_durable


def quarantine_bytes(
    disk: Disk, directory: Path, quarantine: Path, *, position: int, next_position: int
) -> Path:
    """A durable copy of what the journal has of ``[position, next_position)``.

    Its name tells journal and range, so doing it again changes nothing. Raises ``OSError``.
    """
    target = quarantine / f"journal-{directory.name}-{position}-{next_position}.bin"
    if not target.exists():
        make_directory(quarantine)
        write_durable(target, _pieces(disk, directory, position, next_position))
    return target


def _pieces(disk: Disk, directory: Path, position: int, end: int) -> Iterator[bytes]:
    starts = file_starts(disk.names(directory))
    for start, next_start in pairwise([*starts, end]):
        first, last = max(position, start), min(end, next_start)
        if first < last:
            yield from _pieces_of_file(
                disk, directory / file_name(start), start, range(first, last)
            )


def _pieces_of_file(disk: Disk, path: Path, start: int, positions: range) -> Iterator[bytes]:
    descriptor = disk.open(path)
    try:
        for position in positions[::CHUNK_BYTES]:
            size = min(CHUNK_BYTES, positions.stop - position)
            yield disk.read(descriptor, size, HEADER_AREA_BYTES + position - start)
    finally:
        disk.close(descriptor)
