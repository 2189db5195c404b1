"""Whether this program knows the formats of a node's journals, asked before anything is begun.

Reads the head of every file; nothing is changed, and what is damaged, has no head yet or cannot be
read is left to recovery and to the readers.
"""

from pathlib import Path

from weir.journal.disk import LOCAL_DISK, Disk
from weir.journal.file import HEADER_AREA_BYTES, decode_header, file_name, file_starts
from weir.journal.state import STATE_NAME, check_state_version


def check_journals(journals: Path, *, disk: Disk = LOCAL_DISK) -> None:
    """Raises ``Corrupt`` (``journal_version``) when a newer version has written one of them.

    ``journals`` is the folder that holds them, and need not be there.
    """
    for directory in sorted(journals / name for name in _names(journals, disk)):
        names = _names(directory, disk)
        if STATE_NAME in names:
            check_state_version(_beginning(directory / STATE_NAME, disk), directory / STATE_NAME)
        for start in file_starts(names):
            path = directory / file_name(start)
            decode_header(_beginning(path, disk), name=str(path))


def _names(directory: Path, disk: Disk) -> list[str]:
    try:
        return disk.names(directory)
    except OSError:
        return []


def _beginning(path: Path, disk: Disk) -> bytes:
    try:
        descriptor = disk.open(path)
    except OSError:
        return b""
    try:
        return disk.read(descriptor, HEADER_AREA_BYTES, 0)
    except OSError:
        return b""
    finally:
        disk.close(descriptor)
