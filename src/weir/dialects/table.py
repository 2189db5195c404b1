"""The table of dialects. Adding one touches its own module and this list."""

from collections.abc import Mapping

from weir.dialects.clickstream import events as clickstream
from weir.dialects.edgemq import events as edgemq
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.dialects.port import IngestRoute
from weir.dialects.realanalytics import events as realanalytics
from weir.dialects.tapemetric import events as tapemetric
from weir.domain.event import Dialect

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
