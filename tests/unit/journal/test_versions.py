"""Formats of journals that are asked for before a node begins anything."""

from pathlib import Path

import google_crc32c
import pytest

from weir.errors import Corrupt
from weir.journal.file import FileHeader, encode_header, file_name
from weir.journal.frame import Mark
from weir.journal.state import STATE_NAME, JournalState
from weir.journal.versions import check_journals


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of this version with a file and a state."""
    made = tmp_path / "journal" / "00"
    made.mkdir(parents=True)
    header = FileHeader(
        journal_id="00",
        seed=bytes(16),
        start=Mark(0, 0),
        received_floor_us=0,
        created_at_us=0,
    )
    (made / file_name(0)).write_bytes(encode_header(header))
    JournalState.open_or_create(made).close()
    return made


def test_known_absent_and_foreign_things_are_fine(journal: Path) -> None:
    """No folder, files beside the journals, an empty file of a crash, damage: not decided here."""
    check_journals(journal.parent)
    check_journals(journal / "nowhere")
    (journal.parent / "note").write_text("mine")
    (journal / file_name(80)).write_bytes(b"")
    (journal / file_name(160)).write_bytes(b"x" * 9000)
    (journal / STATE_NAME).write_bytes(b"x" * 64)
    check_journals(journal.parent)


def test_a_newer_file_is_refused_by_its_path(journal: Path) -> None:
    """The version stands in the words."""
    path = journal / file_name(0)
    content = bytearray(path.read_bytes())
    content[8] = 9
    length = int.from_bytes(content[12:16], "little")
    checksum = google_crc32c.value(bytes(content[: length - 4]))
    content[length - 4 : length] = checksum.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="format version 9") as caught:
        check_journals(journal.parent)
    assert caught.value.code == "journal_version"
    assert str(path) in caught.value.message


def test_a_newer_state_is_refused_by_its_path(journal: Path) -> None:
    """With what to do where no newer version ever ran."""
    path = journal / STATE_NAME
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="format version 9") as caught:
        check_journals(journal.parent)
    assert str(path) in caught.value.message
    assert "remove the file" in str(caught.value.hint)
