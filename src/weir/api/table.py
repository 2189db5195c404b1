"""The table of the node's HTTP operations: what ``/openapi.json`` and the reference tell.

The door answers health and ingest, the api process the rest; a client sees one server.
"""

from typing import Final

from weir.api.routes.description import DESCRIPTION, FRONT
from weir.api.routes.health import HEALTH
from weir.api.routes.ledger import LEDGER
from weir.api.routes.queries import QUERY, QUERY_BY_BODY
from weir.api.routes.script import SCRIPT
from weir.api.routes.tokens import EXCHANGE, JWKS
from weir.api.routes.traces import TRACE
from weir.dialects.table import described_operations
from weir.domain.described import DescribedOperation

RELAYED: Final[tuple[DescribedOperation, ...]] = (
    QUERY,
    QUERY_BY_BODY,
    LEDGER,
    TRACE,
    EXCHANGE,
    JWKS,
    FRONT,
    SCRIPT,
    DESCRIPTION,
)
"""What the door relays to the api process, each with a route in its app."""

OPERATIONS: Final = (*HEALTH, *described_operations(), *RELAYED)
