"""A journal that no worker opens is recovered by whoever reads it."""

from pathlib import Path

from tests.unit.journal.fakes import Open, QuickDisk, SetClock, bodies_of, read_all, write
from weir.journal.abandoned import recover_abandoned
from weir.journal.state import STATE_NAME


def recover(directory: Path, quarantine: Path) -> bool:
    """Recovers it; whether it did."""
    return recover_abandoned(directory, quarantine=quarantine, clock=SetClock(), disk=QuickDisk())


def test_stale_state_is_brought_up_to_date(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """Frames that the state does not vouch for are readable again, as often as it is done."""
    writer = open_writer()
    write(writer, b"one")
    stale = (directory / STATE_NAME).read_bytes()
    write(writer, b"two", b"three")
    writer.close()
    for _ in range(3):
        (directory / STATE_NAME).write_bytes(stale)
        assert bodies_of(read_all(directory)) == [b"one"]
        assert recover(directory, quarantine)
        batch = read_all(directory)
        assert bodies_of(batch) == [b"one", b"two", b"three"]
        assert batch.damages == []
    assert len(list(directory.glob("*.wal"))) == 2


def test_worker_goes_on_behind_a_recovered_journal(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """The lock is free again, and the next frame follows the last one."""
    writer = open_writer()
    write(writer, b"one")
    writer.close()
    (directory / STATE_NAME).unlink()
    assert recover(directory, quarantine)
    write(open_writer(), b"two")
    batch = read_all(directory)
    assert bodies_of(batch) == [b"one", b"two"]
    assert batch.frames[1].offset == 1
    assert batch.frames[1].received_at_us > batch.frames[0].received_at_us


def test_journal_with_a_writer_is_left_alone(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """A held lock means a live writer, which recovered the journal itself."""
    writer = open_writer()
    write(writer, b"one")
    files = sorted(directory.iterdir())
    assert not recover(directory, quarantine)
    assert sorted(directory.iterdir()) == files
    write(writer, b"two")
    assert bodies_of(read_all(directory)) == [b"one", b"two"]


def test_directory_without_journal_files_is_left_alone(directory: Path, quarantine: Path) -> None:
    """A worker may just be making it, or it is no journal at all."""
    directory.mkdir(parents=True)
    assert not recover(directory, quarantine)
    assert list(directory.iterdir()) == []
