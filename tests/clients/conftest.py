"""What the tests of the clients share: nodes, real and made up."""

from collections.abc import Iterator

import pytest

from tests.clients.fake_node import FakeNode
from tests.end_to_end.conftest import start_node

__all__ = ["start_node"]


@pytest.fixture
def fake_node() -> Iterator[FakeNode]:
    """A node that answers as the test says."""
    with FakeNode() as node:
        yield node
