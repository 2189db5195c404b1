"""What the loader shows of its memory and of the disk that its node lives on."""

import contextlib
import os

from weir.loader.tail.view import View
from weir.node.directory import Directory
from weir.telemetry import DISK_FREE_BYTES, JOURNAL_FILES, TAIL_BYTES


def show_gauges(directory: Directory, view: View) -> None:
    """Sets the gauges of the tail, of free room and of journal files.

    Those of a disk that cannot be asked keep their values.
    """
    TAIL_BYTES.set(view.byte_count)
    with contextlib.suppress(OSError):
        disk = os.statvfs(directory.root)
        DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize)
        JOURNAL_FILES.set(sum(1 for _ in directory.journals.glob("*/*.wal")))
