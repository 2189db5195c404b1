"""Rules about every file of the repository, whatever its language."""

import re
from pathlib import Path

import pytest

from tools.limits import FILE_BYTES_MAX

PROMISES = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
CLONE = Path(__file__).resolve().parents[2]
MACHINE_PATHS = re.compile(
    rf"/(ho" rf"me|Users)/[\w.-]+/|(?<!\w)/ro" rf"ot/|(?<![\w.~-]){re.escape(str(CLONE))}(?![\w-])"
)
REGISTRY_ADDRESSES = re.compile(r"py" + r"pi\.org|pythonhosted|(index|find)-(url|links)[= ]+\S*/")
OWN_WORDS = {"tests/tidy/test_files.py"}


def _texts(files: dict[str, bytes]) -> dict[str, str]:
    kept = {path: content for path, content in files.items() if b"\0" not in content[:8192]}
    return {path: content.decode(errors="replace") for path, content in kept.items()}


@pytest.mark.parametrize(
    "pattern", [PROMISES, MACHINE_PATHS, REGISTRY_ADDRESSES], ids=["promise", "path", "registry"]
)
def test_no_file_holds(pattern: re.Pattern[str], files: dict[str, bytes]) -> None:
    """No promise of later work, no path of one machine, no address of a package registry."""
    found = [
        f"{path}: {match[0]}"
        for path, text in _texts(files).items()
        if path not in OWN_WORDS and (match := pattern.search(text))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (PROMISES, "# FIX" + "ME: later"),
        (MACHINE_PATHS, "/ho" + "me/somebody/weir"),
        (MACHINE_PATHS, f"see {CLONE}/src"),
        (REGISTRY_ADDRESSES, "https://py" + "pi.org/simple"),
        (REGISTRY_ADDRESSES, "--find-links /opt/wheels"),
    ],
)
def test_pattern_finds_its_sample(pattern: re.Pattern[str], text: str) -> None:
    """Each pattern notices what it is for."""
    assert pattern.search(text)


def test_files_are_small(files: dict[str, bytes]) -> None:
    """No file is larger than a megabyte."""
    large = [path for path, content in files.items() if len(content) > FILE_BYTES_MAX]
    assert not large


def test_lock_files_hold_hashes_only(files: dict[str, bytes]) -> None:
    """Every locked package has a hash, and nothing in the locks says where to fetch it."""
    locks = {path: text for path, text in _texts(files).items() if path.endswith(".lock")}
    assert set(locks) == {"requirements.lock", "requirements-dev.lock"}
    for path, text in locks.items():
        pinned = re.findall(r"^[a-z0-9.-]+==", text, re.MULTILINE)
        hashed = re.findall(r"^[a-z0-9.-]+==.*\\\n +--hash=sha256:", text, re.MULTILINE)
        assert pinned, path
        assert len(pinned) == len(hashed), path
        assert "://" not in text, path
