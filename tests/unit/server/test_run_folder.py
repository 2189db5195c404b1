"""What of a node's last life the next one goes on with."""

import sqlite3
from pathlib import Path

import pytest

from weir import __version__
from weir.clock import SystemClock
from weir.control.records import ProjectRequest
from weir.control.service import ControlService
from weir.domain.registry import Registry, decode_registry, encode_registry
from weir.errors import Unavailable
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.server.run_folder import prepare_run

CLOCK = SystemClock()


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """A node's directory after a life of the node, in which a registry was published."""
    directory = Directory(tmp_path)
    board = prepare_run(directory, workers=1, clock=CLOCK)
    assert board.get(Slot.REGISTRY_EPOCH) == 0
    ControlService.open(directory, clock=CLOCK, board=board).close()
    return directory


def start(directory: Directory) -> tuple[Board, RegistryView]:
    """The beginning of the next life."""
    board = prepare_run(directory, workers=1, clock=CLOCK)
    return board, RegistryView(directory, board)


def test_last_registry_is_there_before_the_api_process_is(directory: Directory) -> None:
    """Nothing has changed since: events are let in at once."""
    published = decode_registry(directory.registry.read_bytes())
    board, view = start(directory)
    assert board.get(Slot.REGISTRY_EPOCH) == published.epoch
    assert view.current() == published


def test_next_registry_takes_its_place(directory: Directory) -> None:
    """The api process counts the epoch up at its start, so every reader reads anew."""
    board, view = start(directory)
    kept = view.current()
    ControlService.open(directory, clock=CLOCK, board=board).close()
    assert view.current().epoch == kept.epoch + 1


def test_change_of_a_stopped_node_ends_the_last_registry(directory: Directory) -> None:
    """A key that was revoked meanwhile would pass by it."""
    control = ControlService.open(directory, clock=CLOCK)
    control.projects.create(ProjectRequest(slug="later"))
    control.close()
    board, view = start(directory)
    assert board.get(Slot.REGISTRY_EPOCH) == 0
    with pytest.raises(Unavailable):
        view.current()


def test_last_api_process_that_has_not_ended_yet_ends_the_last_registry(
    directory: Directory,
) -> None:
    """It could change something after the look, and publish that where nobody reads it."""
    control = ControlService.open(directory, clock=CLOCK)
    last = decode_registry(directory.registry.read_bytes())
    with sqlite3.connect(directory.control_db) as database:
        database.execute("UPDATE control_state SET epoch = ?", (last.epoch,))
    database.close()
    assert start(directory)[0].get(Slot.REGISTRY_EPOCH) == 0
    control.close()


def test_change_that_was_not_published_ends_the_last_registry(directory: Directory) -> None:
    """Killed between the two, a node does not go on with the registry before the change."""
    with sqlite3.connect(directory.control_db) as database:
        database.execute("UPDATE control_state SET epoch = epoch + 1")
    database.close()
    assert start(directory)[0].get(Slot.REGISTRY_EPOCH) == 0


@pytest.mark.parametrize("damage", ["other version", "damaged file", "damaged database", "no one"])
def test_registry_that_is_not_known_to_be_right_is_dropped(
    directory: Directory, damage: str
) -> None:
    """Then the api process publishes the first one, as in a new node."""
    published = decode_registry(directory.registry.read_bytes())
    assert published.version == __version__
    if damage == "other version":
        older = Registry(published.epoch, {}, {}, {}, {}, version="0.0.1")
        directory.registry.write_bytes(encode_registry(older))
    elif damage == "damaged file":
        directory.registry.write_bytes(directory.registry.read_bytes()[:-3])
    elif damage == "damaged database":
        directory.control_db.write_bytes(b"no database" * 500)
    else:
        directory.control_db.unlink()
    assert start(directory)[0].get(Slot.REGISTRY_EPOCH) == 0
    assert not directory.registry.exists()
