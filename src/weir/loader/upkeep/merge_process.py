"""Merging in a process of its own, at the lowest priority: it ends with the loader.

Tasks go in as lines of JSON; for each a line comes back, an ``Answer``. A task that comes while
another goes on is done before that goes on, so that what is small need not wait for what is large:
in one process, so that both have one memory. It starts with the first task, and between rounds
there is none.
"""

import contextlib
import os
import resource
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from weir.engine.sandbox import die_with_parent
from weir.errors import WeirError
from weir.lake.merge import Merged, MergeJob, merge
from weir.loader.memory import give_back

NICENESS = 19
ADDRESS_SPACE_BYTES = 4 * 1024 * 1024 * 1024
"""Beside what a merge may work in: the program, the engine that extracts columns, mapped files."""

ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}
"""One thread works: its memory comes from one place, and goes back when it is free."""

_READ_BYTES = 1024 * 1024


class Task(msgspec.Struct, frozen=True):
    """A job, and the number under which it is answered."""

    number: int
    job: MergeJob


class Unmerged(msgspec.Struct, frozen=True, tag="unmerged"):
    """Why a job could not be done."""

    reason: str


class Answer(msgspec.Struct, frozen=True):
    """What became of the task of this number."""

    number: int
    result: Merged | Unmerged


_decode_answer = msgspec.json.Decoder(Answer).decode


class ProcessMerger:
    """Runs jobs in a child of this process; any thread may ask. Nothing here waits for a job."""

    __slots__ = (
        "_cpu_before_s",
        "_cpu_s",
        "_lock",
        "_process",
        "_received",
        "_stopped",
        "_waiting",
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._waiting: list[int] = []
        """Numbers of the jobs that have no result."""
        self._received = b""
        self._cpu_s = self._cpu_before_s = 0.0

    @property
    def cpu_s(self) -> float:
        """CPU seconds from the first job to the last ``rest``."""
        return self._cpu_s

    def begin(self, number: int, job: MergeJob) -> None:
        """Takes a job on, and starts the process if there is none."""
        with self._lock:
            self._waiting.append(number)
            if self._stopped:
                return
            if self._process is None:
                self._cpu_before_s = _children_cpu_s()
                self._process = _start()
            assert self._process.stdin is not None
            # One that has ended is told of by ``results``.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(msgspec.json.encode(Task(number, job)) + b"\n")
                self._process.stdin.flush()

    def results(self) -> Sequence[tuple[int, Merged | str]]:
        """The jobs that are done since the last call; all that there are once the process ended."""
        with self._lock:
            is_over = self._process is None or self._receive(self._process)
            *lines, self._received = self._received.split(b"\n")
            found: list[tuple[int, Merged | str]] = []
            for answer in map(_decode_answer, lines):
                result = answer.result
                said = result.reason if isinstance(result, Unmerged) else result
                found.append((answer.number, said))
                self._waiting.remove(answer.number)
            if is_over:
                found += [(number, "the process ended while merging") for number in self._waiting]
                self._end()
            return found

    def rest(self) -> None:
        """Ends the process; jobs that have no result get none."""
        with self._lock:
            self._end()
            self._cpu_s = _children_cpu_s() - self._cpu_before_s

    def stop(self) -> None:
        """Ends the process, and lets none begin."""
        with self._lock:
            self._stopped = True
            self._end()

    def _receive(self, process: "subprocess.Popen[bytes]") -> bool:
        """Takes what is there to be read; whether the process has ended."""
        assert process.stdout is not None
        while True:
            try:
                content = os.read(process.stdout.fileno(), _READ_BYTES)
            except BlockingIOError:
                return False
            if not content:
                return True
            self._received += content

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError), process:  # closes the pipes and waits
                pass
        self._waiting, self._received = [], b""


def _start() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "weir", "merge", "--parent", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT},
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


class _Tasks:
    """The child's tasks, as they come."""

    def __init__(self, source: BinaryIO) -> None:
        self._descriptor = source.fileno()
        self._received = b""
        self._decode = msgspec.json.Decoder(Task).decode

    def wait(self) -> Task | None:
        """The next task; None when there is none to come."""
        while b"\n" not in self._received:
            content = os.read(self._descriptor, _READ_BYTES)
            if not content:
                return None
            self._received += content
        line, _, self._received = self._received.partition(b"\n")
        return self._decode(line)

    def is_there(self) -> bool:
        """Whether ``wait`` need not wait long."""
        return b"\n" in self._received or bool(select.select([self._descriptor], [], [], 0)[0])


def run_jobs(source: BinaryIO, sink: BinaryIO, *, parent: int) -> None:
    """The child's side: limits itself, carries out every task of ``source``, answers to ``sink``.

    Between two parts of a task it carries out those that have come meanwhile.
    """
    die_with_parent(parent)
    os.nice(NICENESS)
    tasks = _Tasks(source)

    def between() -> None:
        give_back()
        if tasks.is_there() and (task := tasks.wait()) is not None:
            _answer(sink, task.number, _result(task.job, _nothing))

    while (task := tasks.wait()) is not None:
        _bound_memory(task.job.memory_bytes)
        _answer(sink, task.number, _result(task.job, between))


def _result(job: MergeJob, between: Callable[[], None]) -> Merged | Unmerged:
    try:
        return merge(job, between=between)
    except WeirError as error:
        return Unmerged(str(error))
    except (OSError, MemoryError) as error:
        return Unmerged(f"{type(error).__name__}: {error}")


def _nothing() -> None:
    """What is done between the parts of a task that is done between those of another."""


def _answer(sink: BinaryIO, number: int, result: Merged | Unmerged) -> None:
    sink.write(msgspec.json.encode(Answer(number, result)) + b"\n")
    sink.flush()


def _bound_memory(memory_bytes: int) -> None:
    bound = ADDRESS_SPACE_BYTES + memory_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
