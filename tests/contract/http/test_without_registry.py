"""A worker that has no registry yet: it answers, and takes nobody in."""

from pathlib import Path

import pytest

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import INGEST, Node, make_registry, running_node, wait_for
from tests.unit.ingest.wire import Answer, request
from weir.dialects.table import ROUTES
from weir.node.board import Slot
from weir.node.registry import publish_registry

PATHS = sorted({route.path.replace("{id}", "e") for route in ROUTES})
NODE_WORDS = {"error": "unavailable", "message": "The node is not ready yet."}
WORDS: dict[str, dict[str, object]] = {
    "/": {"error": "Service unavailable"},
    "/ingest": {"error": "Service unavailable", "message": "Failed to process event"},
    "/ingest/batch": {"error": "Service unavailable", "message": "Failed to process event"},
    "/v1/ingest/events": {**NODE_WORDS, "details": []},
    "/v1/ingest/beacon": {"accepted": 0, "rejected": 1, "queued": False, **NODE_WORDS},
}
"""Where a vendor has words of its own; the beacon answers 200 whatever happens."""


@pytest.fixture
def way() -> Way:
    """What is asked for is what the worker says, not how it comes."""
    return PLAIN


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weir.ingest.edge.REGISTRY_PATIENCE_S", 0.01)


def _ask(node: Node, path: str, *, method: str = "POST", key: str = INGEST) -> Answer:
    with node.connect() as wire:
        sent = request(path, b"{}" if method == "POST" else b"", method=method, key=key)
        return wire.ask(sent, method=method)


def test_every_ingest_route_answers_503_in_its_words(tmp_path: Path) -> None:
    """With Retry-After, instead of a connection that nobody answers."""
    with running_node(tmp_path / "node", with_registry=False) as node:
        for path in PATHS:
            answer = _ask(node, path)
            assert answer.status == (200 if path.endswith("beacon") else 503), path
            assert answer["retry-after"] == "1"
            assert answer.json == WORDS.get(path, NODE_WORDS), path


def test_health_is_told_and_events_are_taken_once_there_is_a_registry(tmp_path: Path) -> None:
    """Alive and not ready; the worker says that it is ready when it takes events, not before."""
    with running_node(tmp_path / "node", with_registry=False) as node:
        assert _ask(node, "/livez", method="GET").status == 200
        ready = _ask(node, "/readyz", method="GET")
        assert (ready.status, ready.json["registry"]) == (503, False)
        assert _ask(node, "/v1/query").status == 503
        assert node.board.get(Slot.EDGE_READY) == 0
        publish_registry(node.directory, node.board, make_registry(1))
        wait_for(lambda: node.board.get(Slot.EDGE_READY))
        with node.connect() as wire:
            assert wire.ask(request(key=INGEST)).status == 202


def test_a_registry_that_became_unreadable_takes_no_connection_down(tmp_path: Path) -> None:
    """Also with most of the bytes in flight taken, when shares are asked for."""
    with running_node(tmp_path / "node") as node, node.connect() as wire:
        assert wire.ask(request(key=INGEST)).status == 202
        node.directory.registry.write_bytes(b"no registry")
        node.board.set(Slot.REGISTRY_EPOCH, 2)
        budget = node.door._in_flight
        taken = int(budget._bytes_max * 0.9)
        node.call(lambda: setattr(budget, "bytes_in_flight", taken))
        assert wire.ask(request(key=INGEST)).status == 503
        node.call(lambda: setattr(budget, "bytes_in_flight", budget.bytes_in_flight - taken))
