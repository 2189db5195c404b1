"""Completion of commands and options, by the shells' own way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weir.cli.completion import SHELLS

WEIR = Path(sys.executable).with_name("weir")


def completed(line: str) -> list[str]:
    """What bash would offer at the end of a line."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_WEIR_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    told = subprocess.run([WEIR], env=environment, capture_output=True, text=True, check=False)
    return [each.partition(",")[2] for each in told.stdout.split()]


def test_commands_and_options_are_offered() -> None:
    """At every level, hidden commands left out."""
    assert "keys" in completed("weir ke")
    assert "create" in completed("weir keys cr")
    assert "--data" in completed("weir serve --da")
    assert completed("weir edg") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_name_the_program(shell: str) -> None:
    """One for each shell, to be put where that shell looks."""
    told = subprocess.run(
        [WEIR, "completion", shell], capture_output=True, text=True, check=True
    ).stdout
    assert "_WEIR_COMPLETE" in told
    assert "weir" in told
