"""``weir api``: queries, the ledger, control; the writer of ``control.db``.

What takes long at a start comes in the order in which others wait for it: the fork server of query
workers, a process of its own, is begun first; then the registry is published, since nobody may be
let in before that; only then what answers requests is loaded (``api_routes.py``).
"""

import asyncio
from typing import TYPE_CHECKING

from weir.clock import Clock, SystemClock
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.node_file import read_node
from weir.query.pool import QueryLimits, QueryPool
from weir.server.child import LOCK_WAIT_S, begin_child, run_loop
from weir.settings import Settings

if TYPE_CHECKING:
    from weir.control.service import ControlService


def run_api(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The api process: queries, the ledger, the operator's socket; ``control.db``'s writer."""

    directory, board = begin_child("api", settings, lifeline_fd)
    clock = SystemClock()

    async def main(stop: asyncio.Event) -> int:
        pool = QueryPool(QueryLimits.of(settings), root=directory.root, clock=clock)
        workers = asyncio.create_task(pool.start())
        try:
            await asyncio.sleep(0)  # the fork server has begun
            control = await asyncio.to_thread(_open_control, directory, board, clock)
            try:
                await _serve(settings, directory, board, control, pool, workers, stop)
            finally:
                control.close()
        finally:
            workers.cancel()
            await pool.close()
        return 0

    return run_loop(main, settings)


def _open_control(directory: Directory, board: Board, clock: Clock) -> "ControlService":
    """Opens control state, which publishes the registry."""
    from weir.control.service import ControlService

    return ControlService.open(
        directory,
        clock=clock,
        board=board,
        url=read_node(directory).url or None,
        wait_s=LOCK_WAIT_S,
    )


async def _serve(
    settings: Settings,
    directory: Directory,
    board: Board,
    control: "ControlService",
    pool: QueryPool,
    workers: "asyncio.Task[None]",
    stop: asyncio.Event,
) -> None:
    from weir.api.app import build_app
    from weir.api.run import Served, serve_api
    from weir.node.listening import LISTEN_BACKLOG
    from weir.node.sockets import listen_unix
    from weir.server.api_routes import make_routes

    clock = SystemClock()
    listeners = (
        listen_unix(directory.api_socket, backlog=LISTEN_BACKLOG),
        listen_unix(directory.control_socket),
    )
    app = build_app(make_routes(settings, directory, board, pool, control, clock=clock))
    served = Served(app, control, listeners, workers)
    await serve_api(served, board=board, clock=clock, settings=settings, stop=stop)
