"""Which ingest route a request is for: by its path, else by what its route asks of the head.

Most paths have one route that takes every request: one look into ``by_path``. A path that several
routes share, or in which ``{id}`` stands for an endpoint, has candidates, tried in the order of the
table of dialects. An endpoint is also named by the host ``<id>.ingest.<domain>``, on the paths that
are shared. A path with slashes too many is no route, but the one that was meant can be told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weir.dialects.port import IngestRoute
    from weir.ingest.http.head import Head

_VARIABLE = b"{id}"


class Routed(NamedTuple):
    """The route of a request, and the public id of the endpoint that it names; empty: the key's."""

    route: IngestRoute | None
    """None: the request is not ingest."""
    endpoint: bytes = b""


NO_ROUTE = Routed(None)


class _Pattern(NamedTuple):
    """Paths that are alike but for an endpoint's public id."""

    before: bytes
    behind: bytes
    routes: Sequence[IngestRoute]

    def endpoint_in(self, path: bytes) -> bytes:
        """What of a path stands in the place of the id; empty: the path is another one."""
        if not (path.startswith(self.before) and path.endswith(self.behind)):
            return b""
        endpoint = path[len(self.before) : -len(self.behind)]
        return b"" if b"/" in endpoint else endpoint


class Routing:
    """The ingest routes of a node; ``domain`` is what stands behind ``<id>.ingest.``, if any."""

    __slots__ = ("_host_end", "_patterns", "_shared", "by_path")

    def __init__(self, routes: Iterable[IngestRoute], *, domain: str) -> None:
        at_path: defaultdict[bytes, list[IngestRoute]] = defaultdict(list)
        for route in routes:
            at_path[route.path.encode()].append(route)
        self._patterns = [
            _pattern_of(path, found) for path, found in at_path.items() if _VARIABLE in path
        ]
        fixed = {path: found for path, found in at_path.items() if _VARIABLE not in path}
        self.by_path = {
            path: found[0]
            for path, found in fixed.items()
            if len(found) == 1 and found[0].takes is None
        }
        """Paths with one route that takes every request."""
        self._shared = {path: found for path, found in fixed.items() if path not in self.by_path}
        self._host_end = b".ingest." + domain.lower().encode() if domain else b""

    def choose(self, head: Head) -> Routed:
        """The route of a request by its head."""
        route = self.by_path.get(head.path)
        if route is not None:
            return Routed(route)
        shared = self._shared.get(head.path)
        if shared is not None:
            endpoint = self._endpoint_of_host(head.headers.get(b"host", b""))
            return _first_that_takes(shared, head, endpoint)
        for pattern in self._patterns:
            endpoint = pattern.endpoint_in(head.path)
            if endpoint:
                return _first_that_takes(pattern.routes, head, endpoint)
        return NO_ROUTE

    def meant_by(self, path: bytes) -> IngestRoute | None:
        """A route of a path that no route has, when all that is wrong with it is slashes."""
        tidy = b"/" + b"/".join(filter(None, path.split(b"/")))
        if tidy == path:
            return None
        if tidy in self.by_path:
            return self.by_path[tidy]
        if tidy in self._shared:
            return self._shared[tidy][-1]
        return next((each.routes[0] for each in self._patterns if each.endpoint_in(tidy)), None)

    def _endpoint_of_host(self, host: bytes) -> bytes:
        if not self._host_end:
            return b""
        name = host.lower().partition(b":")[0].removesuffix(b".")
        return name.removesuffix(self._host_end) if name.endswith(self._host_end) else b""


def _first_that_takes(candidates: Sequence[IngestRoute], head: Head, endpoint: bytes) -> Routed:
    for route in candidates:
        if route.takes is None or route.takes(head.headers, endpoint):
            return Routed(route, endpoint)
    return NO_ROUTE


def _pattern_of(path: bytes, routes: Sequence[IngestRoute]) -> _Pattern:
    before, behind = path.split(_VARIABLE)
    return _Pattern(before, behind, routes)
