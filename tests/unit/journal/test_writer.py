"""The writer: group commit, times, failures, files."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.journal.fakes import (
    Answer,
    FailingDisk,
    Open,
    SetClock,
    StoppableDisk,
    bodies_of,
    draft,
    read_all,
    write,
)
from weir.domain.frame import SEQ_PER_US
from weir.errors import Conflict, LimitExceeded, Unavailable
from weir.journal.frame import META_BYTES_MAX
from weir.journal.reader import JournalReader


class BrokenAnswer(Answer):
    """A waiter with a bug."""

    def durable(self, received_at_us: int) -> None:
        raise ZeroDivisionError


def test_answered_frame_can_be_read(open_writer: Open, directory: Path) -> None:
    """What was acknowledged is published and reads back as it was."""
    writer = open_writer()
    times = write(writer, b"one", b"two", events=3)
    batch = read_all(directory)
    assert bodies_of(batch) == [b"one", b"two"]
    assert [frame.received_at_us for frame in batch.frames] == times
    assert [frame.offset for frame in batch.frames] == [0, 3]
    assert {frame.journal_id for frame in batch.frames} == {directory.name}
    assert batch.next_offset == 6


def test_nothing_is_answered_before_its_sync(open_writer: Open, directory: Path) -> None:
    """Neither the waiter nor a reader learns of a frame that is still being written."""
    disk = StoppableDisk()
    writer = open_writer(disk=disk)
    disk.may_write.clear()
    disk.waiting.clear()
    answer = Answer()
    writer.append(draft(), answer)
    assert disk.waiting.wait(120)
    assert not answer.told
    reader = JournalReader(directory)
    assert reader.durable_position() == 0
    assert reader.writing_since_us() > 0
    disk.may_write.set()
    assert answer.wait().received_at_us is not None
    assert reader.durable_position() > 0


def test_one_sync_takes_all_that_gathered(open_writer: Open, directory: Path) -> None:
    """Frames that arrive while a sync runs share the next one, in order."""
    disk = StoppableDisk()
    calls: list[Callable[[], None]] = []

    def notify(function: Callable[[], None]) -> None:
        calls.append(function)
        function()

    writer = open_writer(disk=disk, notify=notify, file_bytes=1 << 24)
    disk.may_write.clear()
    disk.waiting.clear()
    answers = [Answer() for _ in range(1501)]
    writer.append(draft(), answers[0])
    assert disk.waiting.wait(120)
    for answer in answers[1:]:
        writer.append(draft(), answer)
    before = disk.syncs
    disk.may_write.set()
    times = [answer.wait().received_at_us for answer in answers]
    assert disk.syncs == before + 2
    assert len(calls) == 2
    assert times == sorted({time for time in times if time is not None})
    assert {answer.times_told for answer in answers} == {1}
    assert [frame.received_at_us for frame in read_all(directory).frames] == times


def test_frames_of_one_turn_share_a_sync(open_writer: Open) -> None:
    """What is appended before the caller's turn ends is written together, not one by one."""
    disk = StoppableDisk()
    turn_ends: list[Callable[[], None]] = []
    writer = open_writer(disk=disk, defer=turn_ends.append, file_bytes=1 << 24)
    before = disk.syncs
    answers = [Answer() for _ in range(20)]
    for answer in answers:
        writer.append(draft(), answer)
    assert not any(answer.told for answer in answers)
    [hand_over] = turn_ends
    hand_over()
    assert all(answer.wait().received_at_us for answer in answers)
    assert disk.syncs == before + 1


def test_closing_writes_what_waits_for_the_end_of_the_turn(open_writer: Open) -> None:
    """An orderly end leaves nobody waiting for a turn that never ends."""
    writer = open_writer(defer=lambda _function: None)
    answer = Answer()
    writer.append(draft(), answer)
    writer.close()
    assert answer.wait().received_at_us is not None


