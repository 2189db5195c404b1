"""Real nodes that the tests of one process share: a start costs seconds of processor time."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running_node import Node

KEPT_EVENTS = [{"event": f"e{number}", "event_id": f"id-{number}"} for number in range(30)]


@pytest.fixture(scope="session")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests that do not disturb it; it keeps what it takes in memory."""
    node = Node(tmp_path_factory.mktemp("shared") / "node", {"WEIR_CUT_AGE_S": "3600"})
    node.start()
    yield node
    node.end()


@pytest.fixture
def own_project(shared_node: Node) -> Node:
    """The shared node with the keys of a project that no other test has."""
    return shared_node.with_new_project()


@pytest.fixture(scope="session")
def kept_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a node left that took ``KEPT_EVENTS`` and was stopped; to be copied, not to be used."""
    node = Node(tmp_path_factory.mktemp("kept") / "node", {})
    node.start()
    try:
        assert node.send("/v1/events", KEPT_EVENTS).status_code == 202
        assert node.stop() == 0
    finally:
        node.end()
    return node.directory


@pytest.fixture
def stopped_node(kept_directory: Path, tmp_path: Path) -> Iterator[Node]:
    """A node that was stopped with ``KEPT_EVENTS`` in its lake; a test may start it."""
    node = Node(tmp_path / "node", {})
    shutil.copytree(kept_directory, node.directory, ignore=shutil.ignore_patterns("run"))
    yield node
    node.end()
