"""A real writer, killed without warning, again and again."""

import subprocess
import sys
from pathlib import Path

from tests.unit.journal.fakes import Open, read_all, write

KILLS = 6
PROGRAM = Path(__file__).with_name("killed_writer.py")


def test_killed_writer_keeps_everything_it_acknowledged(
    open_writer: Open, directory: Path, quarantine: Path
) -> None:
    """After every kill -9 all acknowledged frames are there, once, in order, as acknowledged."""
    acknowledged: dict[int, int] = {}
    for kill in range(KILLS):
        first = kill * 1_000_000
        acknowledged |= _acknowledged_until_killed(
            directory, quarantine, first=first, count=100 + 317 * kill
        )
    write(open_writer(), b"-1 ")
    batch = read_all(directory)
    assert not batch.damages
    found = {int(frame.body.split()[0]): frame for frame in batch.frames}
    assert len(found) == len(batch.frames)
    for number, received_at_us in acknowledged.items():
        assert found[number].received_at_us == received_at_us
        assert len(found[number].body) == len(b"%d " % number) + number * 37 % 3000
    times = [frame.received_at_us for frame in batch.frames]
    assert times == sorted(set(times))
    assert [frame.offset for frame in batch.frames] == list(range(len(batch.frames)))


def _acknowledged_until_killed(
    directory: Path, quarantine: Path, *, first: int, count: int
) -> dict[int, int]:
    """Kills a writer that has acknowledged ``count`` frames; everything that it acknowledged."""
    command = [sys.executable, str(PROGRAM), str(directory), str(quarantine), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
        lines += process.stdout.readlines()
    return {int(number): int(time) for number, time in (line.split() for line in lines if line)}
