"""What processes take of the machine, as ``/proc`` tells it."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_S = 0.005


def pin(pids: Sequence[int], cpu: int) -> None:
    """Puts processes with all their threads on one core."""
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):  # it, or a thread of it, has ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {cpu})


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, all threads, user and system."""
    return sum(_ticks(pid)[:2]) / os.sysconf("SC_CLK_TCK")


def cpu_seconds_with_children(pid: int) -> float:
    """The same with the processes that it has started, those that have ended included."""
    started = tree(pid)
    return sum(sum(_ticks(each)) for each in started) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> list[int]:
    """User and system time of a process, then of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(field) for field in fields[11:15]]


def resident_mib(pid: int) -> float:
    """Resident memory, shared pages included."""
    return _mib(f"/proc/{pid}/status", "VmRSS")


def peak_mib(pid: int) -> float:
    """The most that was resident so far."""
    return _mib(f"/proc/{pid}/status", "VmHWM")


def proportional_mib(pid: int) -> float:
    """Resident memory, of shared pages its share: what adds up over processes."""
    return _mib(f"/proc/{pid}/smaps_rollup", "Pss")


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):  # it, or a thread of it, has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


@contextmanager
def newcomers_peak_mib(pid: int) -> Iterator[list[float]]:
    """While it is open: the peaks of processes that join a tree, seen every ``POLL_S``."""
    known = set(tree(pid))
    peaks: dict[int, float] = {}
    found: list[float] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(POLL_S):
            try:
                for each in set(tree(pid)) - known:
                    peaks[each] = peak_mib(each)
            except OSError:  # one has ended meanwhile
                continue

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()
        found += peaks.values()


def _mib(path: str, name: str) -> float:
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"no {name} in {path}")