def test_batch_is_bounded_in_bytes(open_writer: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood is written in several batches, whole and in order."""
    monkeypatch.setattr("weir.journal.writer.BATCH_BYTES_MAX", 1000)
    disk = StoppableDisk()
    writer = open_writer(disk=disk)
    disk.may_write.clear()
    answers = [Answer() for _ in range(20)]
    for answer in answers:
        writer.append(draft(bytes(300)), answer)
    disk.writes.clear()
    disk.may_write.set()
    times = [answer.wait().received_at_us or 0 for answer in answers]
    assert times == sorted(times)
    assert len(disk.writes) >= 4
    assert max(disk.writes) < 2000


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, "journal_failed"), (errno.ENOSPC, "disk_full")]
)
def test_failed_disk_kills_the_writer(
    open_writer: Open, directory: Path, operation: str, number: int, code: str
) -> None:
    """Everybody waiting is refused, nothing is published, and nothing is tried again."""
    disk = FailingDisk(operation)
    writer = open_writer(disk=disk)
    write(writer, b"before")
    disk.error = OSError(number, "no")
    syncs = disk.syncs
    answer = Answer()
    writer.append(draft(b"after"), answer)
    assert isinstance(answer.wait().error, Unavailable)
    assert writer.dead
    assert disk.syncs <= syncs + 1
    disk.error = None
    with pytest.raises(Unavailable) as caught:
        writer.append(draft(), Answer())
    assert caught.value.code == code
    assert bodies_of(read_all(directory)) == [b"before"]


def test_frames_gathered_behind_a_failed_batch_fail_too(open_writer: Open) -> None:
    """Nobody waits for ever on a dead writer."""
    disk = StoppableDisk()
    writer = open_writer(disk=disk)
    disk.may_write.clear()
    disk.waiting.clear()
    answers = [Answer() for _ in range(4)]
    writer.append(draft(), answers[0])
    assert disk.waiting.wait(120)
    for answer in answers[1:]:
        writer.append(draft(), answer)
    disk.error = OSError(errno.EIO, "no")
    disk.may_write.set()
    assert all(isinstance(answer.wait().error, Unavailable) for answer in answers)
    assert {answer.times_told for answer in answers} == {1}


def test_no_space_for_the_next_file_loses_nothing(open_writer: Open, directory: Path) -> None:
    """The batch that filled the file is acknowledged; the writer then says that it is full."""
    disk = FailingDisk("create")
    writer = open_writer(disk=disk, file_bytes=1 << 14)
    disk.error = OSError(errno.ENOSPC, "full")
    bodies: list[bytes] = []
    while not writer.dead and len(bodies) < 1000:
        answer = Answer()
        try:
            writer.append(draft(bytes(1000)), answer)
        except Unavailable:
            break
        if answer.wait().error is None:
            bodies.append(bytes(1000))
    with pytest.raises(Unavailable) as caught:
        writer.append(draft(), Answer())
    assert caught.value.code == "disk_full"
    assert bodies
    assert bodies_of(read_all(directory)) == bodies


def test_opening_on_a_full_disk_is_unavailable(open_writer: Open, directory: Path) -> None:
    """The owner learns that the disk is full; the lock is free again."""
    disk = FailingDisk("create")
    disk.error = OSError(errno.ENOSPC, "full")
    with pytest.raises(Unavailable) as caught:
        open_writer(disk=disk)
    assert caught.value.code == "disk_full"
    assert not list(directory.glob("*.wal"))
    write(open_writer(), b"one")


def test_directory_that_cannot_be_made_durable_is_unavailable(
    open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame is taken into a directory that a power cut could take away."""

    def refuse(_: Path) -> None:
        raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr("weir.journal.writer.make_directory", refuse)
    with pytest.raises(Unavailable) as caught:
        open_writer()
    assert caught.value.code == "journal_failed"


def test_times_grow_when_the_clock_jumps(open_writer: Open, clock: SetClock) -> None:
    """Backwards, standing still, over a restart: ``received_at`` only grows."""
    writer = open_writer()
    times = write(writer, b"a", b"b")
    clock.us -= 86_400_000_000
    times += write(writer, b"c", events=SEQ_PER_US + 1)
    writer.close()
    writer = open_writer()
    times += write(writer, b"d")
    writer.close()
    writer = open_writer()
    times += write(writer, b"e")
    assert times == sorted(set(times))
    assert times[3] == times[2] + 2
    clock.us += 2 * 86_400_000_000
    assert write(writer, b"f") == [clock.us]


def test_second_writer_is_refused(open_writer: Open) -> None:
    """One journal, one writer; the lock ends with its holder."""
    writer = open_writer()
    with pytest.raises(Conflict) as caught:
        open_writer()
    assert caught.value.code == "locked"
    writer.close()
    write(open_writer(), b"one")


def test_closing_writes_what_was_appended(open_writer: Open, directory: Path) -> None:
    """Nothing that was taken is dropped by an orderly end."""
    calls: list[Callable[[], None]] = []
    writer = open_writer(notify=calls.append)
    answers = [Answer() for _ in range(50)]
    for answer in answers:
        writer.append(draft(), answer)
    writer.close()
    writer.close()
    for call in calls:  # here, on the thread that appends, as an event loop would
        call()
    assert all(answer.received_at_us for answer in answers)
    assert len(read_all(directory).frames) == 50
    with pytest.raises(Unavailable):
        writer.append(draft(), Answer())


def test_files_change_at_their_size(open_writer: Open, directory: Path) -> None:
    """Files join without a gap, give back what they reserved, and the backlog counts them."""
    writer = open_writer(file_bytes=1 << 14)
    bodies = [bytes([number]) * 1000 for number in range(60)]
    write(writer, *bodies)
    batch = read_all(directory)
    assert bodies_of(batch) == bodies
    assert not batch.damages
    assert writer.backlog_bytes() == batch.next_position
    writer.close()
    files = sorted(directory.glob("*.wal"))
    assert len(files) > 4
    assert sum(path.stat().st_size - 8192 for path in files) == batch.next_position


def test_frame_beyond_the_format_is_refused(open_writer: Open) -> None:
    """A frame that readers would not take is not written."""
    writer = open_writer()
    with pytest.raises(LimitExceeded):
        writer.append(draft(meta=bytes(META_BYTES_MAX + 1)), Answer())
    write(writer, b"one")


def test_draft_that_cannot_be_encoded_answers_its_waiter(open_writer: Open) -> None:
    """Even a bug of the caller leaves nobody waiting."""
    writer = open_writer()
    answer = Answer()
    writer.append(draft(events=-1), answer)
    assert isinstance(answer.wait().error, Unavailable)
    assert writer.dead


def test_waiter_that_raises_keeps_no_other_waiting(open_writer: Open) -> None:
    """One connection's bug is its own."""
    disk = StoppableDisk()
    writer = open_writer(disk=disk)
    disk.may_write.clear()
    sound = Answer()
    writer.append(draft(), BrokenAnswer())
    writer.append(draft(), sound)
    disk.may_write.set()
    assert sound.wait().error is None
    assert not writer.dead
