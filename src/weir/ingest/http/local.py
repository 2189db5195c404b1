"""What an edge worker answers itself besides ingest: health and readiness."""

from collections.abc import Callable, Mapping
from functools import partial

from weir import __version__
from weir.clock import Clock
from weir.dialects.port import Health, RenderHealth, Reply
from weir.dialects.replies import encode_reply
from weir.node.board import Board, Slot

PPM_PER_PERCENT = 10_000


def local_routes(
    board: Board, clock: Clock, of_dialects: Mapping[str, RenderHealth], *, node: str, region: str
) -> Mapping[bytes, Callable[[], Reply]]:
    """The paths and their answers, those ``of_dialects`` among them.

    ``node`` and ``region`` are this node's names for itself.
    """

    def ask(render: RenderHealth) -> Reply:
        return render(_health_of(board, clock))

    return {
        b"/v1/health": lambda: _health(board, node, region),
        b"/livez": lambda: encode_reply(200, {"alive": True}),
        b"/readyz": lambda: ask(_ready),
        **{path.encode(): partial(ask, render) for path, render in of_dialects.items()},
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


def _ready(health: Health) -> Reply:
    status = 200 if health.is_ready else 503
    return encode_reply(status, {"ready": health.is_ready, **health.parts})


def _health_of(board: Board, clock: Clock) -> Health:
    return Health(_parts(board), bool(board.get(Slot.DRAINING)), clock.now_us())


def _parts(board: Board) -> dict[str, bool]:
    return {
        "registry": board.get(Slot.REGISTRY_EPOCH) > 0,
        "api": bool(board.get(Slot.API_READY)),
        "loader": bool(board.get(Slot.LOADER_READY)),
    }
