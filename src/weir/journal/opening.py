"""Taking a journal over: its lock, its state, and what recovery makes of its files."""

from pathlib import Path
from typing import NamedTuple

from weir.clock import Clock
from weir.journal.disk import Disk
from weir.journal.recovery import Recovered, recover
from weir.journal.state import JournalState
from weir.storage.local import FileLock

LOCK_NAME = "lock"


class Opened(NamedTuple):
    """A journal that is whole, whose durable end is published, and that nobody else may write.

    Whoever gets it closes the descriptor, then the state, and releases the lock last.
    """

    lock: FileLock
    state: JournalState
    recovered: Recovered


def open_journal(
    directory: Path, *, quarantine: Path, clock: Clock, file_bytes: int, disk: Disk
) -> Opened:
    """Takes the lock, recovers what the last writer left, starts a fresh file, publishes its end.

    ``Conflict`` (``locked``) while another process holds the journal; ``OSError`` when the disk
    refuses; ``Corrupt`` as in ``recovery.recover``.
    """
    lock = FileLock(directory / LOCK_NAME, purpose=f"Journal {directory.name}")
    lock.acquire()
    try:
        state = JournalState.open_or_create(directory)
        recovered = recover(
            directory,
            quarantine=quarantine,
            disk=disk,
            known=state.published(),
            now_us=clock.now_us(),
            file_bytes=file_bytes,
        )
    except BaseException:
        lock.release()
        raise
    state.publish(recovered.end, recovered.received_floor_us)
    state.writing_since_us = 0
    state.make_current()
    return Opened(lock, state, recovered)
