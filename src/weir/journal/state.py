"""The state file: how far a journal is durable, for readers in other processes.

``state`` is 64 bytes, mapped by the writer and by every reader: the magic ``WEIRJST`` and a
newline at 0, a u32 version at 8, and from 16 on four aligned 8-byte words, little-endian:

====  ===============  =====================================================================
at    word             meaning
====  ===============  =====================================================================
16    position         bytes of frames known durable
24    offset           events in them
32    checksum         CRC32C of the two words before
40    writing_since    0, or a time in microseconds at or before ``received_at`` of every frame
                       that is being written
====  ===============  =====================================================================

The writer stores position and offset after the ``fdatasync`` that covers them and never syncs
this file: whatever value the kernel wrote back was true when it was stored, so after a power cut
it is a lower bound. A reader that meets a half-stored triple sees it by the checksum.
"""

import mmap
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Self

import google_crc32c

from weir.errors import Corrupt
from weir.journal.frame import Mark
from weir.storage.local import write_durable

STATE_NAME = "state"
STATE_BYTES = 64
STATE_VERSION = 1
_MAGIC = b"WEIRJST\n"
_START = Struct("<8sI4x")
_MARK = Struct("<QQ")
_WORD = Struct("<Q")
_MARK_AT = 16
_CHECKSUM_AT = 32
_WRITING_AT = 40
_TRIES = 64


class State:
    """One process's mapping of a journal's state file. Only the writer may call ``publish``."""

    __slots__ = ("_view",)

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view

    @classmethod
    def open(cls, directory: Path) -> Self:
        """For readers: the state file that the writer made.

        ``FileNotFoundError`` when there is none, ``ValueError`` when it is damaged, ``Corrupt``
        with the code ``journal_version`` when a newer program made it.
        """
        with (directory / STATE_NAME).open("rb") as file:
            return cls(_checked(file, mmap.ACCESS_READ))

    @classmethod
    def open_or_create(cls, directory: Path) -> Self:
        """For the writer: as ``open``, but one that is damaged or missing is made anew, empty."""
        path = directory / STATE_NAME
        try:
            with path.open("r+b") as file:
                return cls(_checked(file, mmap.ACCESS_WRITE))
        except (FileNotFoundError, ValueError):
            words = bytes(STATE_BYTES - _START.size)
            write_durable(path, [_START.pack(_MAGIC, STATE_VERSION), words])
        with path.open("r+b") as file:
            return cls(_checked(file, mmap.ACCESS_WRITE))

    def published(self) -> Mark | None:
        """The durable end of the journal; None while it is being stored or if it is damaged."""
        view = self._view
        for _ in range(_TRIES):
            words = view[_MARK_AT:_CHECKSUM_AT]
            if _WORD.unpack_from(view, _CHECKSUM_AT)[0] == _checksum(words):
                return Mark(*_MARK.unpack(words))
        return None

    def publish(self, mark: Mark) -> None:
        """Stores the durable end; the caller has synced everything before it."""
        words = _MARK.pack(mark.position, mark.offset)
        _MARK.pack_into(self._view, _MARK_AT, mark.position, mark.offset)
        _WORD.pack_into(self._view, _CHECKSUM_AT, _checksum(words))

    @property
    def writing_since_us(self) -> int:
        """0 when nothing is being written; read it before ``published`` to bound a watermark."""
        since_us: int = _WORD.unpack_from(self._view, _WRITING_AT)[0]
        return since_us

    @writing_since_us.setter
    def writing_since_us(self, now_us: int) -> None:
        _WORD.pack_into(self._view, _WRITING_AT, now_us)

    def close(self) -> None:
        """Gives the mapping back; the kernel writes it to the disk in its own time."""
        self._view.close()


def _checked(file: BinaryIO, access: int) -> mmap.mmap:
    view = mmap.mmap(file.fileno(), STATE_BYTES, access=access)
    magic, version = _START.unpack_from(view)
    if magic == _MAGIC and version == STATE_VERSION:
        return view
    view.close()
    if magic != _MAGIC:
        raise ValueError(STATE_NAME)
    raise Corrupt(
        f"The journal's state file has format version {version}; "
        f"this program reads {STATE_VERSION}.",
        code="journal_version",
        hint=f"Start a Weir that reads journal state version {version}.",
    )


def _checksum(words: bytes) -> int:
    checksum: int = google_crc32c.value(words)
    return checksum
