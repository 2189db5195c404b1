"""The in-flight budget: bytes of the bodies that a worker is handling, shared by its tenants."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from weir.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.node.registry import RegistryView

FREE_SHARE = 0.75
"""Share of the budget that one tenant may fill alone."""

UNKNOWN_SENDER = -1
"""Stands for a tenant where a body came with no known credential."""

UNKNOWN_SHARE = 1 / 16
"""Share of the budget that the bodies of unknown senders take together at most.

Anybody can send such, for paths that the api process answers. However many they are and however
slowly they come, most of the budget stays free for events.
"""

WATCHED_SHARE = 0.25
"""Share of the budget below which nobody asks whose small requests are."""


class BodyInFlight(Protocol):
    """A body that is counted, and whose it is."""

    body_bytes: int
    """Bytes of it that are counted now."""
    tenant_id: int
    """The tenant whose bytes they are; 0: nobody's, or not known yet; or ``UNKNOWN_SENDER``."""

    def drop_body(self) -> None:
        """Lets go of the bytes, which nobody reads any more."""
        ...


def admits(wanted: int, *, held: int, in_flight: int, tenants: int, bytes_max: int) -> bool:
    """Whether a tenant that holds ``held`` of the bytes in flight may hold ``wanted`` more.

    Up to ``FREE_SHARE`` of the budget everybody may. What lies above is for those that hold less
    than an equal share of it all, with one share left for the next to come. ``tenants`` is how
    many hold some now, the asking one included.
    """
    if in_flight + wanted > bytes_max:
        return False
    if in_flight + wanted <= FREE_SHARE * bytes_max:
        return True
    return (held + wanted) * (tenants + 1) <= bytes_max


def overloaded() -> Unavailable:
    """The error for a body that does not fit into the budget now."""
    return Unavailable("The node is overloaded.", retry_after_s=1)


class InFlightBudget:
    """Bytes of one worker's bodies in flight, as received and, while they are kept, as inflated.

    0 is a tenant that is not known, or not yet: ``claim`` says later whose its bytes are. Whole
    small requests need not be claimed while less than ``watched_bytes`` are in flight; then they
    are nobody's.
    """

    __slots__ = (
        "_bytes_max",
        "_free_bytes",
        "_held",
        "_registry",
        "_unknown_bytes_max",
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
        self._unknown_bytes_max = int(UNKNOWN_SHARE * bytes_max)
        self._registry = registry
        self._when_full = when_full
        self._held: defaultdict[int, int] = defaultdict(int)

    def reserve(self, body_bytes: int, tenant_id: int = 0) -> bool:
        """Counts body bytes that arrived; False, and they are not, when they do not fit."""
        wanted = self.bytes_in_flight + body_bytes
        is_full = wanted > self._free_bytes and not self._admits(body_bytes, tenant_id)
        if is_full or (tenant_id == UNKNOWN_SENDER and self._fills_unknown_share(body_bytes)):
            self._when_full()
            return False
        self.bytes_in_flight = wanted
        if tenant_id:
            self._held[tenant_id] += body_bytes
        return True

    def claim(self, body: BodyInFlight, tenant_id: int) -> None:
        """Counts a body's bytes, nobody's so far, as a tenant's; ``Unavailable`` if too many."""
        wanted = body.body_bytes
        if self.bytes_in_flight > self._free_bytes:
            self.bytes_in_flight -= wanted
            is_admitted = self._admits(wanted, tenant_id)
            self.bytes_in_flight += wanted
            if not is_admitted:
                self._when_full()
                raise overloaded()
        body.tenant_id = tenant_id
        self._held[tenant_id] += wanted

    def identify(self, body: BodyInFlight, tenant_id: int) -> None:
        """Counts a body of an unknown sender as a tenant's; raises as ``claim`` does."""
        self._held[UNKNOWN_SENDER] -= body.body_bytes
        body.tenant_id = 0
        self.claim(body, tenant_id)

    def release(self, body: BodyInFlight) -> None:
        """Takes a body out of the count and drops it; a second time changes nothing."""
        self.bytes_in_flight -= body.body_bytes
        if body.tenant_id:
            self._held[body.tenant_id] -= body.body_bytes
        body.body_bytes = 0
        body.drop_body()

    def tidy(self) -> None:
        """Forgets tenants that hold nothing; called once a second."""
        self._held = defaultdict(int, {each: held for each, held in self._held.items() if held})

    def _fills_unknown_share(self, body_bytes: int) -> bool:
        return self._held[UNKNOWN_SENDER] + body_bytes > self._unknown_bytes_max

    def _admits(self, wanted: int, tenant_id: int) -> bool:
        """Whether a tenant may hold more; a node with one tenant shares with nobody."""
        if not tenant_id or self._has_one_tenant():
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

    def _has_one_tenant(self) -> bool:
        try:
            return len(self._registry.current().tenants) < 2
        except Unavailable:  # nobody knows: it shares
            return False
