"""The registry's way from its publisher to its readers."""

from pathlib import Path

import msgspec
import pytest

from weir.domain.registry import Registry, Tenant
from weir.errors import Unavailable
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView, publish_registry


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """A node's directory with its ``run``."""
    (tmp_path / "run").mkdir()
    return Directory(tmp_path)


@pytest.fixture
def board(directory: Directory) -> Board:
    """The node's board."""
    return Board.create(directory.board)


def _registry(epoch: int) -> Registry:
    tenants = {1: Tenant(tenant_id=1, slug="default")}
    return Registry(epoch=epoch, keys={}, projects={}, tenants=tenants, endpoints={})


def test_reader_sees_each_published_registry(directory: Directory, board: Board) -> None:
    """A reader that already has a registry takes the next one with the next call."""
    view = RegistryView(directory, Board.open(directory.board))
    for epoch in (1, 2):
        publish_registry(directory, board, _registry(epoch))
        assert view.current() == _registry(epoch)


def test_reader_reads_the_file_once_per_epoch(directory: Directory, board: Board) -> None:
    """While the epoch stands, the file is not looked at."""
    publish_registry(directory, board, _registry(1))
    view = RegistryView(directory, board)
    first = view.current()
    directory.registry.unlink()
    assert view.current() is first


def test_reader_refuses_before_the_first_registry(directory: Directory, board: Board) -> None:
    """A node without a registry takes nobody in."""
    with pytest.raises(Unavailable) as caught:
        RegistryView(directory, board).current()
    assert caught.value.retry_after_s == 1


def test_reader_refuses_a_registry_older_than_the_board(directory: Directory, board: Board) -> None:
    """A key that was revoked in the newer one must not pass by the older one."""
    publish_registry(directory, board, _registry(1))
    board.set(Slot.REGISTRY_EPOCH, 2)
    with pytest.raises(Unavailable):
        RegistryView(directory, board).current()


def test_reader_takes_a_file_ahead_of_the_board(directory: Directory, board: Board) -> None:
    """Between the rename and the epoch the file is newer than the board says: that is fine."""
    publish_registry(directory, board, _registry(3))
    board.set(Slot.REGISTRY_EPOCH, 2)
    assert RegistryView(directory, board).current().epoch == 3


@pytest.mark.parametrize("content", [b"", b"\xc1", msgspec.msgpack.encode({"epoch": 1})])
def test_reader_refuses_an_unreadable_file(
    content: bytes, directory: Directory, board: Board
) -> None:
    """Bytes that are no registry refuse requests instead of passing them."""
    directory.registry.write_bytes(content)
    board.set(Slot.REGISTRY_EPOCH, 1)
    with pytest.raises(Unavailable):
        RegistryView(directory, board).current()
