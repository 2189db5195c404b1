"""What a child leaves for the supervisor when no restart will help."""

from pathlib import Path

import pytest

from weir.errors import Conflict, Corrupt, Unavailable, WeirError
from weir.node.damage import find_damage, note_damage
from weir.node.directory import Directory


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """A node's directory with its ``run``."""
    (tmp_path / "run").mkdir()
    return Directory(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        Corrupt("Damaged.", code="database_damaged", hint="Restore."),
        Corrupt("Of version 9.", code="journal_version", hint="Start another."),
        Conflict("Newer.", code="newer_database", hint="Upgrade."),
        Conflict("Newer.", code="newer_format", hint="Upgrade."),
    ],
)
def test_what_stays_is_left_with_its_words(directory: Directory, error: WeirError) -> None:
    """Kind, code, words and hint arrive as they were."""
    note_damage(directory, error)
    found = find_damage(directory)
    assert type(found) is type(error)
    assert (found.code, found.message, found.hint) == (error.code, error.message, error.hint)


def test_what_passes_is_not_left(directory: Directory) -> None:
    """A lock or a full disk is another matter: the part is started again."""
    note_damage(directory, Conflict("Held.", code="locked"))
    note_damage(directory, Unavailable("Full.", code="disk_full"))
    assert find_damage(directory) is None
