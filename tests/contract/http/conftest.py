"""Fixtures of the door's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ingest.node import Node, running_node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A running edge worker with short deadlines and the default limits."""
    with running_node(tmp_path / "node") as running:
        yield running
