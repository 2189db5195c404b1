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
    admits_address,
    credential_of,
    is_bearer,
)
from weir.errors import Forbidden, NotFound, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weir.domain.registry import Endpoint
    from weir.ingest.exchange import Exchange
    from weir.ingest.limits import LimitTable
    from weir.storage.registry import RegistryView

PRINCIPALS_MAX = 8192
"""Credentials of each kind remembered between registry epochs; then the memory starts anew."""

BEARER_BYTES_MAX = KEY_CHARS_MAX + len("Bearer ")
"""Length of a credential that is worth remembering; no longer one can be a key."""

_INGEST_ONLY = frozenset({Scope.INGEST.value})


class Known(NamedTuple):
    """A credential that was looked up."""

    principal: Principal
    place: Place
    is_limited: bool
    """Whether any rate limit applies."""
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
        "_url_keys",
    )

    def __init__(self, registry: RegistryView, limits: LimitTable, *, docs_url: str) -> None:
        self._registry = registry
        self._limits = limits
        self._docs_url = docs_url
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
            _check_bounds(exchange, known.principal)
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
            name = exchange.route.key_parameter if exchange.route is not None else ""
            if name and not credential.strip():
                credential = _parameter(exchange.head.target, name)
                headers = {b"x-api-key": credential}
                memory = self._url_keys
        known = memory.get(credential)
        if known is None:
            known = self._look_up(headers, registry, now_us)
            if memory is self._url_keys:
                _check_public(known.principal)
            if len(memory) >= PRINCIPALS_MAX:
                memory.clear()
            if len(credential) <= BEARER_BYTES_MAX:
                memory[credential] = known
        return known

    def _look_up(self, headers: Mapping[bytes, bytes], registry: Registry, now_us: int) -> Known:
        text = credential_of(
            authorization=headers.get(b"authorization", b"").decode("latin-1"),
            api_key=headers.get(b"x-api-key", b"").decode("latin-1"),
        )
        where = f"See {self._docs_url}"
        if text is None:
            raise Unauthenticated("API key required.", hint=where)
        try:
            principal = registry.authenticate(text, now_us=now_us)
        except Unauthenticated as error:
            error.hint = where
            raise
        principal.require(Scope.INGEST)
        tenant = registry.tenants[principal.tenant_id]
        is_limited = self._limits.applies(principal, tenant)
        is_bound = bool(principal.networks or principal.origins)
        quota = tenant.events_per_month or 0
        return Known(principal, principal.place, is_limited, quota, is_bound)


def _check_public(principal: Principal) -> None:
    """A URL is seen by others: in histories, in logs of proxies, as a page's referrer."""
    if principal.scopes != _INGEST_ONLY:
        raise Forbidden(
            "A key in a URL must have no other scope than 'ingest'.",
            hint="Make one with: weir keys create --public",
        )


def _parameter(target: bytes, name: str) -> bytes:
    """The last value of a parameter of the query string; empty when there is none."""
    query = target.partition(b"?")[2].decode("latin-1")
    return parse_qs(query).get(name, [""])[-1].encode()


def _check_bounds(exchange: Exchange, principal: Principal) -> None:
    if not admits_address(principal, exchange.connection.peer):
        raise Forbidden("This IP address is not allowed to use the API key.")
    origin = exchange.head.headers.get(b"origin")
    if principal.origins and origin is not None:
        _check_origin(principal, origin)


def _check_origin(principal: Principal, origin: bytes) -> None:
    if origin.decode("latin-1") not in principal.origins:
        raise Forbidden("This origin is not allowed to use the API key.")
