"""Fixtures of the door's tests: every case runs over plain HTTP, TLS and a pooling proxy.

A module or a test whose subject is the bytes of one connection has a ``way`` of its own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.http.ways import WAYS, MakeWay, Way, made_ways
from tests.unit.ingest.node import Node


@pytest.fixture(scope="session")
def make_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeWay]:
    """The certificate and the proxy are made once, by the first case that needs them."""
    with made_ways(tmp_path_factory.mktemp("ways")) as make:
        yield make


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, make_way: MakeWay) -> Way:
    """How the client's bytes reach the door."""
    return make_way(request.param)


@pytest.fixture
def node(tmp_path: Path, way: Way) -> Iterator[Node]:
    """A running edge worker with short deadlines and the default limits."""
    with way.node(tmp_path / "node") as running:
        yield running
