"""A state file of which any bit is wrong: what was acknowledged is there all the same."""

import shutil
from pathlib import Path

import pytest

from tests.unit.journal.fakes import Open, bodies_of, flip, read_all, write
from weir.errors import Corrupt
from weir.journal.state import STATE_BYTES, STATE_NAME

BODIES = [b"first", b"second", b"third"]
VERSION = range(8, 12)


@pytest.mark.parametrize("at", range(STATE_BYTES))
def test_flipped_bit_of_the_state_loses_nothing(
    open_writer: Open, directory: Path, tmp_path: Path, at: int
) -> None:
    """The next writer finds every frame; only a version that it does not know stops it."""
    write(open_writer(), *BODIES)
    left = tmp_path / "left" / directory.name
    shutil.copytree(directory, left)
    flip(left / STATE_NAME, at, bit=at % 8)
    if at in VERSION:
        with pytest.raises(Corrupt) as caught:
            open_writer(left)
        assert caught.value.code == "journal_version"
        (left / STATE_NAME).unlink()
    write(open_writer(left), b"next")
    assert bodies_of(read_all(left)) == [*BODIES, b"next"]
