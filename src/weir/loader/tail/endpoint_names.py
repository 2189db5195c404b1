"""Rows carry the names of endpoints, frames their numbers: what they are called is decided once."""

from collections.abc import Mapping, Sequence

from weir.domain.frame import Frame
from weir.errors import Unavailable
from weir.loader.tail.view import View
from weir.node.registry import RegistryView


class EndpointNames:
    """The names that the rows of one cut carry: each is decided when its endpoint is first met.

    A commit that is repeated after a crash takes them from its intent, because the registry may
    know others by then.
    """

    __slots__ = ("_registry", "_view")

    def __init__(self, registry: RegistryView, view: View) -> None:
        self._registry = registry
        self._view = view

    def of(self, frames: Sequence[Frame]) -> Mapping[int, str]:
        """Names for all endpoints of the frames; one that nobody knows is named by its number."""
        names = self._view.growing.endpoints
        unnamed = {frame.place.endpoint_id for frame in frames} - names.keys()
        for endpoint_id in sorted(unnamed):
            try:
                endpoint = self._registry.current().endpoints.get(endpoint_id)
            except Unavailable:
                endpoint = None
            names[endpoint_id] = endpoint.public_id if endpoint else str(endpoint_id)
        return names
