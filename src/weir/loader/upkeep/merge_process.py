"""Merging in a process of its own, at the lowest priority: it ends with the loader.

Jobs go in as lines of JSON; for each a line comes back, a ``Merged`` or ``Unmerged``. The process
starts for a run and ends with it: between runs it takes no memory.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Generator, Sequence
from typing import BinaryIO

import msgspec

from weir.engine.sandbox import die_with_parent
from weir.errors import WeirError
from weir.lake.merge import Merged, MergeJob, merge

NICENESS = 19
ADDRESS_SPACE_BYTES = 4 * 1024 * 1024 * 1024
"""Beside what the engine may plan with: the program, Arrow's buffers, mapped files."""


class Unmerged(msgspec.Struct, frozen=True, tag="unmerged"):
    """Why a job could not be done."""

    reason: str


_decode_result = msgspec.json.Decoder(Merged | Unmerged).decode


class ProcessMerger:
    """Runs jobs in a child of this process. One run at a time; ``stop`` may come at any moment."""

    __slots__ = ("_cpu_s", "_process", "_stopped")

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._cpu_s = 0.0

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the last run took."""
        return self._cpu_s

    def run(self, jobs: Sequence[MergeJob]) -> Generator[Merged | str, None, None]:
        """A result for each job as it is done; ends early when the process does."""
        before_s = _children_cpu_s()
        try:
            yield from self._run(jobs)
        finally:  # whoever has all results closes the run
            self._cpu_s = _children_cpu_s() - before_s

    def stop(self) -> None:
        """Ends a run that is going on, and lets none begin."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _run(self, jobs: Sequence[MergeJob]) -> Generator[Merged | str, None, None]:
        command = [sys.executable, "-m", "weir", "merge", "--parent", str(os.getpid())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            self._process = process
            try:
                if self._stopped:
                    return
                yield from _exchange(process, jobs)
            finally:
                process.kill()
                self._process = None


def run_jobs(source: BinaryIO, sink: BinaryIO, *, parent: int) -> None:
    """The child's side: limits itself, carries out every job of ``source``, answers to ``sink``."""
    die_with_parent(parent)
    os.nice(NICENESS)
    decode = msgspec.json.Decoder(MergeJob).decode
    for line in source:
        job = decode(line)
        _bound_memory(job.memory_bytes)
        result: Merged | Unmerged
        try:
            result = merge(job)
        except WeirError as error:
            result = Unmerged(str(error))
        except (OSError, MemoryError) as error:
            result = Unmerged(f"{type(error).__name__}: {error}")
        sink.write(msgspec.json.encode(result) + b"\n")
        sink.flush()


def _exchange(
    process: "subprocess.Popen[bytes]", jobs: Sequence[MergeJob]
) -> Generator[Merged | str, None, None]:
    assert process.stdin is not None
    assert process.stdout is not None
    for job in jobs:
        try:
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return
        line = process.stdout.readline()
        if not line:
            yield f"the process ended while merging {len(job.inputs)} files"
            return
        result = _decode_result(line)
        yield result.reason if isinstance(result, Unmerged) else result


def _bound_memory(memory_bytes: int) -> None:
    bound = ADDRESS_SPACE_BYTES + memory_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
