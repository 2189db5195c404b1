"""Expiry of journal files."""

from pathlib import Path

from tests.unit.journal.fakes import Open, bodies_of, read_all, write
from weir.journal.expiry import expire
from weir.journal.reader import JournalReader


def test_only_files_wholly_below_are_removed(open_writer: Open, directory: Path) -> None:
    """A file goes when its last frame lies below the position, and not one byte earlier."""
    for number in range(4):
        writer = open_writer()
        write(writer, bytes([number]) * 100)
        writer.close()
    files = sorted(directory.glob("*.wal"))
    second = int(files[1].stem)
    assert expire(directory, below_position=second - 1) == 0
    assert expire(directory, below_position=second) == 1
    assert sorted(directory.glob("*.wal")) == files[1:]
    assert expire(directory, below_position=second) == 0


def test_newest_file_stays_and_positions_go_on(open_writer: Open, directory: Path) -> None:
    """Whatever the position, the journal keeps its place over a restart."""
    writer = open_writer()
    write(writer, b"one")
    writer.close()
    writer = open_writer()
    position = read_all(directory).next_position
    assert expire(directory, below_position=10**18) == 1
    assert expire(directory, below_position=10**18) == 0
    writer.close()
    write(open_writer(), b"two")
    batch = JournalReader(directory).read(position, byte_limit=1000)
    assert bodies_of(batch) == [b"two"]
    assert batch.frames[0].offset == 1
