"""A node of its own for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.loader.rig import Rig, RigClock, make_rig


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes nodes in directories of their own; their journals are closed at the end."""
    rigs: list[Rig] = []

    def new(**settings: Any) -> Rig:
        rigs.append(make_rig(tmp_path / f"node-{len(rigs)}", RigClock(), **settings))
        return rigs[-1]

    yield new
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    """A node whose loader cuts on demand only."""
    return new_rig()
