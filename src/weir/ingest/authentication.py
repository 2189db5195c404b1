"""Who sends events: credentials looked up once in each epoch of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

import msgspec

from weir.domain.frame import Place
from weir.domain.keys import KEY_CHARS_MAX, Scope
from weir.domain.registry import (
    Principal,
    Registry,
    Tenant,
    admits_address,
    bearer_token,
    is_bearer,
)
from weir.errors import Forbidden, NotFound, Unauthenticated
from weir.ingest.addresses import client_behind
from weir.ingest.http.credentials import key_in_body
from weir.tokens.claims import TOKEN_CHARS_MAX
from weir.tokens.memory import TokenMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.domain.networks import Network
    from weir.domain.registry import Endpoint
    from weir.ingest.http.exchange import Exchange
    from weir.ingest.limits import LimitTable
    from weir.node.registry import RegistryView

PRINCIPALS_MAX = 8192
"""Credentials of each kind remembered between registry epochs; then the memory starts anew."""

BEARER_BYTES_MAX = KEY_CHARS_MAX + len("Bearer ")
"""Length of a credential that is worth remembering; no longer one can be a key."""

TOKEN_BYTES_MAX = TOKEN_CHARS_MAX + len("Bearer ")
"""The same of an access token."""

_INGEST_ONLY = frozenset({Scope.INGEST.value})


class Known(NamedTuple):
    """A credential that was looked up."""

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


class Callers:
    """One worker's memory of credentials that may send events."""

    __slots__ = (
        "_api_keys",
        "_bearers",
        "_docs_url",
        "_endpoints",
        "_epoch",
        "_limits",
        "_registry",
        "_trusted",
        "_url_keys",
        "tokens",
    )

    def __init__(
        self,
        registry: RegistryView,
        limits: LimitTable,
        *,
        docs_url: str,
        trusted: tuple[Network, ...],
    ) -> None:
        self._registry = registry
        self._limits = limits
        self._docs_url = docs_url
        self._trusted = trusted
        self.tokens = TokenMemory()
        self._bearers: dict[bytes | None, Known] = {}
        self._api_keys: dict[bytes | None, Known] = {}
        self._url_keys: dict[bytes | None, Known] = {}
        self._endpoints: dict[bytes, Endpoint] = {}
        self._epoch = -1

    def recognize(self, exchange: Exchange, now_us: int) -> Known:
        """Who sends events, and where to.

        Raises ``Unauthenticated``, ``Forbidden``, or ``NotFound`` for an endpoint that is not one
        of the key's project.
        """
        registry = self._registry.current()
        if registry.epoch != self._epoch:
            self._bearers.clear()
            self._api_keys.clear()
            self._url_keys.clear()
            self._endpoints = {
                endpoint.public_id.encode(): endpoint for endpoint in registry.endpoints.values()
            }
            self._epoch = registry.epoch
        headers = exchange.head.headers
        known = self._bearers.get(headers.get(b"authorization"))
        if known is None:
            known = self._decide(exchange, registry, now_us)
        if known.principal.expires_at_us is not None:
            registry.confirm(known.principal, now_us=now_us)
        if known.is_bound:
            self._check_bounds(exchange, known.principal)
        return self._at(known, exchange.endpoint) if exchange.endpoint else known

    def _at(self, known: Known, public_id: bytes) -> Known:
        """The same with the endpoint that the request names; what is foreign is unknown."""
        endpoint = self._endpoints.get(public_id.lower())
        if endpoint is None or endpoint.project_id != known.place.project_id:
            raise NotFound("The API key's project has no such endpoint.", code="endpoint_not_found")
        place = msgspec.structs.replace(known.place, endpoint_id=endpoint.endpoint_id)
        return known._replace(place=place)

    def _decide(self, exchange: Exchange, registry: Registry, now_us: int) -> Known:
        """By the one credential that decides, remembered by it alone."""
        headers = exchange.head.headers
        credential = headers.get(b"authorization", b"")
        memory = self._bearers
        if not is_bearer(credential.decode("latin-1")):
            credential = headers.get(b"x-api-key", b"")
            memory = self._api_keys
            route = exchange.route
            if route is not None and not credential.strip():
                if route.find_key is not None:
                    text = key_in_body(exchange, route.find_key)
                    return self._look_up_public(text, registry, now_us)
                if route.key_parameter:
                    credential = _parameter(exchange.head.target, route.key_parameter)
                    memory = self._url_keys
        known = memory.get(credential)
        if known is None:
            text = credential.decode("latin-1")
            look_up = self._look_up
            if memory is self._bearers:
                text = bearer_token(text)
                look_up = self._look_up_bearer
            elif memory is self._url_keys:
                look_up = self._look_up_public
            known = look_up(text.strip(), registry, now_us)
            if len(memory) >= PRINCIPALS_MAX:
                memory.clear()
            bytes_max = TOKEN_BYTES_MAX if known.principal.is_token else BEARER_BYTES_MAX
            if len(credential) <= bytes_max:
                memory[credential] = known
        return known

    def _look_up_public(self, text: str, registry: Registry, now_us: int) -> Known:
        """By a key where others see it: in histories, in logs of proxies, in a page's source."""
        known = self._look_up(text, registry, now_us)
        if known.principal.scopes != _INGEST_ONLY:
            raise Forbidden(
                "A key in a URL or a body must have no other scope than 'ingest'.",
                hint="Make one with: weir keys create --public",
            )
        return known

    def _look_up_bearer(self, text: str, registry: Registry, now_us: int) -> Known:
        """By a key or an access token: the one place where a token may stand."""
        find = self.tokens.authenticate_bearer
        return self._known(registry, text, lambda text: find(registry, text, now_us=now_us))

    def _look_up(self, text: str, registry: Registry, now_us: int) -> Known:
        find = registry.authenticate
        return self._known(registry, text, lambda text: find(text, now_us=now_us))

    def _known(self, registry: Registry, text: str, find: Callable[[str], Principal]) -> Known:
        where = f"See {self._docs_url}"
        if not text:
            raise Unauthenticated("API key required.", hint=where, is_missing=True)
        try:
            principal = find(text)
        except Unauthenticated as error:
            error.hint = where
            raise
        principal.require(Scope.INGEST)
        tenant = registry.tenants[principal.tenant_id]
        is_limited = self._limits.applies(principal, tenant)
        is_metered = bool(self._limits.events_limit(principal, tenant, None))
        is_bound = bool(principal.networks or principal.origins)
        quota = tenant.events_per_month or 0
        return Known(principal, principal.place, tenant, is_limited, is_metered, quota, is_bound)

    def _check_bounds(self, exchange: Exchange, principal: Principal) -> None:
        headers = exchange.head.headers
        if principal.networks:
            forwarded = headers.get(b"x-forwarded-for", b"")
            client = client_behind(exchange.connection.peer, forwarded, trusted=self._trusted)
            if not admits_address(principal, client):
                raise Forbidden(
                    "This IP address is not allowed to use the API key.", bound="address"
                )
        origin = headers.get(b"origin")
        if principal.origins and origin is not None:
            _check_origin(principal, origin)


def _parameter(target: bytes, name: str) -> bytes:
    """The last value of a parameter of the query string; empty when there is none."""
    query = target.partition(b"?")[2].decode("latin-1")
    return parse_qs(query).get(name, [""])[-1].encode()


def _check_origin(principal: Principal, origin: bytes) -> None:
    if origin.decode("latin-1") not in principal.origins:
        raise Forbidden("This origin is not allowed to use the API key.")
