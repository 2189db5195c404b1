"""The table of dialects: adding one is a folder, its import and its line here.

Of several routes with one path the first that takes a request gets it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple

from weir.dialects.clickstream import events as clickstream
from weir.dialects.clickstream.health import render_health
from weir.dialects.edgemq import events as edgemq
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.dialects.port import IngestRoute, RenderHealth
from weir.dialects.realanalytics import events as realanalytics
from weir.dialects.tapemetric import events as tapemetric
from weir.domain.described import DescribedOperation
from weir.domain.event import Dialect


class ListedDialect(NamedTuple):
    """What a node takes from the folder of one dialect."""

    name: str
    """Names the folder, and the dialect in ledger and metrics."""
    routes: tuple[IngestRoute, ...]
    health: Mapping[str, RenderHealth] = {}
    """Paths at which the vendor's clients ask for the node's health, and the answers."""


DIALECTS: Final = (
    ListedDialect("native", native.make_routes(1)),
    ListedDialect("novamesh", novamesh.make_routes(event_code=2, batch_code=3)),
    ListedDialect("realanalytics", realanalytics.make_routes(10)),
    ListedDialect("edgemq", edgemq.make_routes(5)),
    ListedDialect(
        "clickstream",
        clickstream.make_routes(event_code=11, batch_code=12),
        health={"/health": render_health},
    ),
    ListedDialect("tapemetric", tapemetric.make_routes(4)),
)
"""The numbers are the codes that frames carry: what once had one keeps it for ever, and a code is
never used again, not even when its dialect is gone."""

ROUTES: Final = tuple(route for listed in DIALECTS for route in listed.routes)
"""The ingest routes of a node."""

HEALTH_ROUTES: Final[Mapping[str, RenderHealth]] = {
    path: render for listed in DIALECTS for path, render in listed.health.items()
}
"""Where vendors' clients ask for the node's health."""


def dialects_by_code() -> Mapping[int, Dialect]:
    """What the loader needs to decode frames."""
    return {route.dialect.code: route.dialect for route in ROUTES}


def described_operations() -> tuple[DescribedOperation, ...]:
    """The rows of all dialects' operations, of the module ``described`` in each folder.

    They are imported when asked for: an edge worker and a loader do without.
    """
    modules = [import_module(f"weir.dialects.{listed.name}.described") for listed in DIALECTS]
    return tuple(row for module in modules for row in module.OPERATIONS)
