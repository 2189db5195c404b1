"""Journal files: their names, their headers, and how one comes into being.

A file is called ``<start position as 20 digits>.wal``. Its first 8192 bytes are the header area:
the header at 0 and the same bytes again at 4096, the rest zero; then frames. The frame at
position p lies at ``HEADER_AREA_BYTES + p - start_position``. A file's frames end where the next
file begins; bytes behind that are ignored.

====  ====  ==================  =============================================================
at    size  field               meaning
====  ====  ==================  =============================================================
0     8     magic               ``WEIRWAL`` and a newline
8     u32   version             of this header and of the frames; ``VERSION``
12    u32   header_length       bytes of the header, the checksum included
16    16    journal_id          UTF-8, padded with zero bytes
32    16    seed                random; where the frames' checksums start
48    u64   start_position      position of the first frame
56    u64   start_offset        events in the journal before it
64    i64   received_floor_us   frames appended to this file are not received before this
72    i64   created_at          microseconds since 1970 in UTC
80    u32   checksum            CRC32C of the header before this field
====  ====  ==================  =============================================================

Magic, version, header_length and a checksum at the end stay where they are in every version.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from struct import Struct

import google_crc32c
import msgspec

from weir.errors import Corrupt, InvalidInput
from weir.journal.disk import Disk
from weir.journal.frame import Mark

VERSION = 1
MAGIC = b"WEIRWAL\n"
HEADER_COPY_AT = 4096
HEADER_AREA_BYTES = 2 * HEADER_COPY_AT
JOURNAL_ID_BYTES_MAX = 16

_START = Struct("<8sII")
_FIELDS = Struct("<16s16sQQqq")
_CHECKSUM = Struct("<I")
_HEADER_BYTES = _START.size + _FIELDS.size + _CHECKSUM.size
_NAME = re.compile(r"(\d{20})\.wal")
_TEMPORARY = ".next.tmp"


class FileHeader(msgspec.Struct, frozen=True):
    """The header of a journal file."""

    journal_id: str
    seed: bytes
    start: Mark
    received_floor_us: int
    created_at_us: int


def file_name(start_position: int) -> str:
    """Name of the file whose first frame lies at ``start_position``."""
    return f"{start_position:020d}.wal"


def file_starts(names: Iterable[str]) -> list[int]:
    """Base positions of the journal files among the names, ascending; other names are ignored."""
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def encode_header(header: FileHeader) -> bytes:
    """The header area. ``InvalidInput`` when the journal's id is longer than 16 bytes."""
    journal_id = header.journal_id.encode()
    if len(journal_id) > JOURNAL_ID_BYTES_MAX:
        raise InvalidInput(
            f"The journal id {header.journal_id!r} is too long.",
            hint=f"Name the journal's directory with at most {JOURNAL_ID_BYTES_MAX} bytes.",
        )
    start = _START.pack(MAGIC, VERSION, _HEADER_BYTES)
    stem = start + _FIELDS.pack(
        journal_id,
        header.seed,
        header.start.position,
        header.start.offset,
        header.received_floor_us,
        header.created_at_us,
    )
    whole = stem + _CHECKSUM.pack(google_crc32c.value(stem))
    return whole.ljust(HEADER_COPY_AT, b"\0") * 2


def decode_header(area: bytes, *, name: str) -> FileHeader | None:
    """The header out of a file's first bytes; None when both copies are damaged.

    ``Corrupt`` with the code ``journal_version`` when a newer program wrote the file ``name``.
    """
    for at in (0, HEADER_COPY_AT):
        header = _decode_copy(area[at : at + HEADER_COPY_AT], name)
        if header is not None:
            return header
    return None


def read_header(disk: Disk, descriptor: int, path: Path) -> FileHeader | None:
    """The header of an open file; None when it is damaged.

    ``Corrupt`` when the file belongs elsewhere (``journal_misplaced``) or to a newer program.
    """
    header = decode_header(disk.read(descriptor, HEADER_AREA_BYTES, 0), name=path.name)
    if header is None:
        return None
    rightful = f"{header.journal_id}/{file_name(header.start.position)}"
    if rightful != f"{path.parent.name}/{path.name}":
        raise Corrupt(
            f"{path} is a journal file that was moved: it says it is {rightful}.",
            code="journal_misplaced",
            hint="Give it its own name and directory again.",
        )
    return header


def _decode_copy(copy: bytes, name: str) -> FileHeader | None:
    if len(copy) < _HEADER_BYTES:
        return None
    magic, version, length = _START.unpack_from(copy)
    if magic != MAGIC or not _START.size + _CHECKSUM.size <= length <= len(copy):
        return None
    checksum_at = length - _CHECKSUM.size
    if google_crc32c.value(copy[:checksum_at]) != _CHECKSUM.unpack_from(copy, checksum_at)[0]:
        return None
    if version != VERSION:
        raise Corrupt(
            f"Journal file {name} has format version {version}; this program reads {VERSION}.",
            code="journal_version",
            hint=f"Start a Weir that reads version {version} of journal files, or restore a backup"
            " made before the upgrade.",
        )
    journal_id, seed, position, offset, floor_us, created_at_us = _FIELDS.unpack_from(
        copy, _START.size
    )
    return FileHeader(
        journal_id=journal_id.rstrip(b"\0").decode(),
        seed=seed,
        start=Mark(position, offset),
        received_floor_us=floor_us,
        created_at_us=created_at_us,
    )


def start_file(
    disk: Disk,
    directory: Path,
    header: FileHeader,
    *,
    file_bytes: int,
    frames: Sequence[bytes] = (),
) -> int:
    """A descriptor of a new journal file that holds ``frames`` and is durable under its name.

    It is complete before it gets its name, so a crash leaves it whole or not there. A file with
    the same start is replaced. Raises ``OSError``.
    """
    temporary = directory / _TEMPORARY
    descriptor = disk.create(temporary, file_bytes=max(file_bytes, HEADER_AREA_BYTES))
    try:
        disk.write(descriptor, [encode_header(header), *frames], 0)
        disk.sync(descriptor)
        disk.rename(temporary, directory / file_name(header.start.position))
        disk.sync_directory(directory)
    except BaseException:
        disk.close(descriptor)
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise
    return descriptor
