"""The routes of the api process, each joined with the parts that it asks."""

from weir.api.auth import authenticator
from weir.api.routes.description import front_routes
from weir.api.routes.ledger import ledger_routes
from weir.api.routes.queries import query_routes
from weir.api.routes.script import script_routes
from weir.api.routes.tokens import token_routes
from weir.api.routes.traces import TraceSources, trace_routes
from weir.api.routing import Routes
from weir.clock import Clock
from weir.control.service import ControlService
from weir.loader.serve.client import LoaderClient, WholeSnapshots
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.query.pool import QueryPool
from weir.settings import Settings


def make_routes(
    settings: Settings,
    directory: Directory,
    board: Board,
    pool: QueryPool,
    control: ControlService,
    *,
    clock: Clock,
) -> Routes:
    """Every route that is relayed to the api process."""
    loader = LoaderClient(directory.loader_socket, clock=clock)
    registry = RegistryView(directory, board)
    authenticate = authenticator(registry, clock=clock, docs_url=settings.docs_url)
    sources = TraceSources(
        pool=pool,
        snapshots=WholeSnapshots(loader),
        copies=loader,
        key_names=control.keys.names,
        slug_of=lambda project_id: registry.current().projects[project_id].slug,
        root=directory.root,
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
            key_names=control.keys.names,
            clock=clock,
            minutes_max=settings.ledger_minutes_max,
        ),
        *trace_routes(sources, authenticate=authenticate),
        *front_routes(docs_url=settings.docs_url),
        *script_routes(),
        *token_routes(
            registry,
            control.token_keys.signer,
            clock=clock,
            per_minute=settings.token_exchanges_per_minute,
        ),
    ]
