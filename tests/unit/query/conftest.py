"""Nodes with a pool of query workers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.query.rig import Node
from weir.settings import Settings


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with generous limits."""
    settings = Settings(query_workers=2, query_spares=1, query_memory_bytes=512 << 20)
    made = Node(tmp_path_factory.mktemp("node"), settings)
    yield made
    made.close()


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Makes nodes with settings of the test's own."""
    made: list[Node] = []

    def make(**settings: Any) -> Node:
        fitted = {"query_spares": 1, "query_memory_bytes": 512 << 20} | settings
        made.append(Node(tmp_path, Settings(**fitted)))
        return made[-1]

    yield make
    for node in made:
        node.close()
