"""Room for the bodies that a worker is handling: bounded, and shared by tenants."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from weir.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.ingest.http.exchange import Exchange
    from weir.node.registry import RegistryView

FREE_SHARE = 0.75
"""Share of the room that one tenant may fill alone."""

GUESTS = -1
"""Stands for a tenant where a body came with no known key."""

GUESTS_SHARE = 1 / 16
"""Share of the room that all guests' bodies take together at most.

Anybody can send such, for paths that the api process answers. However many they are and however
slowly they come, the room of the events stays free of them.
"""

WATCHED_SHARE = 0.25
"""Share of the room below which nobody asks whose small requests are."""


def admits(wanted: int, *, held: int, in_flight: int, tenants: int, bytes_max: int) -> bool:
    """Whether a tenant that holds ``held`` of the bytes in flight may hold ``wanted`` more.

    Up to ``FREE_SHARE`` of the room everybody may. What lies above is for those that hold less
    than an equal share of it all, with one share left for whoever comes next. ``tenants`` is how
    many hold some now, the asking one included.
    """
    if in_flight + wanted > bytes_max:
        return False
    if in_flight + wanted <= FREE_SHARE * bytes_max:
        return True
    return (held + wanted) * (tenants + 1) <= bytes_max


def no_room() -> Unavailable:
    """The error for a body that there is no room for now."""
    return Unavailable("The node is overloaded.", retry_after_s=1)


class Room:
    """Bytes of one worker's bodies in flight, as received and, while they are kept, as inflated.

    0 is a tenant that is not known, or not yet: ``claim`` tells later whose its bytes are. Whole
    small requests need not be claimed while less than ``watched_bytes`` are in flight; then they
    are nobody's.
    """

    __slots__ = (
        "_bytes_max",
        "_free_bytes",
        "_guests_bytes_max",
        "_held",
        "_registry",
        "_when_full",
        "bytes_in_flight",
        "watched_bytes",
    )

    def __init__(
        self, bytes_max: int, registry: RegistryView, when_full: Callable[[], None]
    ) -> None:
        self.bytes_in_flight = 0
        self._bytes_max = bytes_max
        self.watched_bytes = int(WATCHED_SHARE * bytes_max)
        self._free_bytes = int(FREE_SHARE * bytes_max)
        self._guests_bytes_max = int(GUESTS_SHARE * bytes_max)
        self._registry = registry
        self._when_full = when_full
        self._held: defaultdict[int, int] = defaultdict(int)

    def reserve(self, body_bytes: int, tenant_id: int = 0) -> bool:
        """Takes room for body bytes that arrived; False when there is none."""
        wanted = self.bytes_in_flight + body_bytes
        is_full = wanted > self._free_bytes and not self._admits(body_bytes, tenant_id)
        if is_full or (tenant_id == GUESTS and self._fills_guests_share(body_bytes)):
            self._when_full()
            return False
        self.bytes_in_flight = wanted
        if tenant_id:
            self._held[tenant_id] += body_bytes
        return True

    def claim(self, exchange: Exchange, tenant_id: int) -> None:
        """The exchange's bytes, nobody's so far, are a tenant's; ``Unavailable`` if too many."""
        wanted = exchange.body_bytes
        if self.bytes_in_flight > self._free_bytes:
            self.bytes_in_flight -= wanted
            is_admitted = self._admits(wanted, tenant_id)
            self.bytes_in_flight += wanted
            if not is_admitted:
                self._when_full()
                raise no_room()
        exchange.tenant_id = tenant_id
        self._held[tenant_id] += wanted

    def adopt(self, exchange: Exchange, tenant_id: int) -> None:
        """A guest's body has told whose it is; raises as ``claim`` does."""
        self._held[GUESTS] -= exchange.body_bytes
        exchange.tenant_id = 0
        self.claim(exchange, tenant_id)

    def release(self, exchange: Exchange) -> None:
        """Gives an exchange's room back; a second time changes nothing."""
        self.bytes_in_flight -= exchange.body_bytes
        if exchange.tenant_id:
            self._held[exchange.tenant_id] -= exchange.body_bytes
        exchange.body_bytes = 0
        exchange.parts = []

    def tidy(self) -> None:
        """Once a second: forgets tenants that hold nothing."""
        self._held = defaultdict(int, {each: held for each, held in self._held.items() if held})

    def _fills_guests_share(self, body_bytes: int) -> bool:
        return self._held[GUESTS] + body_bytes > self._guests_bytes_max

    def _admits(self, wanted: int, tenant_id: int) -> bool:
        """As ``admits``; a node with one tenant shares with nobody."""
        if not tenant_id or len(self._registry.current().tenants) < 2:
            return self.bytes_in_flight + wanted <= self._bytes_max
        held = self._held[tenant_id]
        others = sum(1 for each, some in self._held.items() if some and each != tenant_id)
        return admits(
            wanted,
            held=held,
            in_flight=self.bytes_in_flight,
            tenants=others + 1,
            bytes_max=self._bytes_max,
        )
