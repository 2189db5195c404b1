"""The table of the node's HTTP operations: what ``/openapi.json`` and the reference tell.

The door answers health and ingest, the api process the rest; a client sees one server.
"""

from typing import Final

from weir.api.routes.description import DESCRIPTION
from weir.api.routes.health import HEALTH
from weir.api.routes.ledger import LEDGER
from weir.api.routes.queries import QUERY, QUERY_BY_BODY
from weir.api.routes.script import SCRIPT
from weir.api.routes.tokens import EXCHANGE, JWKS
from weir.api.routes.traces import TRACE
from weir.dialects.clickstream.described import CLICKSTREAM
from weir.dialects.edgemq.described import EDGEMQ
from weir.dialects.native.described import NATIVE
from weir.dialects.novamesh.described import NOVAMESH
from weir.dialects.realanalytics.described import REALANALYTICS
from weir.dialects.tapemetric.described import TAPEMETRIC
from weir.domain.described import DescribedOperation

OPERATIONS: Final[tuple[DescribedOperation, ...]] = (
    *HEALTH,
    NATIVE,
    *NOVAMESH,
    *REALANALYTICS,
    EDGEMQ,
    *CLICKSTREAM,
    *TAPEMETRIC,
    QUERY,
    QUERY_BY_BODY,
    LEDGER,
    TRACE,
    EXCHANGE,
    JWKS,
    SCRIPT,
    DESCRIPTION,
)
