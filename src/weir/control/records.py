"""What control is asked and what it answers, ready for JSON: only ``NewKey`` shows a key's text.

Limits: ``None`` is no limit, ``AS_PLAN`` is that of the tenant's plan, ``AS_TENANT`` that of the
key's tenant. Times are aware datetimes in UTC.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from weir.domain.keys import Scope
from weir.tokens.claims import TTL_S_MAX

DEFAULT_SLUG = "default"
AS_PLAN: Final = "plan"
AS_TENANT: Final = "tenant"
KEY_LIMITS = ("requests_per_minute", "events_per_minute")
"""What a key may limit for itself."""

LIMITS = ("requests_per_minute", "events_per_minute", "events_per_month")
"""What plans and tenants limit, alike: requests of each key, events of the tenant."""

KeyKind = Literal["public", "secret", "imported"]
KeyMode = Literal["live", "test"]
Limit = int | None
TenantLimit = int | Literal["plan"] | None
KeyLimit = int | Literal["tenant"] | None


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan to be made."""

    slug: str
    requests_per_minute: Limit = None
    events_per_minute: Limit = None
    events_per_month: Limit = None


class PlanChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a plan; what is ``UNSET`` stays."""

    slug: str
    requests_per_minute: Limit | msgspec.UnsetType = msgspec.UNSET
    events_per_minute: Limit | msgspec.UnsetType = msgspec.UNSET
    events_per_month: Limit | msgspec.UnsetType = msgspec.UNSET


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A plan: limits that many tenants share."""

    slug: str
    requests_per_minute: Limit
    events_per_minute: Limit
    events_per_month: Limit
    created_at: datetime


class TenantRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant to be made."""

    slug: str
    plan: str = DEFAULT_SLUG
    requests_per_minute: TenantLimit = AS_PLAN
    events_per_minute: TenantLimit = AS_PLAN
    events_per_month: TenantLimit = AS_PLAN


class TenantChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a tenant; what is ``UNSET`` stays."""

    slug: str
    active: bool | msgspec.UnsetType = msgspec.UNSET
    plan: str | msgspec.UnsetType = msgspec.UNSET
    requests_per_minute: TenantLimit | msgspec.UnsetType = msgspec.UNSET
    events_per_minute: TenantLimit | msgspec.UnsetType = msgspec.UNSET
    events_per_month: TenantLimit | msgspec.UnsetType = msgspec.UNSET


class TenantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, its plan and the limits in force.

    ``overrides`` names the limits that are the tenant's own, whatever the plan says.
    ``events_this_month`` is what it has used of ``events_per_month``, up to the last lake commit.
    """

    slug: str
    active: bool
    plan: str
    requests_per_minute: Limit
    events_per_minute: Limit
    events_per_month: Limit
    events_this_month: int
    overrides: tuple[str, ...]
    created_at: datetime


class ProjectRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to be made, with its default endpoint."""

    slug: str
    tenant: str = DEFAULT_SLUG


class ProjectFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which projects to list: those of a tenant, or all."""

    tenant: str | None = None


class ProjectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A project; ``endpoint`` is the public id of its default one.

    The lake names its folders by numbers: ``lake/<tenant_number>/<number>``.
    """

    slug: str
    tenant: str
    endpoint: str
    number: int
    tenant_number: int
    created_at: datetime


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new key may do. ``endpoint`` is a public id; without it, the project's default."""

    tenant: str = DEFAULT_SLUG
    project: str = DEFAULT_SLUG
    public: bool = False
    mode: KeyMode = "live"
    name: str = ""
    scopes: tuple[Scope, ...] = (Scope.INGEST,)
    endpoint: str | None = None
    networks: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    expires_at: datetime | None = None
    requests_per_minute: KeyLimit = AS_TENANT
    events_per_minute: KeyLimit = AS_TENANT


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a key; what is ``UNSET`` stays.

    A list replaces the one before. ``None`` takes an expiry away, and as ``endpoint`` is the
    project's default one.
    """

    id: str
    name: str | msgspec.UnsetType = msgspec.UNSET
    scopes: tuple[Scope, ...] | msgspec.UnsetType = msgspec.UNSET
    endpoint: str | msgspec.UnsetType | None = msgspec.UNSET
    networks: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    origins: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    expires_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    requests_per_minute: KeyLimit | msgspec.UnsetType = msgspec.UNSET
    events_per_minute: KeyLimit | msgspec.UnsetType = msgspec.UNSET


class KeyImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text of a key made elsewhere, and what it may do here."""

    text: str
    key: KeyRequest

    def __repr__(self) -> str:
        """Without the text, so that no log or traceback can carry it."""
        return f"KeyImport(key={self.key!r})"


class KeyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys to list: those of a tenant, of a project, of both, or all."""

    tenant: str | None = None
    project: str | None = None


class KeyId(msgspec.Struct, frozen=True, kw_only=True):
    """The key that is meant, by its public id."""

    id: str


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown: never its text, only the last four characters of it.

    Its limits are its own; where one is ``AS_TENANT``, that of its tenant is in force.
    """

    id: str
    name: str
    kind: KeyKind
    mode: KeyMode
    last_four: str
    tenant: str
    project: str
    endpoint: str
    scopes: tuple[Scope, ...]
    networks: tuple[str, ...]
    origins: tuple[str, ...]
    requests_per_minute: KeyLimit
    events_per_minute: KeyLimit
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made, with its text: the only time that the text is given."""

    text: str
    key: KeyRecord

    def __repr__(self) -> str:
        """Without the text, so that no log or traceback can carry it."""
        return f"NewKey(key={self.key!r})"


class TokenKeyRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many seconds longer the keys before the new one verify, at most."""

    overlap_s: Annotated[int, msgspec.Meta(ge=0, le=TTL_S_MAX)]


class TokenKeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key of access tokens as it is shown; the one without an end signs."""

    id: str
    signs: bool
    created_at: datetime
    ends_at: datetime | None


def set_fields(change: msgspec.Struct) -> dict[str, object]:
    """What a change sets: the fields that may be left out, and were not."""
    optional = [field.name for field in msgspec.structs.fields(change) if not field.required]
    given = {name: getattr(change, name) for name in optional}
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}
