"""What the loader shows of the disk that its node lives on."""

import contextlib
import os

from weir.node.directory import Directory
from weir.telemetry import DISK_FREE_BYTES, JOURNAL_FILES


def show_disk(directory: Directory) -> None:
    """Sets the gauges of free room and of journal files; a disk that cannot be asked keeps them."""
    with contextlib.suppress(OSError):
        disk = os.statvfs(directory.root)
        DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize)
        JOURNAL_FILES.set(sum(1 for _ in directory.journals.glob("*/*.wal")))
