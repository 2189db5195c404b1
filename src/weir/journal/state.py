"""The state file: how far a journal is durable, for readers in other processes.

``state`` is 64 bytes, mapped by the writer and by every reader: the magic ``WEIRJST`` and a
newline at 0, a u32 version at 8, and from 16 on aligned 8-byte words, little-endian:

====  =================  ===================================================================
at    word               meaning
====  =================  ===================================================================
16    position           bytes of frames known durable
24    offset             events in them
32    received_floor_us  the next frame is not received before this
40    checksum           CRC32C of the three words before
48    writing_since_us   0, or a time at or before ``received_at`` of every frame being written
56    boot               number of the boot in which a writer last opened the journal
====  =================  ===================================================================

The writer stores the first three after the ``fdatasync`` that covers them and never syncs this
file: whatever the kernel wrote back was true when it was stored, so after a power cut it is a
lower bound: ``is_current`` tells whether there was none since. A reader that meets words that are
half stored sees it by the checksum.
"""

import mmap
from functools import cache
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple, Self

import google_crc32c

from weir.errors import Corrupt
from weir.journal.frame import Mark
from weir.storage.local import write_durable

STATE_NAME = "state"
STATE_BYTES = 64
STATE_VERSION = 1
_MAGIC = b"WEIRJST\n"
_START = Struct("<8sI4x")
_WORDS = Struct("<QQq")
_WORD = Struct("<Q")
_WORDS_AT = 16
_CHECKSUM_AT = 40
_WRITING_AT = 48
_BOOT_AT = 56
_TRIES = 64
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT_DIGITS = 16


class Published(NamedTuple):
    """What the writer has told its readers: the durable end, and the time of what follows."""

    end: Mark
    received_floor_us: int


@cache
def boot_number() -> int:
    """A number, not 0, that the machine has from one start of its kernel to the next."""
    try:
        digits = _BOOT_ID.read_text().replace("-", "")
    except OSError:  # none to be had: as if the machine had never been off
        return 1
    return int(digits[:_BOOT_DIGITS], 16) or 1


class JournalState:
    """One process's mapping of a journal's state file. Only the writer may call ``publish``."""

    __slots__ = ("_view",)

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Opens the state file that the writer made, for a reader.

        ``FileNotFoundError`` when there is none, ``ValueError`` when it is damaged, ``Corrupt``
        with the code ``journal_version`` when a newer program made it.
        """
        with (directory / STATE_NAME).open("rb") as file:
            return cls(_checked(file, mmap.ACCESS_READ))

    @classmethod
    def open_or_create(cls, directory: Path) -> Self:
        """Opens the state file for the writer; a damaged or missing one is made anew, empty."""
        path = directory / STATE_NAME
        try:
            with path.open("r+b") as file:
                return cls(_checked(file, mmap.ACCESS_WRITE))
        except (FileNotFoundError, ValueError):
            words = bytes(STATE_BYTES - _START.size)
            write_durable(path, [_START.pack(_MAGIC, STATE_VERSION), words])
        with path.open("r+b") as file:
            return cls(_checked(file, mmap.ACCESS_WRITE))

    def published(self) -> Published | None:
        """The last that was published; None while it is being stored or if it is damaged."""
        view = self._view
        for _ in range(_TRIES):
            words = view[_WORDS_AT:_CHECKSUM_AT]
            if _WORD.unpack_from(view, _CHECKSUM_AT)[0] == _checksum(words):
                position, offset, received_floor_us = _WORDS.unpack(words)
                return Published(Mark(position, offset), received_floor_us)
        return None

    def publish(self, end: Mark, received_floor_us: int) -> None:
        """Tells readers of a durable end; the caller has synced everything before it."""
        words = _WORDS.pack(end.position, end.offset, received_floor_us)
        _WORDS.pack_into(self._view, _WORDS_AT, end.position, end.offset, received_floor_us)
        _WORD.pack_into(self._view, _CHECKSUM_AT, _checksum(words))

    @property
    def writing_since_us(self) -> int:
        """0 when nothing is being written; read it before ``published`` to bound a watermark."""
        since_us: int = _WORD.unpack_from(self._view, _WRITING_AT)[0]
        return since_us

    @writing_since_us.setter
    def writing_since_us(self, now_us: int) -> None:
        _WORD.pack_into(self._view, _WRITING_AT, now_us)

    @property
    def is_current(self) -> bool:
        """Whether what is published is the whole truth; False once the power was cut.

        Then it is a lower bound until the journal is recovered.
        """
        return bool(_WORD.unpack_from(self._view, _BOOT_AT)[0] == boot_number())

    def make_current(self) -> None:
        """The journal was recovered in this boot, and its end is published."""
        _WORD.pack_into(self._view, _BOOT_AT, boot_number())

    def close(self) -> None:
        """Gives the mapping back; the kernel writes it to the disk in its own time."""
        self._view.close()


def check_state_version(content: bytes, path: Path) -> None:
    """Raises ``Corrupt`` (``journal_version``) for a state file of a newer version.

    What is no state file is made anew by whoever writes the journal.
    """
    if len(content) < _START.size:
        return
    magic, version = _START.unpack_from(content)
    if magic == _MAGIC and version != STATE_VERSION:
        raise Corrupt(
            f"{path} has format version {version}; this program reads {STATE_VERSION}.",
            code="journal_version",
            hint=f"Start a Weir that reads version {version} of a journal's state. If none has"
            " ever run here, remove the file: it is made anew.",
        )


def _checked(file: BinaryIO, access: int) -> mmap.mmap:
    start = file.read(_START.size)
    check_state_version(start, Path(file.name))
    if not start.startswith(_MAGIC):
        raise ValueError(STATE_NAME)
    return mmap.mmap(file.fileno(), STATE_BYTES, access=access)


def _checksum(words: bytes) -> int:
    checksum: int = google_crc32c.value(words)
    return checksum
