"""Recovery: torn tails, corruption, power cuts, crashes of recovery itself."""

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.unit.journal.fakes import (
    FILE_BYTES,
    Answer,
    FailingDisk,
    Open,
    PowerCut,
    PowerDisk,
    QuickDisk,
    SetClock,
    bodies_of,
    draft,
    flip,
    newest_file,
    read_all,
    write,
)
from weir.domain.frame import Frame
from weir.errors import Corrupt
from weir.journal.appender import Appender
from weir.journal.disk import Disk
from weir.journal.file import HEADER_AREA_BYTES, HEADER_COPY_AT, file_name
from weir.journal.frame import Mark
from weir.journal.reader import DamagedRange
from weir.journal.recovery import Recovered, recover
from weir.journal.state import STATE_NAME, JournalState

DURABLE = [b"durable one", b"durable two"]
UNSYNCED = [b"late", b"later, and longer than a head of a frame" * 3, b"last"]


def _leave_unsynced(open_writer: Open, directory: Path) -> list[Frame]:
    """A journal whose writer died with all of ``UNSYNCED`` in one unacknowledged batch."""
    writer = open_writer()
    write(writer, *DURABLE)
    writer.close()
    state = JournalState.open_or_create(directory)
    recovered = recover(
        directory,
        quarantine=directory / "none",
        disk=QuickDisk(),
        known=state.published(),
        now_us=0,
        file_bytes=FILE_BYTES,
    )
    appender = Appender(
        directory, recovered, disk=QuickDisk(), clock=SetClock(), file_bytes=FILE_BYTES
    )
    appender.append([draft(body) for body in UNSYNCED], 1_900_000_000_000_000)
    end = appender.end
    appender.abandon()
    state.publish(end, appender.received_floor_us)
    frames = read_all(directory).frames
    state.publish(recovered.end, recovered.received_floor_us)
    state.close()
    return frames


@pytest.mark.parametrize("reserved", [True, False])
def test_torn_tail_is_cut_at_the_last_whole_frame(
    open_writer: Open, directory: Path, tmp_path: Path, reserved: bool
) -> None:
    """Wherever the tail is torn, exactly the frames before the tear stay, and writing goes on."""
    frames = _leave_unsynced(open_writer, directory)
    path = newest_file(directory)
    start = int(path.stem)
    content = path.read_bytes()[: HEADER_AREA_BYTES + frames[-1].next_position - start]
    for cut in range(HEADER_AREA_BYTES, len(content) + 1):
        copy = tmp_path / str(cut) / directory.name
        shutil.copytree(directory, copy)
        torn = content[:cut].ljust(FILE_BYTES if reserved else cut, b"\0")
        newest_file(copy).write_bytes(torn)
        ends = [HEADER_AREA_BYTES + max(frame.next_position - start, 0) for frame in frames]
        same = [torn[:end] == content[:end] for end in ends]  # cut padding may be whole again
        whole = frames[: same.index(False) if False in same else None]
        writer = open_writer(copy)
        write(writer, b"new")
        writer.close()
        batch = read_all(copy)
        assert batch.frames[:-1] == whole
        assert batch.frames[-1].body == b"new"
        assert batch.frames[-1].received_at_us > whole[-1].received_at_us
        assert (batch.damages, batch.next_offset) == ([], len(whole) + 1)
        shutil.rmtree(copy.parent)


