"""What an edge worker answers itself besides ingest: health and readiness."""

from collections.abc import Callable, Mapping

from weir import __version__
from weir.clock import Clock
from weir.dialects.port import Reply
from weir.dialects.replies import encode_reply
from weir.domain.times import SECOND_US, to_datetime
from weir.node.board import Board, Slot

PPM_PER_PERCENT = 10_000


def local_routes(
    board: Board, clock: Clock, *, node: str, region: str
) -> Mapping[bytes, Callable[[], Reply]]:
    """The paths and their answers; ``node`` and ``region`` are this node's names for itself."""
    return {
        b"/v1/health": lambda: _health(board, node, region),
        b"/health": lambda: _clickstream_health(board, clock),
        b"/livez": lambda: encode_reply(200, {"alive": True}),
        b"/readyz": lambda: _ready(board),
    }


def _health(board: Board, node: str, region: str) -> Reply:
    value = {
        "status": "ok" if all(_parts(board).values()) else "degraded",
        "node": node,
        "region": region,
        "version": __version__,
        "uptime": round(board.get(Slot.UPTIME_PPM) / PPM_PER_PERCENT, 2),
    }
    return encode_reply(200, value)


def _ready(board: Board) -> Reply:
    parts = _parts(board)
    is_ready = all(parts.values()) and not board.get(Slot.DRAINING)
    return encode_reply(200 if is_ready else 503, {"ready": is_ready, **parts})


def _clickstream_health(board: Board, clock: Clock) -> Reply:
    """Health in the clickstream dialect's shape: 503 while a part is missing, or the node stops."""
    parts = _parts(board)
    is_healthy = all(parts.values()) and not board.get(Slot.DRAINING)
    value = {
        "status": "healthy" if is_healthy else "unhealthy",
        "timestamp": to_datetime(clock.now_us() // SECOND_US * SECOND_US),
        **parts,
    }
    return encode_reply(200 if is_healthy else 503, value)


def _parts(board: Board) -> dict[str, bool]:
    return {
        "registry": board.get(Slot.REGISTRY_EPOCH) > 0,
        "api": bool(board.get(Slot.API_READY)),
        "loader": bool(board.get(Slot.LOADER_READY)),
    }
