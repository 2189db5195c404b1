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
    pid: int, calls: str, fault: str, output: Path, *, paths: Sequence[Path] = ()
) -> Iterator[None]:
    """Inside, the process and all its threads meet ``fault`` (``error=EIO:when=1``) in ``calls``.

    With ``paths`` only calls on these files do. The tracer writes to ``output``: a pipe that
    nobody reads would fill, and stop it and its tracee.
    """
    command = ["strace", "--quiet=none", "-f", "-p", str(pid), "-o", str(output)]
    for path in paths:
        command += ["-P", str(path)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        try:
            line = ""
            while "attached" not in line:
                line = tracer.stderr.readline()
                assert line, "strace ended"
            yield
        finally:
            tracer.kill()
