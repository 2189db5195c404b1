"""Nodes for the tests of the whole program."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.running_node import Node, StartNode


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only when this folder is asked for by name, as ``make soak`` does."""
    parser.addoption("--kills", type=int, default=4, help="kills of each test that kills")


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """Starts nodes with settings of the test's choice; ends them all after it."""
    nodes: list[Node] = []

    def start(name: str = "node", wrapper: Sequence[str] = (), **settings: object) -> Node:
        texts = {f"WEIR_{key.upper()}": str(value) for key, value in settings.items()}
        node = Node(tmp_path / name, texts, wrapper=wrapper)
        nodes.append(node)
        node.start()
        return node

    yield start
    for node in nodes:
        node.end()
