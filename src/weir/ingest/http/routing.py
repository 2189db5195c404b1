"""Which ingest route a request is for, where its path alone does not say.

Most routes are known by their path: one look into ``by_path``. The rest is decided here:
``POST /v1/endpoints/{id}/ingest`` and ``POST /ingest`` on the host ``<id>.ingest.<domain>`` are
the data plane of the endpoint that they name. ``POST /ingest`` on any other host is the data
plane of the key's endpoint when the body is NDJSON, else the route that stands under that path.
A path with slashes too many is no route, but the one that was meant can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.dialects.edgemq import events as edgemq
from weir.dialects.media_types import is_ndjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weir.dialects.port import IngestRoute
    from weir.ingest.http.exchange import Exchange

ENDPOINT_PATH = edgemq.ENDPOINT_PATH.encode()
ROOT_PATH = b"/"
SHARED_PATH = b"/ingest"
_PREFIX, _SUFFIX = ENDPOINT_PATH.split(b"{id}")


class Routing:
    """The ingest routes of a node; ``domain`` is what stands behind ``<id>.ingest.``, if any."""

    __slots__ = (
        "_endpoint_route",
        "_host_end",
        "_root_route",
        "_routes",
        "_shared_route",
        "by_path",
    )

    def __init__(self, routes: Mapping[bytes, IngestRoute], *, domain: str) -> None:
        self._routes = routes
        by_path = dict(routes)
        self._endpoint_route = by_path.pop(ENDPOINT_PATH, None)
        self._shared_route = by_path.pop(SHARED_PATH, None)
        self._root_route = by_path.pop(ROOT_PATH, None)
        self._host_end = b".ingest." + domain.lower().encode() if domain else b""
        self.by_path = by_path

    def choose(self, exchange: Exchange) -> IngestRoute | None:
        """The route of a request that ``by_path`` does not know; None: it is not ingest.

        An endpoint that the request names is noted in the exchange.
        """
        path = exchange.head.path
        if path == ROOT_PATH:
            return self._root_route
        if path == SHARED_PATH:
            return self._choose_shared(exchange)
        endpoint = _endpoint_in(path)
        if not endpoint:
            return None
        exchange.endpoint = endpoint
        return self._endpoint_route

    def meant_by(self, path: bytes) -> IngestRoute | None:
        """The route of a path that no route has, when all that is wrong with it is slashes."""
        tidy = b"/" + b"/".join(filter(None, path.split(b"/")))
        if tidy == path:
            return None
        return self._endpoint_route if _endpoint_in(tidy) else self._routes.get(tidy)

    def _choose_shared(self, exchange: Exchange) -> IngestRoute | None:
        headers = exchange.head.headers
        exchange.endpoint = self._endpoint_of_host(headers.get(b"host", b""))
        if exchange.endpoint or is_ndjson(headers.get(b"content-type")):
            return self._endpoint_route
        return self._shared_route

    def _endpoint_of_host(self, host: bytes) -> bytes:
        if not self._host_end:
            return b""
        name = host.lower().partition(b":")[0].removesuffix(b".")
        return name.removesuffix(self._host_end) if name.endswith(self._host_end) else b""


def _endpoint_in(path: bytes) -> bytes:
    """The endpoint that a path names; empty: it is not that of an endpoint's data plane."""
    if not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
        return b""
    endpoint = path[len(_PREFIX) : -len(_SUFFIX)]
    return b"" if b"/" in endpoint else endpoint
