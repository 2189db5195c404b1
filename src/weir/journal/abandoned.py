"""Journals without a writer: a node may have fewer edge workers than it had.

The state file is a lower bound after a power cut, and only recovery finds the durable end again.
A worker recovers its own journal when it opens it; for one that no worker opens, a reader does.
"""

from pathlib import Path

from weir.clock import Clock
from weir.errors import Conflict
from weir.journal.disk import LOCAL_DISK, Disk
from weir.journal.file import HEADER_AREA_BYTES, file_starts
from weir.journal.opening import open_journal


def recover_abandoned(
    directory: Path, *, quarantine: Path, clock: Clock, disk: Disk = LOCAL_DISK
) -> bool:
    """Makes a journal without a writer whole and publishes its end, as a writer would.

    False when there is nothing to do: a writer holds the journal, or none has begun it. Holds the
    journal's lock meanwhile: a worker that starts must try for longer than this takes, about a
    second per 64 MiB of the newest file that the state does not vouch for. Needs little space, so
    that a full disk can be read. Raises as ``JournalWriter.open`` does, but ``OSError`` itself.
    """
    if not file_starts(disk.names(directory)):
        return False
    try:
        opened = open_journal(
            directory, quarantine=quarantine, clock=clock, file_bytes=HEADER_AREA_BYTES, disk=disk
        )
    except Conflict as error:
        if error.code != "locked":
            raise
        return False
    try:
        disk.close(opened.recovered.descriptor)
    finally:
        opened.state.close()
        opened.lock.release()
    return True
