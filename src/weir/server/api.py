"""``weir api``: queries, the ledger, control; the writer of ``control.db``."""

import asyncio
from collections.abc import Callable, Mapping

from weir.api.app import build_app
from weir.api.auth import authenticator
from weir.api.routes.description import front_routes
from weir.api.routes.ledger import ledger_routes
from weir.api.routes.queries import query_routes
from weir.api.routes.script import script_routes
from weir.api.routes.tokens import token_routes
from weir.api.routes.traces import TraceSources, trace_routes
from weir.api.routing import Routes
from weir.api.run import serve_api
from weir.clock import SystemClock
from weir.control.service import ControlService
from weir.loader.serve.client import LoaderClient
from weir.node.listening import LISTEN_BACKLOG
from weir.node.node_file import read_node
from weir.node.registry import RegistryView
from weir.node.sockets import listen_unix
from weir.query.pool import QueryLimits, QueryPool
from weir.server.child import LOCK_WAIT_S, begin_child, run_loop
from weir.server.run_folder import directory_of
from weir.settings import Settings


def run_api(settings: Settings, *, lifeline_fd: int | None) -> int:
    """The api process: queries, the ledger, the operator's socket; ``control.db``'s writer."""

    directory, board = begin_child("api", settings, lifeline_fd)
    clock = SystemClock()

    async def main(stop: asyncio.Event) -> int:
        pool = QueryPool(QueryLimits.of(settings), root=directory.root, clock=clock)
        workers = asyncio.create_task(pool.start())
        control = await asyncio.to_thread(
            lambda: ControlService.open(
                directory,
                clock=clock,
                board=board,
                url=read_node(directory).url or None,
                wait_s=LOCK_WAIT_S,
            )
        )
        loader = LoaderClient(directory.loader_socket, clock=clock)
        registry = RegistryView(directory, board)
        routes = _api_routes(settings, registry, pool, loader, control.keys.names)
        routes += token_routes(
            registry,
            control.token_keys.signer,
            clock=clock,
            per_minute=settings.token_exchanges_per_minute,
        )
        await workers
        await serve_api(
            build_app(routes),
            control=control,
            listeners=(
                listen_unix(directory.api_socket, backlog=LISTEN_BACKLOG),
                listen_unix(directory.control_socket),
            ),
            board=board,
            clock=clock,
            settings=settings,
            stop=stop,
        )
        await pool.close()
        control.close()
        return 0

    return run_loop(main, settings)


def _api_routes(
    settings: Settings,
    registry: RegistryView,
    pool: QueryPool,
    loader: LoaderClient,
    key_names: Callable[[int], Mapping[int, str]],
) -> Routes:

    clock = SystemClock()
    authenticate = authenticator(registry, clock=clock, docs_url=settings.docs_url)
    sources = TraceSources(
        pool=pool,
        snapshots=loader,
        copies=loader,
        key_names=key_names,
        slug_of=lambda project_id: registry.current().projects[project_id].slug,
        root=directory_of(settings).root,
    )
    return [
        *query_routes(
            pool=pool,
            snapshots=loader,
            authenticate=authenticate,
            rows_max=settings.query_rows_max,
            sql_bytes_max=settings.query_sql_bytes_max,
        ),
        *ledger_routes(
            loader,
            authenticate=authenticate,
            key_names=key_names,
            clock=clock,
            minutes_max=settings.ledger_minutes_max,
        ),
        *trace_routes(sources, authenticate=authenticate),
        *front_routes(docs_url=settings.docs_url),
        *script_routes(),
    ]
