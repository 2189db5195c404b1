"""The page of faults names tests that are there, in every row."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
CELLS = 4


def _rows() -> Iterator[list[str]]:
    """The cells of each row of its tables, heads and rules left out."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "fault" and set(cells[0]) != {"-"}:
            yield cells


def test_every_fault_is_told_whole_and_names_tests() -> None:
    """What breaks, what clients see, what is kept, and at least one test."""
    rows = list(_rows())
    assert len(rows) > 40
    assert [row[0] for row in rows if len(row) != CELLS or not all(row)] == []
    assert [row[0] for row in rows if not re.fullmatch(r"(`test_\w+` ?)+", row[-1])] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_every_named_test_exists() -> None:
    """A name that was changed or dropped is told."""
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = {name for row in _rows() for name in re.findall(r"`(test_\w+)`", row[-1])}
    assert sorted(named - found) == []
