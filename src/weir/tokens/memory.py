"""Who a credential acts for, a key or a token; a token's signature is checked once."""

from weir.domain.keys import digest_of
from weir.domain.registry import Principal, Registry, credential_of, is_bearer
from weir.tokens.claims import (
    find_key,
    may_be_token,
    no_token,
    read_claims,
    stand_in,
    take_apart,
)

TOKENS_MAX = 8192
"""Verified tokens remembered between registry epochs; then the memory starts anew."""


class TokenMemory:
    """One process's verified tokens, by their SHA-256, for the registry's current epoch."""

    __slots__ = ("_epoch", "_keys", "_known")

    def __init__(self) -> None:
        self._known: dict[bytes, Principal] = {}
        self._keys: dict[str, Principal] = {}
        self._epoch = -1

    def find(
        self, registry: Registry, *, authorization: str | None, api_key: str | None, now_us: int
    ) -> Principal | None:
        """The principal of a request by its headers, ``None`` when they hold no credential.

        Raises as ``authenticate_bearer`` does. A token in ``X-API-Key`` is no key.
        """
        text = credential_of(authorization=authorization, api_key=api_key)
        if text is None:
            return None
        if authorization is not None and is_bearer(authorization):
            return self.authenticate_bearer(registry, text, now_us=now_us)
        return registry.authenticate(text, now_us=now_us)

    def authenticate_bearer(self, registry: Registry, text: str, *, now_us: int) -> Principal:
        """The principal of a key or a token that stood behind ``Bearer``.

        Raises what ``Registry.authenticate`` raises; ``Unauthenticated`` for a token that is not
        one of this node's, has expired, or whose key is gone.
        """
        if not may_be_token(text):
            return registry.authenticate(text, now_us=now_us)
        if registry.epoch != self._epoch:
            self._known.clear()
            self._keys = {key.public_id: key for key in registry.keys.values()}
            self._epoch = registry.epoch
        digest = digest_of(text)
        principal = self._known.get(digest)
        if principal is None:
            principal = self._verify(registry, text, now_us=now_us)
        registry.confirm(principal, now_us=now_us)
        if len(self._known) >= TOKENS_MAX:
            self._known.clear()
        self._known[digest] = principal
        return principal

    def _verify(self, registry: Registry, text: str, *, now_us: int) -> Principal:
        parts = take_apart(text)
        key = find_key(registry, parts.kid, now_us=now_us)
        # Imported here: who is sent no token of this node does not pay for it.
        from weir.tokens.signature import is_signed

        if not is_signed(parts.signed, parts.signature, key.public):
            raise no_token()
        claims = read_claims(parts.payload, now_us=now_us)
        return stand_in(claims, self._keys.get(claims.sub), registry)
