"""Names and headers of journal files."""

from pathlib import Path
from struct import pack

import google_crc32c
import pytest

from weir.errors import Corrupt, InvalidInput
from weir.journal.disk import LocalDisk
from weir.journal.file import (
    HEADER_AREA_BYTES,
    HEADER_COPY_AT,
    FileHeader,
    decode_header,
    encode_header,
    file_name,
    file_starts,
    read_header,
    start_file,
)
from weir.journal.frame import Mark

HEADER = FileHeader(
    journal_id="07",
    seed=bytes(range(16)),
    start=Mark(4096, 17),
    received_floor_us=1_800_000_000_000_000,
    created_at_us=1_800_000_000_000_001,
)


def test_header_comes_back_as_written() -> None:
    """The header area holds every field."""
    area = encode_header(HEADER)
    assert len(area) == HEADER_AREA_BYTES
    assert decode_header(area, name="x.wal") == HEADER


@pytest.mark.parametrize("copy_at", [0, HEADER_COPY_AT])
def test_either_copy_of_the_header_is_enough(copy_at: int) -> None:
    """Losing a whole page of the header area loses nothing."""
    area = bytearray(encode_header(HEADER))
    area[copy_at : copy_at + HEADER_COPY_AT] = b"\xff" * HEADER_COPY_AT
    assert decode_header(bytes(area), name="x.wal") == HEADER


def test_two_damaged_copies_are_no_header() -> None:
    """A header is not believed without its checksum."""
    area = bytearray(encode_header(HEADER))
    area[40] ^= 1
    area[HEADER_COPY_AT + 40] ^= 1
    assert decode_header(bytes(area), name="x.wal") is None
    assert decode_header(b"", name="x.wal") is None


def test_newer_version_is_refused_by_number() -> None:
    """A file of a newer program says which version is needed."""
    stem = pack("<8sII", b"WEIRWAL\n", 9, 24) + b"else"
    area = stem + pack("<I", google_crc32c.value(stem))
    with pytest.raises(Corrupt, match="version 9") as caught:
        decode_header(area.ljust(HEADER_COPY_AT, b"\0") * 2, name="x.wal")
    assert caught.value.code == "journal_version"


def test_moved_file_is_refused(tmp_path: Path) -> None:
    """A file under another's name is told, not read as something else."""
    disk = LocalDisk()
    directory = tmp_path / "07"
    directory.mkdir()
    descriptor = start_file(disk, directory, HEADER, file_bytes=1 << 16)
    assert read_header(disk, descriptor, directory / file_name(4096)) == HEADER
    with pytest.raises(Corrupt) as caught:
        read_header(disk, descriptor, directory / file_name(0))
    disk.close(descriptor)
    assert caught.value.code == "journal_misplaced"


def test_long_journal_id_is_refused() -> None:
    """An id that does not fit is told instead of cut."""
    header = FileHeader("a" * 17, HEADER.seed, HEADER.start, 0, 0)
    with pytest.raises(InvalidInput, match="too long"):
        encode_header(header)


def test_names_sort_by_position_and_others_are_ignored() -> None:
    """Only journal files count."""
    names = [file_name(10**19), "lock", "state", file_name(8), ".next.tmp", "8.wal"]
    assert file_starts(names) == [8, 10**19]
