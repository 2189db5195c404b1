"""``weir api``: queries, the ledger, control; the writer of ``control.db``.

It publishes the registry first, since nobody may be let in before that, and loads only then what
answers requests (``api_routes.py``).
"""

import asyncio

from weir.clock import Clock, SystemClock
from weir.control.service import ControlService
from weir.errors import WeirError
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.node_file import read_node
from weir.server.child import LOCK_WAIT_S, begin_child, note_failure, run_loop
from weir.settings import Settings


def run_api(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The api process: queries, the ledger, the operator's socket; ``control.db``'s writer."""

    directory, board = begin_child("api", settings, lifeline_fd)
    clock = SystemClock()
    try:
        control = ControlService.open(
            directory,
            clock=clock,
            board=board,
            url=read_node(directory).url or None,
            wait_s=LOCK_WAIT_S,
        )
    except WeirError as error:
        note_failure(error, settings)
        return 1

    async def main(stop: asyncio.Event) -> int:
        await _serve(settings, directory, board, control, clock=clock, stop=stop)
        return 0

    try:
        return run_loop(main, settings)
    finally:
        control.close()


async def _serve(
    settings: Settings,
    directory: Directory,
    board: Board,
    control: ControlService,
    *,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    from weir.query.pool import QueryLimits, QueryPool

    pool = QueryPool(QueryLimits.of(settings), root=directory.root, clock=clock)
    workers = asyncio.create_task(pool.start())
    await asyncio.sleep(0)  # the fork server starts beside the imports that follow
    from weir.api.app import build_app
    from weir.api.run import Served, serve_api
    from weir.node.listening import LISTEN_BACKLOG
    from weir.node.sockets import listen_unix
    from weir.server.api_routes import make_routes

    listeners = (
        listen_unix(directory.api_socket, backlog=LISTEN_BACKLOG),
        listen_unix(directory.control_socket),
    )
    app = build_app(make_routes(settings, directory, board, pool, control, clock=clock))
    try:
        await serve_api(
            Served(app, control, listeners, workers),
            board=board,
            clock=clock,
            settings=settings,
            stop=stop,
        )
    finally:
        workers.cancel()
        await pool.close()
