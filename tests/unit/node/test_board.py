"""The board: what one process stores, the others see."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.node.board import BOARD_BYTES, SLOT_COUNT, Board, Slot
from weir.settings import WORKERS_MAX


def test_new_board_is_all_zero(tmp_path: Path) -> None:
    """A start forgets what an earlier run wrote."""
    path = tmp_path / "board"
    Board.create(path).set(Slot.COMMIT_ID, 7)
    board = Board.create(path)
    assert {board.get(slot) for slot in Slot} == {0}
    assert path.stat().st_size == BOARD_BYTES
    assert path.stat().st_mode & 0o777 == 0o600


def test_open_without_a_board_fails(tmp_path: Path) -> None:
    """A child that starts before its supervisor made the board hears so."""
    with pytest.raises(FileNotFoundError):
        Board.open(tmp_path / "board")


def test_other_process_sees_the_value_at_once(tmp_path: Path) -> None:
    """A store is visible to another process without any flush or close."""
    path = tmp_path / "board"
    board = Board.create(path)
    board.set(Slot.WATERMARK_US, 1_800_000_000_000_000)
    program = (
        "import sys, pathlib; from weir.node.board import Board, Slot;"
        "board = Board.open(pathlib.Path(sys.argv[1])); print(board.get(Slot.WATERMARK_US));"
        "board.set(Slot.LOADER_READY, 1)"
    )
    command = [sys.executable, "-c", program, str(path)]
    seen = subprocess.run(command, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "1800000000000000"
    assert board.get(Slot.LOADER_READY) == 1


@pytest.fixture(scope="module")
def shared_board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board that many examples write to."""
    return Board.create(tmp_path_factory.mktemp("board") / "board")


@given(slot=st.integers(0, SLOT_COUNT - 2), value=st.integers(-(2**63), 2**63 - 1))
def test_slot_keeps_its_value_and_leaves_its_neighbour(
    shared_board: Board, slot: int, value: int
) -> None:
    """Every slot holds any signed 64-bit integer and no other slot changes."""
    before = shared_board.get(slot + 1)
    shared_board.set(slot, value)
    assert shared_board.get(slot) == value
    assert shared_board.get(slot + 1) == before


def test_workers_have_room_for_their_slots() -> None:
    """The last edge worker's slot is on the board and no other slot stands among theirs."""
    assert Slot.EDGE_READY + WORKERS_MAX <= SLOT_COUNT
    taken = range(Slot.EDGE_READY + 1, Slot.EDGE_READY + WORKERS_MAX)
    assert not [slot for slot in Slot if slot in taken]
