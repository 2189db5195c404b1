"""Who sends events: credentials looked up once in each epoch of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weir.domain.frame import Place
from weir.domain.keys import KEY_CHARS_MAX, Scope
from weir.domain.registry import (
    Principal,
    Registry,
    admits_address,
    credential_of,
    is_bearer,
)
from weir.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weir.ingest.exchange import Exchange
    from weir.ingest.limits import LimitTable
    from weir.storage.registry import RegistryView

PRINCIPALS_MAX = 8192
"""Credentials of each kind remembered between registry epochs; then the memory starts anew."""

BEARER_BYTES_MAX = KEY_CHARS_MAX + len("Bearer ")
"""Length of a credential that is worth remembering; no longer one can be a key."""


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

    __slots__ = ("_api_keys", "_bearers", "_docs_url", "_epoch", "_limits", "_registry")

    def __init__(self, registry: RegistryView, limits: LimitTable, *, docs_url: str) -> None:
        self._registry = registry
        self._limits = limits
        self._docs_url = docs_url
        self._bearers: dict[bytes | None, Known] = {}
        self._api_keys: dict[bytes | None, Known] = {}
        self._epoch = -1

    def recognize(self, exchange: Exchange, now_us: int) -> Known:
        """Who sends events; raises ``Unauthenticated`` or ``Forbidden``."""
        registry = self._registry.current()
        if registry.epoch != self._epoch:
            self._bearers.clear()
            self._api_keys.clear()
            self._epoch = registry.epoch
        headers = exchange.head.headers
        known = self._bearers.get(headers.get(b"authorization"))
        if known is None:
            known = self._decide(headers, registry, now_us)
        if known.principal.expires_at_us is not None:
            registry.confirm(known.principal, now_us=now_us)
        if known.is_bound:
            _check_bounds(exchange, known.principal)
        return known

    def recognize_shown(self, text: str | None, exchange: Exchange, now_us: int) -> Known:
        """As ``recognize``, by a key that stands where others may see it: it may do nothing else.

        Such keys are not remembered.
        """
        known = self._look_up(text, self._registry.current(), now_us)
        if known.principal.scopes != {Scope.INGEST}:
            raise Forbidden(
                "An API key in a body may have no other scope than 'ingest'.",
                hint="Create one with: weir keys create --public",
            )
        if known.is_bound:
            _check_bounds(exchange, known.principal)
        return known

    def _decide(self, headers: Mapping[bytes, bytes], registry: Registry, now_us: int) -> Known:
        """By the one credential that decides, remembered by it alone."""
        credential = headers.get(b"authorization", b"")
        memory = self._bearers
        if not is_bearer(credential.decode("latin-1")):
            credential = headers.get(b"x-api-key", b"")
            memory = self._api_keys
        known = memory.get(credential)
        if known is None:
            known = self._look_up(_text_of(headers), registry, now_us)
            if len(memory) >= PRINCIPALS_MAX:
                memory.clear()
            if len(credential) <= BEARER_BYTES_MAX:
                memory[credential] = known
        return known

    def _look_up(self, text: str | None, registry: Registry, now_us: int) -> Known:
        where = f"See {self._docs_url}"
        if text is None:
            raise Unauthenticated("API key required.", hint=where, is_missing=True)
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


def names_nobody(headers: Mapping[bytes, bytes]) -> bool:
    """Whether no header holds a credential."""
    return _text_of(headers) is None


def _text_of(headers: Mapping[bytes, bytes]) -> str | None:
    return credential_of(
        authorization=headers.get(b"authorization", b"").decode("latin-1"),
        api_key=headers.get(b"x-api-key", b"").decode("latin-1"),
    )


def _check_bounds(exchange: Exchange, principal: Principal) -> None:
    if not admits_address(principal, exchange.connection.peer):
        raise Forbidden("This IP address is not allowed to use the API key.", bound="address")
    origin = exchange.head.headers.get(b"origin")
    if principal.origins and origin is not None:
        _check_origin(principal, origin)


def _check_origin(principal: Principal, origin: bytes) -> None:
    if origin.decode("latin-1") not in principal.origins:
        raise Forbidden("This origin is not allowed to use the API key.")
