"""The board: numbers that the processes of one node tell each other without asking.

A file of 8-byte slots in ``run/``, mapped by every process. Each slot has one writer; a reader
sees the old value or the new one, never a mixture (aligned 8-byte stores). It is rebuilt at every
start, so nothing durable lives here. Source: docs/decisions/0002-registry-by-epoch.md.
"""

import mmap
import struct
from enum import IntEnum
from pathlib import Path
from typing import Self

_SLOT = struct.Struct("<q")
SLOT_COUNT = 512
BOARD_BYTES = SLOT_COUNT * _SLOT.size


class Slot(IntEnum):
    """The numbers of a board, each with its writer. Times are microseconds of the wall clock."""

    REGISTRY_EPOCH = 0
    """api: the epoch of the published registry; 0 before the first one. At a start the supervisor
    stores that of the last life's, if that is still right."""
    API_READY = 1
    """api: 1 while it serves and a query would find a worker."""
    LOADER_READY = 2
    """loader: 1 while it answers; ``WATERMARK_US`` tells how far."""
    UPTIME_PPM = 3
    """api: share of the last 30 days, or of the time since the first start, in which the node was
    up, in millionths; 0 before the first figure."""
    COMMIT_ID = 4
    """loader: the last lake commit."""
    WATERMARK_US = 5
    """loader: every event received before it is visible to queries."""
    DRAINING = 6
    """supervisor: 1 once the node is stopping."""
    LOADER_EXIT = 7
    """supervisor: exit code of the last loader, the negative number of a signal; 0 before."""
    EDGE_READY = 16
    """edge worker i writes slot 16 + i: 1 while it accepts (at most ``WORKERS_MAX`` workers)."""


class Board:
    """One process's mapping of the board."""

    __slots__ = ("_view",)

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view

    @classmethod
    def create(cls, path: Path) -> Self:
        """Makes a board with every slot 0, replacing what stood there."""
        path.unlink(missing_ok=True)
        path.write_bytes(bytes(BOARD_BYTES))
        path.chmod(0o600)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The board that the supervisor made; ``FileNotFoundError`` when there is none."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), BOARD_BYTES))

    def get(self, slot: int) -> int:
        """The slot's value, a signed 64-bit integer."""
        value: int = _SLOT.unpack_from(self._view, slot * 8)[0]
        return value

    def set(self, slot: int, value: int) -> None:
        """Stores a signed 64-bit integer; only the slot's one writer may."""
        _SLOT.pack_into(self._view, slot * 8, value)
