"""strace as the cause of faults: system calls of a running process fail, wait or kill."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs the package strace")


@contextmanager
def injected(
    pids: int | Sequence[int], calls: str, fault: str, output: Path, *, paths: Sequence[Path] = ()
) -> Iterator[None]:
    """Inside, the processes and what they start meet ``fault`` (``error=EIO:when=1``) in ``calls``.

    With ``paths`` only calls on these files do. The tracer writes to ``output``: a pipe that
    nobody reads would fill, and stop it and its tracee.
    """
    chosen = [pids] if isinstance(pids, int) else pids
    command = ["strace", "--quiet=none", "-f", "-o", str(output)]
    for pid in chosen:
        command += ["-p", str(pid)]
    for path in paths:
        command += ["-P", str(path)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        try:
            attached = 0
            while attached < len(chosen):
                line = tracer.stderr.readline()
                assert line, "strace ended"
                attached += "attached" in line
            yield
        finally:
            tracer.kill()
