"""A control service in a directory of its own, with a clock that stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weir.control.service import ControlService
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.storage.local import make_directory

NOON_US = 1_795_176_000_000_000


class ManualClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.us = NOON_US

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        return self.us / 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    """Stands at noon of 2026-11-20, UTC, until ``us`` is changed."""
    return ManualClock()


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """An empty node directory with ``run`` in it."""
    made = Directory(tmp_path / "node")
    make_directory(made.run)
    return made


@pytest.fixture
def board(directory: Directory) -> Board:
    """A fresh board."""
    return Board.create(directory.board)


@pytest.fixture
def open_service(
    directory: Directory, board: Board, clock: ManualClock
) -> Iterator[Callable[[], ControlService]]:
    """Opens the service; what is still open at the end is closed."""
    opened: list[ControlService] = []

    def open_one() -> ControlService:
        opened.append(ControlService.open(directory, clock=clock, board=board))
        return opened[-1]

    yield open_one
    for service in opened:
        service.close()


@pytest.fixture
def service(open_service: Callable[[], ControlService]) -> ControlService:
    """An open control service after its first run."""
    return open_service()


@pytest.fixture
def view(directory: Directory, board: Board) -> RegistryView:
    """The registry as another process sees it."""
    return RegistryView(directory, board)
