"""The wall clock jumps by a day, either way, while a journal is written."""

from pathlib import Path

import pytest

from tests.unit.journal.fakes import Open, SetClock, read_all, write
from weir.journal.state import JournalState

DAY_US = 86_400_000_000


@pytest.mark.parametrize("jump_us", [DAY_US, -DAY_US])
def test_receipt_times_only_grow_over_jumps_and_restarts(
    open_writer: Open, clock: SetClock, jump_us: int
) -> None:
    """There, back again, and with a new writer each time: no event is older than one before it."""
    times = []
    for step in (0, jump_us, 0, -jump_us, 0):
        clock.us += step
        writer = open_writer()
        times += write(writer, b"one", b"two", events=3)
        writer.close()
    assert times == sorted(set(times))


def test_a_clock_that_went_back_is_followed_again(open_writer: Open, clock: SetClock) -> None:
    """Once it has passed the last receipt time, times are the clock's again."""
    writer = open_writer()
    clock.us += DAY_US
    [ahead] = write(writer, b"ahead")
    clock.us -= DAY_US
    [held] = write(writer, b"held")
    assert ahead < held < ahead + 10
    clock.us += 2 * DAY_US
    [followed] = write(writer, b"followed")
    assert followed == clock.us


def test_jumps_leave_the_journal_whole(open_writer: Open, clock: SetClock, directory: Path) -> None:
    """Every frame is read in its order, and nothing seems to be still in the making."""
    writer = open_writer(file_bytes=10_000)
    bodies = [bytes([number]) * 900 for number in range(40)]
    for number, body in enumerate(bodies):
        clock.us += DAY_US if number % 2 else -DAY_US
        write(writer, body)
    writer.close()
    batch = read_all(directory)
    assert [frame.body for frame in batch.frames] == bodies
    assert not batch.damages
    assert JournalState.open(directory).writing_since_us == 0
