"""What control takes and gives, ready for JSON: frozen, and without a key's text but for NewKey.

Limits: ``None`` is no limit. Times are aware datetimes in UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from weir.domain.keys import Scope

DEFAULT_SLUG = "default"

KeyKind = Literal["public", "secret", "imported"]
KeyMode = Literal["live", "test"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TenantRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant to be made."""

    slug: str
    events_per_minute: int | None = None
    events_per_month: int | None = None


class TenantChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a tenant; what is ``UNSET`` stays."""

    active: bool | msgspec.UnsetType = msgspec.UNSET
    events_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    events_per_month: int | msgspec.UnsetType | None = msgspec.UNSET


class TenantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant and its plan."""

    slug: str
    active: bool
    events_per_minute: int | None
    events_per_month: int | None
    created_at: datetime


class ProjectRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to be made, with its default endpoint."""

    slug: str
    tenant: str = DEFAULT_SLUG


class ProjectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A project; ``endpoint`` is the public id of its default one."""

    slug: str
    tenant: str
    endpoint: str
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
    requests_per_minute: int | None = None
    events_per_minute: int | None = None


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown: never its text, only the last four characters of it."""

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
    requests_per_minute: int | None
    events_per_minute: int | None
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


def to_time(microseconds: int) -> datetime:
    """The UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (time - _EPOCH) // _MICROSECOND