def test_frames_behind_a_hole_in_the_tail_are_dropped(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """Sectors may reach the disk in any order; what lies behind a hole was never acknowledged."""
    frames = _leave_unsynced(open_writer, directory)
    path = newest_file(directory)
    flip(path, HEADER_AREA_BYTES + frames[3].position - int(path.stem) + 90)
    with capture_logs() as logs:
        open_writer()
    told = [entry for entry in logs if entry["happening"] == "journal_torn_tail"]
    assert [(entry["position"], entry["bytes"] > 0) for entry in told] == [
        (frames[3].position, True)
    ]
    batch = read_all(directory)
    assert batch.frames == frames[:3]
    assert not batch.damages
    assert not quarantine.exists()


def test_unsynced_frames_are_written_again_before_they_count(
    open_writer: Open, directory: Path
) -> None:
    """They may be in the page cache only, so they get a new file and a new sync."""
    frames = _leave_unsynced(open_writer, directory)
    old = newest_file(directory)
    writer = open_writer()
    assert read_all(directory).frames == frames
    assert newest_file(directory).name == file_name(frames[2].position)
    writer.close()
    assert old.stat().st_size <= HEADER_AREA_BYTES + frames[-1].next_position - int(old.stem)


def test_frames_tell_what_is_durable_when_the_state_is_old(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """After a power cut the state may be long out of date; damage is still told from a tear."""
    writer = open_writer()
    write(writer, b"one", b"two", b"three", b"four")
    frames = read_all(directory).frames
    writer.close()
    (directory / STATE_NAME).unlink()
    flip(newest_file(directory), HEADER_AREA_BYTES + frames[1].position + 84)
    write(open_writer(), b"five")
    batch = read_all(directory)
    assert bodies_of(batch) == [b"one", b"three", b"four", b"five"]
    hit = frames[1]
    assert batch.damages == [DamagedRange(hit.position, hit.next_position, 1, present=True)]
    assert batch.next_offset == 5
    kept = quarantine / f"journal-07-{hit.position}-{hit.next_position}.bin"
    assert len(kept.read_bytes()) == hit.next_position - hit.position
    assert list(quarantine.iterdir()) == [kept]


def test_corruption_is_left_in_place(open_writer: Open, directory: Path) -> None:
    """Damage in what is known durable is no torn tail: nothing is cut, and readers count it."""
    writer = open_writer()
    write(writer, b"one", b"two", events=2)
    frames = read_all(directory).frames
    writer.close()
    path = newest_file(directory)
    flip(path, HEADER_AREA_BYTES + frames[1].position + 20)
    damaged = path.read_bytes()
    for _ in range(2):
        open_writer().close()
    assert path.read_bytes() == damaged
    batch = read_all(directory)
    assert batch.frames == frames[:1]
    assert [damage.events_missing for damage in batch.damages] == [2]
    assert batch.next_offset == 4


def test_lost_newest_file_leaves_its_positions_unused(open_writer: Open, directory: Path) -> None:
    """Positions that were acknowledged are never given to other frames."""
    writer = open_writer()
    write(writer, b"one")
    writer.close()
    writer = open_writer()
    write(writer, b"two", b"three")
    writer.close()
    end = read_all(directory).next_position
    newest_file(directory).unlink()
    write(open_writer(), b"four")
    batch = read_all(directory)
    assert bodies_of(batch) == [b"one", b"four"]
    assert [damage.events_missing for damage in batch.damages] == [2]
    assert batch.frames[-1].position == end


def test_all_files_lost_leaves_their_positions_unused(open_writer: Open, directory: Path) -> None:
    """The state alone is enough to go on, and to count."""
    writer = open_writer()
    write(writer, b"one", b"two")
    writer.close()
    end = read_all(directory).next_position
    newest_file(directory).unlink()
    write(open_writer(), b"three")
    batch = read_all(directory)
    assert batch.damages == [DamagedRange(0, end, 2, present=False)]
    assert bodies_of(batch) == [b"three"]


def test_newest_file_without_a_header_is_stepped_over(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """Its bytes are quarantined and its positions left unused; the count comes from the state."""
    writer = open_writer()
    write(writer, b"one", b"two")
    writer.close()
    for at in (40, HEADER_COPY_AT + 40):
        flip(newest_file(directory), at)
    write(open_writer(), b"three")
    batch = read_all(directory)
    assert bodies_of(batch) == [b"three"]
    assert [damage.events_missing for damage in batch.damages] == [2]
    assert len(list(quarantine.iterdir())) == 1


def test_newest_file_without_header_and_state_is_refused(
    open_writer: Open, directory: Path
) -> None:
    """Guessing where to go on could use positions twice; a person is asked instead."""
    writer = open_writer()
    write(writer, b"one")
    writer.close()
    for at in (40, HEADER_COPY_AT + 40):
        flip(newest_file(directory), at)
    (directory / STATE_NAME).unlink()
    with pytest.raises(Corrupt) as caught:
        open_writer()
    assert caught.value.code == "journal_unreadable"


def test_failed_sync_keeps_only_what_can_be_kept(open_writer: Open, directory: Path) -> None:
    """After EIO the unacknowledged frame is either there once or not at all, and order holds."""
    disk = FailingDisk("sync")
    writer = open_writer(disk=disk)
    write(writer, b"one")
    disk.error = OSError(5, "no")
    answer = Answer()
    writer.append(draft(b"two"), answer)
    assert answer.wait().error is not None
    assert bodies_of(read_all(directory)) == [b"one"]
    writer.close()
    write(open_writer(), b"three")
    batch = read_all(directory)
    assert bodies_of(batch) == [b"one", b"two", b"three"]
    assert not batch.damages


def test_recovery_that_crashes_can_be_repeated(
    open_writer: Open, directory: Path, tmp_path: Path, quarantine: Path
) -> None:
    """Power cuts at every operation of recovery, twice in a row, change nothing in the end."""
    frames = _leave_unsynced(open_writer, directory)
    choice = random.Random(7)
    for operations in range(1, 40):
        copy = tmp_path / str(operations) / directory.name
        shutil.copytree(directory, copy)
        finished = False
        for _ in range(2):
            disk = PowerDisk(operations)
            try:
                _recover(copy, quarantine, disk)
                finished = True
            except PowerCut:
                disk.forget(choice)
        write(open_writer(copy), b"new")
        batch = read_all(copy)
        assert batch.frames[:-1] == frames
        assert not batch.damages
        if finished:
            return
    pytest.fail("recovery never finished")


@settings(max_examples=60)
@given(
    batches=st.lists(st.lists(st.integers(0, 900), min_size=1, max_size=4), max_size=12),
    operations=st.integers(8, 40),
    old_state=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_power_cut_loses_nothing_that_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[int]],
    operations: int,
    old_state: bool,
    seed: int,
) -> None:
    """Unsynced sectors vanish at random, the state may be old: every synced frame is read back."""
    directory = tmp_path_factory.mktemp("power") / "07"
    directory.mkdir()
    quarantine = directory.parent / "quarantine"
    JournalState.open_or_create(directory).close()
    disk = PowerDisk()
    recovered = _recover(directory, quarantine, disk)
    appender = Appender(directory, recovered, disk=disk, clock=SetClock(), file_bytes=10_000)
    disk.operations_left = operations
    acknowledged: list[bytes] = []
    end = Mark(0, 0)
    number = 0
    try:
        for batch in batches:
            bodies = [bytes([(number := number + 1) % 255 + 1]) * size for size in batch]
            appender.append([draft(body) for body in bodies], 1)
            acknowledged += bodies
            end = appender.end
            appender.change_file_if_full()
    except PowerCut:
        pass
    disk.forget(random.Random(seed))
    if not old_state:
        state = JournalState.open_or_create(directory)
        state.publish(end, 0)
        state.close()
    recovered = _recover(directory, quarantine, QuickDisk())
    state = JournalState.open_or_create(directory)
    state.publish(recovered.end, recovered.received_floor_us)
    state.close()
    result = read_all(directory)
    assert bodies_of(result)[: len(acknowledged)] == acknowledged
    assert not result.damages
    assert not quarantine.exists()


def _recover(directory: Path, quarantine: Path, disk: Disk) -> Recovered:
    state = JournalState.open(directory)
    known = state.published()
    state.close()
    return recover(
        directory,
        quarantine=quarantine,
        disk=disk,
        known=known,
        now_us=0,
        file_bytes=FILE_BYTES,
    )
