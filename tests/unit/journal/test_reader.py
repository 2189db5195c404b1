"""The reader: what is durable, in order, and what is missing."""

import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.journal.fakes import (
    FILE_BYTES,
    Open,
    bodies_of,
    flip,
    newest_file,
    read_all,
    write,
)
from weir.errors import Corrupt
from weir.journal.disk import LocalDisk
from weir.journal.expiry import expire
from weir.journal.file import HEADER_AREA_BYTES, HEADER_COPY_AT, file_name
from weir.journal.frame import Mark, encode_frames, seed_checksum
from weir.journal.reader import DamagedRange, JournalReader
from weir.journal.state import JournalState

BODIES = [b"first", b"second body", b"", b'{"event":"third"}', b"x" * 41]


def test_journal_without_a_writer_is_empty(directory: Path) -> None:
    """A reader may start before the first writer."""
    directory.mkdir(parents=True)
    reader = JournalReader(directory)
    assert reader.read(0, byte_limit=1000).frames == []
    assert reader.durable_position() == 0
    assert reader.writing_since_us() == 0


def test_reader_stops_at_the_durable_position(open_writer: Open, directory: Path) -> None:
    """Whole frames behind the published position are not given out."""
    writer = open_writer()
    write(writer, *BODIES)
    frames = read_all(directory).frames
    writer.close()
    state = JournalState.open_or_create(directory)
    for count, frame in enumerate(frames):
        state.publish(Mark(frame.position, frame.offset), 0)
        assert bodies_of(read_all(directory)) == BODIES[:count]
    state.close()


@pytest.mark.parametrize("byte_limit", [1, 100, 200, 10_000])
def test_small_reads_give_the_same_frames(
    open_writer: Open, directory: Path, byte_limit: int
) -> None:
    """However little is asked for, reading moves on and misses nothing, over file changes too."""
    writer = open_writer(file_bytes=10_000)
    bodies = [bytes([number]) * 100 for number in range(50)]
    write(writer, *bodies)
    assert len(list(directory.glob("*.wal"))) > 2
    assert bodies_of(read_all(directory, byte_limit=byte_limit)) == bodies


def test_reader_follows_a_writer_over_files_and_expiry(open_writer: Open, directory: Path) -> None:
    """Reading goes on while files are changed, expired and the writer restarts."""
    reader = JournalReader(directory)
    writer = open_writer(file_bytes=10_000)
    position, seen, expected = 0, [], []
    for number in range(60):
        bodies = [bytes([number, index]) * 50 for index in range(3)]
        write(writer, *bodies)
        expected += bodies
        batch = reader.read(position, byte_limit=1 << 20)
        assert not batch.damages
        seen += bodies_of(batch)
        position = batch.next_position
        if number % 7 == 0:
            expire(directory, below_position=position)
        if number % 20 == 19:
            writer.close()
            writer = open_writer(file_bytes=10_000)
    assert seen == expected
    assert len(list(directory.glob("*.wal"))) < 5


def test_large_frames_are_read_whole(open_writer: Open, directory: Path) -> None:
    """Frames larger than a reading chunk, and those that straddle its end, come back."""
    writer = open_writer(file_bytes=FILE_BYTES)
    bodies = [bytes([7]) * size for size in (100, 3 << 20, 65_536, 65_535, (1 << 20) - 50, 1)]
    write(writer, *bodies)
    assert bodies_of(read_all(directory)) == bodies


def test_flipped_bit_costs_one_frame_and_is_counted(open_writer: Open, directory: Path) -> None:
    """Whichever byte rots: nothing altered is served, nothing else is lost, the count is right."""
    writer = open_writer()
    write(writer, *BODIES, events=3)
    whole = read_all(directory)
    writer.close()
    path = newest_file(directory)
    content = path.read_bytes()
    for at in range(HEADER_AREA_BYTES, len(content)):
        flip(path, at, bit=at % 8)
        hit = next(f for f in whole.frames if at < HEADER_AREA_BYTES + f.next_position)
        batch = read_all(directory)
        assert batch.frames == [frame for frame in whole.frames if frame is not hit]
        assert batch.damages == [DamagedRange(hit.position, hit.next_position, 3, present=True)]
        assert (batch.next_position, batch.next_offset) == (whole.next_position, whole.next_offset)
        path.write_bytes(content)


