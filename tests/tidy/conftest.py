"""The files that the rules are held against."""

import subprocess
from pathlib import Path

import pytest

from tools.tidy import Source, parse

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {".venv", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"}


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        found = ROOT.rglob("*")
        return [path for path in found if not GENERATED & set(path.relative_to(ROOT).parts)]
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """Every file that is, or is about to be, part of the repository: path and content."""
    paths = [path for path in _tracked() if path.is_file() and not path.is_symlink()]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="session")
def sources(files: dict[str, bytes]) -> list[Source]:
    """Every Python file of the repository, parsed."""
    return [parse(path, text.decode()) for path, text in files.items() if path.endswith(".py")]
