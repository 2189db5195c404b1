"""What an edge worker answers itself: health, and readiness by its parts."""

from pathlib import Path

import msgspec
import pytest

from weir.clock import SystemClock
from weir.dialects.table import HEALTH_ROUTES
from weir.ingest.http.local import local_routes
from weir.node.board import Board, Slot


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board.create(tmp_path / "board")


def _local(board: Board, path: bytes) -> tuple[int, dict[str, object]]:
    reply = local_routes(board, SystemClock(), HEALTH_ROUTES, node="n", region="r")[path]()
    return reply.status, msgspec.json.decode(reply.body)


def test_health_tells_the_node_and_never_fails(board: Board) -> None:
    """Seed 000: uptime is a number; degraded until all parts are there."""
    status, told = _local(board, b"/v1/health")
    assert (status, told["status"], told["uptime"]) == (200, "degraded", 0.0)
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        board.set(slot, 1)
    board.set(Slot.UPTIME_PPM, 999_812)
    status, told = _local(board, b"/v1/health")
    assert (told["status"], told["node"], told["region"]) == ("ok", "n", "r")
    assert told["uptime"] == 99.98


def test_readiness_needs_every_part_and_ends_with_draining(board: Board) -> None:
    """503 says which part is missing."""
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        assert _local(board, b"/readyz")[0] == 503
        board.set(slot, 1)
    assert _local(board, b"/readyz") == (
        200,
        {"ready": True, "registry": True, "api": True, "loader": True},
    )
    board.set(Slot.DRAINING, 1)
    assert _local(board, b"/readyz")[0] == 503
    assert _local(board, b"/livez") == (200, {"alive": True})


def test_clickstream_health_needs_every_part_and_ends_with_draining(board: Board) -> None:
    """503 says which part is missing; the time is the node's."""
    status, told = _local(board, b"/health")
    assert (status, told["status"]) == (503, "unhealthy")
    assert (told["registry"], told["api"], told["loader"]) == (False, False, False)
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        board.set(slot, 1)
    status, told = _local(board, b"/health")
    assert (status, told["status"]) == (200, "healthy")
    assert str(told["timestamp"]).endswith("Z")
    board.set(Slot.DRAINING, 1)
    assert _local(board, b"/health")[0] == 503
