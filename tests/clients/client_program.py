"""Runs programs of a user of the client: what they are given is Python source."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "clients" / "python" / "src"


def start_program(text: str, *arguments: object) -> subprocess.Popen[str]:
    """The program in a process of its own; ``sys.argv`` has the arguments."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program, ended; asserts that it ended well."""
    process = start_program(text, *arguments)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return subprocess.CompletedProcess(process.args, 0, output, errors)
