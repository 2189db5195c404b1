"""The registry: the immutable snapshot of tenants, projects and keys that the data plane reads.

``control`` publishes it (a file, then an epoch on the board); the door and the api process read
it. Revoked keys are not in it. Nothing here reads the time or a disk.
"""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from weir.domain.frame import Place
from weir.domain.keys import KEY_CHARS_MAX, Scope, digest_of, is_mistyped
from weir.errors import Forbidden, Unauthenticated

KEY_SLOTS_MAX = 16384
"""Slots of the shared limit table: live keys of one node, at most."""

TENANTS_MAX = 65536
"""Tenants of a node; their ids are below, so that each has a cell of its own for limits."""


class Tenant(msgspec.Struct, frozen=True):
    """An isolated customer and its limits: 0 is no limit, ``None`` is left to the settings."""

    tenant_id: int
    slug: str
    active: bool = True
    events_per_minute: int | None = None
    events_per_month: int | None = None


class Project(msgspec.Struct, frozen=True):
    """A stream of events inside a tenant."""

    project_id: int
    tenant_id: int
    slug: str
    endpoint_id: int


class Endpoint(msgspec.Struct, frozen=True):
    """Where events enter for a tenant in a region; ``public_id`` is a UUID."""

    endpoint_id: int
    project_id: int
    public_id: str


class Principal(msgspec.Struct, frozen=True):
    """Who a request acts for. ``slot`` is the key's dense index in the shared limit table.

    ``requests_per_minute`` is the key's, its tenant's or its plan's: 0 is no limit, ``None`` is
    left to the settings. ``events_per_minute`` is the key's own; ``None`` is the tenant's.
    """

    key_id: int
    public_id: str
    tenant_id: int
    project_id: int
    endpoint_id: int
    scopes: frozenset[str]
    slot: int
    expires_at_us: int | None = None
    requests_per_minute: int | None = None
    events_per_minute: int | None = None
    networks: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    is_public: bool = False
    """Whether the key may stand where everybody sees it, and so may never do more than ingest."""
    is_token: bool = False
    """Whether it is that of an access token, which stands in for the key."""

    @property
    def place(self) -> Place:
        return Place(self.tenant_id, self.project_id, self.endpoint_id, self.key_id)

    def require(self, scope: Scope) -> None:
        """Raises ``Forbidden`` unless the key or token has the scope."""
        if scope.value in self.scopes:
            return
        if self.is_token:
            raise Forbidden(
                f"This access token lacks the scope '{scope.value}'.",
                hint="A token has one scope: exchange the key for another.",
            )
        raise Forbidden(
            f"This API key lacks the scope '{scope.value}'.", hint=self._how_to_get(scope)
        )

    def _how_to_get(self, scope: Scope) -> str:
        if self.is_public:
            return f"A public key has 'ingest' alone: weir keys create --scopes {scope.value}"
        wanted = [known.value for known in Scope if known.value in self.scopes or known is scope]
        return f"Give it that scope: weir keys change {self.public_id} --scopes {','.join(wanted)}"


class TokenKey(msgspec.Struct, frozen=True):
    """The public half (DER) of a key that signs access tokens, or did: then it has an end."""

    public: bytes
    ends_at_us: int | None = None


class Registry(msgspec.Struct, frozen=True):
    """One epoch of the control state.

    ``keys`` is by the hex SHA-256 of the key's text, ``token_keys`` by ``kid``.
    """

    epoch: int
    keys: dict[str, Principal]
    projects: dict[int, Project]
    tenants: dict[int, Tenant]
    endpoints: dict[int, Endpoint]
    token_keys: dict[str, TokenKey] = {}
    version: str = ""
    """That of the program that made it."""

    def authenticate(self, text: str, *, now_us: int) -> Principal:
        """The principal of a key.

        Raises ``Unauthenticated`` for a mistyped, unknown, revoked or expired key and
        ``Forbidden`` for one whose tenant is inactive.
        """
        if len(text) > KEY_CHARS_MAX:
            raise Unauthenticated("The API key is too long to be one.")
        principal = self.keys.get(digest_of(text).hex())
        if principal is None:
            if is_mistyped(text):
                raise Unauthenticated("The API key is mistyped: its checksum does not match.")
            raise Unauthenticated("The API key is unknown or revoked.")
        self.confirm(principal, now_us=now_us)
        return principal

    def confirm(self, principal: Principal, *, now_us: int) -> None:
        """Raises as ``authenticate`` does when a principal found earlier is no longer good."""
        if principal.expires_at_us is not None and now_us >= principal.expires_at_us:
            what = "access token" if principal.is_token else "API key"
            raise Unauthenticated(f"The {what} has expired.")
        if not self.tenants[principal.tenant_id].active:
            raise Forbidden("This account is not active.", code="tenant_inactive")


def admits_address(principal: Principal, address: str) -> bool:
    """Whether the key's IP allow-list (empty: any) holds the client's address.

    An IPv4 address in IPv6 clothes (``::ffff:…``) is the IPv4 one; what is no address is refused.
    """
    if not principal.networks:
        return True
    try:
        client = ip_address(address)
    except ValueError:
        return False
    if isinstance(client, IPv6Address):
        client = client.ipv4_mapped or client
    return any(client in network for network in _networks(principal.networks))


def credential_of(*, authorization: str | None, api_key: str | None) -> str | None:
    """The key's text from ``Authorization: Bearer`` or ``X-API-Key``, the former first."""
    if authorization is not None and is_bearer(authorization):
        return bearer_token(authorization) or None
    return (api_key or "").strip() or None


def is_bearer(authorization: str) -> bool:
    """Whether a value of ``Authorization`` is the credential that decides."""
    return authorization[:7].lower() == "bearer "


def bearer_token(authorization: str) -> str:
    """What stands behind ``Bearer`` in a value of which ``is_bearer`` is true."""
    return authorization[7:].strip()


def encode_registry(registry: Registry) -> bytes:
    """The bytes that ``control`` publishes."""
    return msgspec.msgpack.encode(registry)


def decode_registry(encoded: bytes) -> Registry:
    """The inverse of ``encode_registry``; raises ``msgspec.DecodeError`` on anything else."""
    return msgspec.msgpack.decode(encoded, type=Registry)


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)
