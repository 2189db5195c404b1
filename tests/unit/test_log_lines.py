"""Log lines are written in order, dropped when nobody reads, and never waited for."""

import os
import threading

import pytest

from weir import log_lines
from weir.log_lines import LineWriter


def _read_all(descriptor: int, count: int) -> bytes:
    found = b""
    while found.count(b"\n") < count:
        found += os.read(descriptor, 65536)
    return found


def test_lines_come_in_order() -> None:
    """From several threads, each whole."""
    read_end, write_end = os.pipe()
    writer = LineWriter(write_end, note_dropped=lambda: None)

    def log(name: str) -> None:
        for number in range(100):
            writer.write(f"{name} {number}\n")

    threads = [threading.Thread(target=log, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    lines = _read_all(read_end, 200).decode().splitlines()
    for name in "ab":
        assert [line for line in lines if line[0] == name] == [f"{name} {n}" for n in range(100)]


def test_lines_are_dropped_and_counted_while_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits comes later, what does not is counted; the end waits for its time only."""
    monkeypatch.setattr(log_lines, "LINES_MAX", 10)
    read_end, write_end = os.pipe()
    dropped: list[int] = []
    writer = LineWriter(write_end, note_dropped=lambda: dropped.append(1))
    line = "x" * 65535 + "\n"
    for _ in range(30):
        writer.write(line)
    held = 1 + 10 + 10  # in the pipe, with the thread, in the queue; at least a full queue
    assert 30 - held <= len(dropped) <= 30 - 10
    writer.flush_for(0.01)
    assert len(_read_all(read_end, 30 - len(dropped))) == (30 - len(dropped)) * 65536
    writer.flush_for(10)


def test_forked_child_writes_its_own_lines() -> None:
    """It has no thread of its parent's, and none of its parent's lines."""
    read_end, write_end = os.pipe()
    writer = LineWriter(write_end, note_dropped=lambda: None)
    writer.write("parent\n")
    writer.flush_for(10)
    pid = os.fork()
    if not pid:
        writer.write("child\n")
        writer.flush_for(10)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert _read_all(read_end, 2) == b"parent\nchild\n"
