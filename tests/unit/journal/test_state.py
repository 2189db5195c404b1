"""The state file."""

from pathlib import Path

import pytest

from weir.errors import Corrupt
from weir.journal.frame import Mark
from weir.journal.state import STATE_NAME, JournalState, Published


def test_reader_sees_what_the_writer_published(tmp_path: Path) -> None:
    """Both map the same words."""
    writer = JournalState.open_or_create(tmp_path)
    reader = JournalState.open(tmp_path)
    writer.publish(Mark(80, 3), 9)
    writer.writing_since_us = 7
    assert reader.published() == Published(Mark(80, 3), 9)
    assert reader.writing_since_us == 7
    reader.close()
    writer.close()


def test_new_state_has_published_nothing(tmp_path: Path) -> None:
    """Zeros alone are not a published position."""
    state = JournalState.open_or_create(tmp_path)
    assert state.published() is None
    state.close()


def test_half_stored_mark_is_not_believed(tmp_path: Path) -> None:
    """A position without its offset is seen by the checksum."""
    state = JournalState.open_or_create(tmp_path)
    state.publish(Mark(80, 3), 9)
    state.close()
    path = tmp_path / STATE_NAME
    content = bytearray(path.read_bytes())
    content[16] += 8
    path.write_bytes(content)
    state = JournalState.open(tmp_path)
    assert state.published() is None
    state.close()


@pytest.mark.parametrize("content", [b"", b"x" * 64])
def test_damaged_state_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """The writer needs no state to start; readers wait for a good one."""
    (tmp_path / STATE_NAME).write_bytes(content)
    with pytest.raises(ValueError, match=r"state|mmap"):
        JournalState.open(tmp_path)
    JournalState.open_or_create(tmp_path).close()
    JournalState.open(tmp_path).close()


def test_newer_state_is_refused_by_number(tmp_path: Path) -> None:
    """A newer program's state is not overwritten."""
    JournalState.open_or_create(tmp_path).close()
    path = tmp_path / STATE_NAME
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="version 9"):
        JournalState.open_or_create(tmp_path)


def test_state_of_another_boot_is_a_lower_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may have kept an old mark: it is not the whole truth until a writer says so."""
    monkeypatch.setattr("weir.journal.state.boot_number", lambda: 1)
    writer = JournalState.open_or_create(tmp_path)
    assert not writer.is_current
    writer.publish(Mark(80, 3), 9)
    writer.make_current()
    assert JournalState.open(tmp_path).is_current
    monkeypatch.setattr("weir.journal.state.boot_number", lambda: 2)
    assert not JournalState.open(tmp_path).is_current
    assert JournalState.open(tmp_path).published() == Published(Mark(80, 3), 9)
    writer.close()
