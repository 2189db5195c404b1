"""A filled node and its oracle, for the queries of one process."""

from collections.abc import Iterator

import pytest

from tests.differential.expressions import LITERALS, PATHS, WORDS
from tests.differential.filled_node import SETTINGS, FilledNode
from tests.differential.oracle import Oracle
from tests.differential.random_run import Run
from tests.end_to_end.running_node import Node

EVENTS_SEED = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only when this folder is asked for by name, as ``make soak`` does."""
    parser.addoption("--queries", type=int, default=10_000, help="random queries of the soak")
    parser.addoption("--first-query", type=int, default=100_000, help="the seed of the first one")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The node and the oracle beside each other, over the same events."""
    node = Node(tmp_path_factory.mktemp("filled") / "node", SETTINGS)
    node.start()
    try:
        filled = FilledNode(node, EVENTS_SEED)
        filled.fill()
        texts = (each.text for each in filled.sent)
        oracle = Oracle(texts, filled.arrivals(), paths=PATHS, literals=LITERALS, words=WORDS)
        yield Run(filled, oracle)
        oracle.close()
        filled.close()
    finally:
        node.end()
