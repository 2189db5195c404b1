"""The table of dialects: adding one touches its folder and this list.

Of several routes with one path the first that takes a request gets it.
"""

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


def dialects_by_code() -> Mapping[int, Dialect]:
    """What the loader needs to decode frames."""
    return {route.dialect.code: route.dialect for route in ROUTES}
