"""Who sends events: a credential's text to what its holder may do and where the events go.

Free of any protocol: the part that finds the text (``http/credentials.py`` in requests) asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from weir.domain.frame import Place
from weir.domain.keys import Scope
from weir.domain.registry import Principal, Registry, Tenant
from weir.errors import Forbidden, NotFound, Unauthenticated
from weir.tokens.memory import TokenMemory

if TYPE_CHECKING:
    from weir.domain.registry import Endpoint
    from weir.ingest.limits import LimitTable

_INGEST_ONLY = frozenset({Scope.INGEST.value})


class Sender(NamedTuple):
    """Who sends events by a credential that was looked up, and what limits apply."""

    principal: Principal
    place: Place
    tenant: Tenant
    is_limited: bool
    """Whether any rate limit applies, whatever the dialect."""
    is_metered: bool
    """Whether its events are counted in a window, whatever the dialect."""
    quota: int
    """Events per month of its tenant; 0 is no limit."""
    is_bound: bool
    """Whether it may be used from some addresses or origins only."""


class Authentication:
    """Senders by the registry in force; remembers nothing but verified access tokens."""

    __slots__ = ("_docs_url", "_endpoints", "_epoch", "_limits", "tokens")

    def __init__(self, limits: LimitTable, *, docs_url: str) -> None:
        self._limits = limits
        self._docs_url = docs_url
        self._endpoints: dict[bytes, Endpoint] = {}
        self._epoch = -1
        self.tokens = TokenMemory()

    def by_key(self, registry: Registry, text: str, *, now_us: int) -> Sender:
        """The sender of an API key that may ingest.

        Raises ``Unauthenticated`` and ``Forbidden`` as ``Registry.authenticate`` does.
        """
        try:
            principal = registry.authenticate(self._given(text), now_us=now_us)
        except Unauthenticated as error:
            raise self._explained(error) from None
        return self._sender(registry, principal)

    def by_public_key(self, registry: Registry, text: str, *, now_us: int) -> Sender:
        """The sender of a key that others can see, as in URLs, logs of proxies and page sources.

        Raises as ``by_key`` does, and ``Forbidden`` for a key with any other scope than ingest.
        """
        sender = self.by_key(registry, text, now_us=now_us)
        if sender.principal.scopes != _INGEST_ONLY:
            raise Forbidden(
                "A key in a URL or a body must have no other scope than 'ingest'.",
                hint="Make one with: weir keys create --public",
            )
        return sender

    def by_bearer(self, registry: Registry, text: str, *, now_us: int) -> Sender:
        """The sender of an API key or an access token, where either may stand."""
        try:
            principal = self.tokens.authenticate_bearer(registry, self._given(text), now_us=now_us)
        except Unauthenticated as error:
            raise self._explained(error) from None
        return self._sender(registry, principal)

    def at_endpoint(self, registry: Registry, sender: Sender, public_id: bytes) -> Sender:
        """The sender, writing to an endpoint that it names.

        Raises ``NotFound`` for one that is not of its project: what is foreign is unknown.
        """
        if registry.epoch != self._epoch:
            self._endpoints = {
                endpoint.public_id.encode(): endpoint for endpoint in registry.endpoints.values()
            }
            self._epoch = registry.epoch
        endpoint = self._endpoints.get(public_id.lower())
        if endpoint is None or endpoint.project_id != sender.place.project_id:
            raise NotFound("The API key's project has no such endpoint.", code="endpoint_not_found")
        place = msgspec.structs.replace(sender.place, endpoint_id=endpoint.endpoint_id)
        return sender._replace(place=place)

    def _given(self, text: str) -> str:
        if text:
            return text
        raise self._explained(Unauthenticated("API key required.", is_missing=True))

    def _explained(self, error: Unauthenticated) -> Unauthenticated:
        error.hint = f"See {self._docs_url}"
        return error

    def _sender(self, registry: Registry, principal: Principal) -> Sender:
        principal.require(Scope.INGEST)
        tenant = registry.tenants[principal.tenant_id]
        return Sender(
            principal=principal,
            place=principal.place,
            tenant=tenant,
            is_limited=self._limits.applies(principal, tenant),
            is_metered=bool(self._limits.events_limit(principal, tenant, None)),
            quota=tenant.events_per_month or 0,
            is_bound=bool(principal.networks or principal.origins),
        )
