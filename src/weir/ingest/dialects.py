"""The table of dialects. Adding one touches its own module and this list."""

from collections.abc import Mapping

from weir.domain.event import Dialect
from weir.ingest import clickstream, edgemq, native, novamesh, realanalytics, tapemetric
from weir.ingest.admission import IngestRoute

ROUTES: tuple[IngestRoute, ...] = (
    *native.ROUTES,
    *novamesh.ROUTES,
    *tapemetric.ROUTES,
    *edgemq.ROUTES,
    *realanalytics.ROUTES,
    *clickstream.ROUTES,
)


def routes_by_path() -> Mapping[bytes, IngestRoute]:
    """The ingest routes, by path as it stands in a request."""
    return {route.path.encode(): route for route in ROUTES}


def dialects_by_code() -> Mapping[int, Dialect]:
    """What the loader needs to decode frames."""
    return {route.dialect.code: route.dialect for route in ROUTES}