def test_flipped_bit_in_the_header_costs_nothing(open_writer: Open, directory: Path) -> None:
    """The second copy of the header stands in."""
    writer = open_writer()
    write(writer, *BODIES)
    writer.close()
    path = newest_file(directory)
    content = path.read_bytes()
    for start in (0, HEADER_COPY_AT):
        for at in range(start, start + 90):
            flip(path, at, bit=at % 8)
            assert bodies_of(read_all(directory)) == BODIES
            path.write_bytes(content)


def test_damaged_bytes_are_quarantined_once(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """What is stepped over is kept aside as it is, and told; reading again adds nothing."""
    files = _three_files(open_writer, directory)
    hit = read_all(directory).frames[2]
    flip(files[1], HEADER_AREA_BYTES + 4)
    for _ in range(2):
        reader = JournalReader(directory, quarantine=quarantine)
        with capture_logs() as logs:
            reader.read(0, byte_limit=1 << 20)
        assert [(entry["happening"], entry["events_missing"]) for entry in logs] == [
            ("journal_corrupt", 1)
        ]
    length = hit.next_position - hit.position
    content = files[1].read_bytes()[HEADER_AREA_BYTES : HEADER_AREA_BYTES + length]
    name = f"journal-07-{hit.position}-{hit.next_position}.bin"
    assert {kept.name: kept.read_bytes() for kept in quarantine.iterdir()} == {name: content}


def test_file_without_a_header_is_damage(open_writer: Open, directory: Path) -> None:
    """Without its seed no frame of a file is believed; the files around it are read."""
    files = _three_files(open_writer, directory)
    whole = read_all(directory)
    flip(files[1], 33)
    flip(files[1], HEADER_COPY_AT + 33)
    batch = read_all(directory)
    first, last = (int(path.stem) for path in files[1:])
    assert batch.damages == [DamagedRange(first, last, 2, present=True)]
    assert batch.frames == [f for f in whole.frames if not first <= f.position < last]


@pytest.mark.parametrize("index", [0, 1])
def test_missing_file_is_lost_and_counted(open_writer: Open, directory: Path, index: int) -> None:
    """A deleted file is admitted, with the exact number of events."""
    files = _three_files(open_writer, directory)
    whole = read_all(directory)
    files[index].unlink()
    batch = read_all(directory)
    first, last = (int(path.stem) for path in files[index : index + 2])
    assert batch.damages == [DamagedRange(first, last, 2, present=False)]
    assert batch.frames == [f for f in whole.frames if not first <= f.position < last]


def test_missing_newest_file_is_lost_and_counted(open_writer: Open, directory: Path) -> None:
    """The state file tells what should have been there."""
    files = _three_files(open_writer, directory)
    whole = read_all(directory)
    files[2].unlink()
    batch = read_all(directory)
    assert batch.damages == [
        DamagedRange(int(files[2].stem), whole.next_position, 2, present=False)
    ]


def test_damage_at_the_start_is_counted_without_memory(open_writer: Open, directory: Path) -> None:
    """A new reader that starts at a damaged frame works out the offset from those before it."""
    writer = open_writer()
    write(writer, *BODIES, events=2)
    frames = read_all(directory).frames
    writer.close()
    hit = frames[1]
    flip(newest_file(directory), HEADER_AREA_BYTES + hit.position + 90)
    batch = JournalReader(directory).read(hit.position, byte_limit=1 << 20)
    assert batch.damages == [DamagedRange(hit.position, hit.next_position, 2, present=True)]


def test_range_below_the_oldest_file_is_counted_by_the_given_offset(
    open_writer: Open, directory: Path
) -> None:
    """Who knows the offset where it reads learns exactly what is lost."""
    files = _three_files(open_writer, directory)
    frame = read_all(directory).frames[1]
    files[0].unlink()
    reader = JournalReader(directory)
    batch = reader.read(frame.position, byte_limit=1 << 20, offset=frame.offset)
    assert batch.damages == [DamagedRange(frame.position, int(files[1].stem), 1, present=False)]


def test_forged_frames_in_a_body_are_not_taken(open_writer: Open, directory: Path) -> None:
    """A payload that holds whole frames for its own place stays a payload, damaged or not."""
    writer = open_writer()
    write(writer, b"before")
    forged_at = read_all(directory).next_position + 80
    forgeries = []
    for seed in (bytes(16), b"0123456789abcdef"):
        one = read_all(directory).frames[0]
        parts, end = encode_frames([one], [1], seed_checksum(seed), start=Mark(forged_at, 1))
        forgeries.append(b"".join(parts))
        forged_at = end.position
    write(writer, b"".join(forgeries), b"after")
    writer.close()
    whole = read_all(directory)
    assert len(whole.frames) == 3
    hit = whole.frames[1]
    for at in range(hit.position, hit.position + 88):
        flip(newest_file(directory), HEADER_AREA_BYTES + at)
        batch = read_all(directory)
        assert bodies_of(batch) == [b"before", b"after"]
        assert batch.damages == [DamagedRange(hit.position, hit.next_position, 1, present=True)]
        flip(newest_file(directory), HEADER_AREA_BYTES + at)


def test_frames_of_another_file_are_not_taken(open_writer: Open, directory: Path) -> None:
    """Frames carry their file's seed, so sectors that stray from file to file are damage."""
    files = _three_files(open_writer, directory)
    frames = read_all(directory).frames
    assert file_name(frames[2].position) == files[1].name
    stray = files[0].read_bytes()[HEADER_AREA_BYTES:]
    with files[1].open("r+b") as file:
        file.seek(HEADER_AREA_BYTES)
        file.write(stray)
    batch = read_all(directory)
    assert bodies_of(batch) == [frame.body for frame in (*frames[:2], *frames[4:])]
    assert [damage.events_missing for damage in batch.damages] == [2]


def test_renamed_file_is_refused(open_writer: Open, directory: Path) -> None:
    """What can be put right by a person is not counted as lost."""
    files = _three_files(open_writer, directory)
    shutil.copy(files[0], directory / file_name(int(files[2].stem) - 8))
    with pytest.raises(Corrupt) as caught:
        read_all(directory)
    assert caught.value.code == "journal_misplaced"


def test_offsets_that_run_backwards_are_refused(open_writer: Open, directory: Path) -> None:
    """Two journals mixed into one are not read as one."""
    writer = open_writer()
    write(writer, b"one", b"two")
    position = read_all(directory).frames[1].position
    with pytest.raises(Corrupt) as caught:
        JournalReader(directory).read(position, byte_limit=1000, offset=5)
    assert caught.value.code == "journal_offsets"


def test_unreadable_disk_skips_nothing(open_writer: Open, directory: Path) -> None:
    """A read error is not a damage: the same range is read again later."""

    class Unreadable(LocalDisk):
        """Fails to read while broken."""

        broken = True

        def read(self, descriptor: int, size: int, at: int) -> bytes:
            if self.broken:
                raise OSError(5, "no")
            return super().read(descriptor, size, at)

    writer = open_writer()
    write(writer, b"one")
    disk = Unreadable()
    reader = JournalReader(directory, disk=disk)
    with pytest.raises(OSError, match="no"):
        reader.read(0, byte_limit=1000)
    disk.broken = False
    assert bodies_of(reader.read(0, byte_limit=1000)) == [b"one"]


def _three_files(open_writer: Open, directory: Path) -> list[Path]:
    """Three files with two frames of one event each."""
    for number in range(3):
        writer = open_writer()
        write(writer, bytes([number]) * 100, bytes([number + 10]) * 100)
        writer.close()
    return sorted(directory.glob("*.wal"))
