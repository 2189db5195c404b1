"""Credentials in requests: found where the route says, looked up once in each registry epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.dialects.credential_finders import ANY_ROUTE, BEARER, InBody, InHead
from weir.dialects.hygiene import BYTE_ORDER_MARK
from weir.dialects.port import BodyTooLarge
from weir.domain.keys import KEY_CHARS_MAX
from weir.domain.registry import admits_address
from weir.errors import Forbidden, Unauthenticated
from weir.ingest.addresses import client_behind
from weir.ingest.encodings import encoding_of, inflate_small
from weir.tokens.claims import TOKEN_CHARS_MAX

if TYPE_CHECKING:
    from weir.dialects.port import IngestRoute
    from weir.domain.networks import Network
    from weir.domain.registry import Principal, Registry
    from weir.ingest.authentication import Authentication, Sender
    from weir.ingest.http.exchange import Exchange
    from weir.ingest.http.head import Head
    from weir.node.registry import RegistryView

SENDERS_MAX = 8192
"""Credentials of one place remembered between registry epochs; then the memory starts anew."""

KEYED_BODY_BYTES_MAX = 65536
"""Received size up to which a key is looked for in a body: what browsers let a beacon have."""


class Credentials:
    """Senders of one worker's requests, remembered by their credential alone."""

    __slots__ = (
        "_authentication",
        "_by_authorization",
        "_epoch",
        "_memories",
        "_registry",
        "_trusted",
    )

    def __init__(
        self,
        authentication: Authentication,
        registry: RegistryView,
        *,
        trusted: tuple[Network, ...],
    ) -> None:
        self._authentication = authentication
        self._registry = registry
        self._trusted = trusted
        self._by_authorization: dict[bytes, Sender] = {}
        """By the whole header, which most requests have: one look finds them."""
        self._memories: dict[InHead, dict[bytes, Sender]] = {}
        self._epoch = -1

    def sender_of(self, exchange: Exchange, route: IngestRoute, *, now_us: int) -> Sender:
        """Who sends the events of a request, and where to.

        Raises ``Unauthenticated``, ``Forbidden``, or ``NotFound`` for an endpoint that is not one
        of the key's project; ``BodyTooLarge`` when the key would have to stand in a large body.
        """
        registry = self._registry.current()
        if registry.epoch != self._epoch:
            self._by_authorization.clear()
            self._memories.clear()
            self._epoch = registry.epoch
        sender = self._by_authorization.get(exchange.head.headers.get(b"authorization", b""))
        if sender is None:
            sender = self._find(exchange, route, registry, now_us)
        if sender.principal.expires_at_us is not None:
            registry.confirm(sender.principal, now_us=now_us)
        if sender.is_bound:
            self._check_bounds(exchange, sender.principal)
        if not exchange.endpoint:
            return sender
        return self._authentication.at_endpoint(registry, sender, exchange.endpoint)

    def may_stand_in_body(self, head: Head, route: IngestRoute) -> bool:
        """Whether a credential can only be looked for once the body is there.

        Raises ``BodyTooLarge`` when the body is too large to hold one.
        """
        for finder in route.credentials:
            if isinstance(finder, InBody):
                length = head.content_length
                if length is not None and length > KEYED_BODY_BYTES_MAX:
                    raise _too_large()
                return True
            if finder.find(head.headers, head.target) is not None:
                return False
        return False

    def brings_body_unknown(self, head: Head, *, now_us: int) -> bool:
        """Whether a body follows the head of a request that no good credential came with."""
        headers = head.headers
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return False
        registry = self._registry.current()
        for finder in ANY_ROUTE:
            found = finder.find(headers, head.target)
            if found is not None:
                return not self._is_known(registry, finder, found.decode("latin-1").strip(), now_us)
        return True

    def _is_known(self, registry: Registry, finder: InHead, text: str, now_us: int) -> bool:
        try:
            if finder.takes_tokens:
                self._authentication.tokens.authenticate_bearer(registry, text, now_us=now_us)
            else:
                registry.authenticate(text, now_us=now_us)
        except (Unauthenticated, Forbidden):
            return False
        return True

    def _find(
        self, exchange: Exchange, route: IngestRoute, registry: Registry, now_us: int
    ) -> Sender:
        head = exchange.head
        for finder in route.credentials:
            if isinstance(finder, InBody):
                text = finder.find(_small_body(exchange))
                if text is not None:
                    return self._authentication.by_public_key(registry, text.strip(), now_us=now_us)
                continue
            found = finder.find(head.headers, head.target)
            if found is not None:
                return self._recall(registry, finder, found, exchange, now_us)
        return self._authentication.by_key(registry, "", now_us=now_us)

    def _recall(
        self, registry: Registry, finder: InHead, found: bytes, exchange: Exchange, now_us: int
    ) -> Sender:
        memory = self._memories.setdefault(finder, {})
        sender = memory.get(found)
        if sender is not None:
            return sender
        sender = self._look_up(registry, finder, found.decode("latin-1").strip(), now_us)
        chars_max = TOKEN_CHARS_MAX if sender.principal.is_token else KEY_CHARS_MAX
        if len(found) <= chars_max:
            _remember(memory, found, sender)
            authorization = exchange.head.headers.get(b"authorization", b"")
            if finder is BEARER and len(authorization) <= chars_max + len("Bearer "):
                _remember(self._by_authorization, authorization, sender)
        return sender

    def _look_up(self, registry: Registry, finder: InHead, text: str, now_us: int) -> Sender:
        authentication = self._authentication
        if finder.takes_tokens:
            return authentication.by_bearer(registry, text, now_us=now_us)
        if finder.is_public:
            return authentication.by_public_key(registry, text, now_us=now_us)
        return authentication.by_key(registry, text, now_us=now_us)

    def _check_bounds(self, exchange: Exchange, principal: Principal) -> None:
        headers = exchange.head.headers
        if principal.networks:
            forwarded = headers.get(b"x-forwarded-for", b"")
            client = client_behind(exchange.connection.peer, forwarded, trusted=self._trusted)
            if not admits_address(principal, client):
                raise Forbidden(
                    "This IP address is not allowed to use the API key.", bound="address"
                )
        origin = headers.get(b"origin") if principal.origins else None
        if origin is not None and origin.decode("latin-1") not in principal.origins:
            raise Forbidden("This origin is not allowed to use the API key.")


def _remember(memory: dict[bytes, Sender], key: bytes, sender: Sender) -> None:
    if len(memory) >= SENDERS_MAX:
        memory.clear()
    memory[key] = sender


def _small_body(exchange: Exchange) -> bytes:
    """The body in which a key is looked for, inflated; ``BodyTooLarge`` when it is not small."""
    body = exchange.body
    encoding = encoding_of(exchange.head.headers.get(b"content-encoding"), body)
    small = inflate_small(encoding, body) if len(body) <= KEYED_BODY_BYTES_MAX else None
    if small is None:
        raise _too_large()
    return small.removeprefix(BYTE_ORDER_MARK)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(
        f"A body that brings its API key has at most {KEYED_BODY_BYTES_MAX} bytes.",
        hint="Send the key in a header.",
    )
