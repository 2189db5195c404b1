"""Tenants: made, listed, switched off and on, limited. Each runs in the caller's transaction."""

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from weir.control.checks import check_limit, check_slug
from weir.control.records import TenantChange, TenantRecord, TenantRequest, to_time
from weir.control.tables import TENANTS
from weir.errors import Conflict, NotFound


def create_tenant(connection: Connection, request: TenantRequest, *, now_us: int) -> TenantRecord:
    """An active tenant without projects; ``Conflict`` when the slug is taken."""
    check_slug(request.slug)
    check_limit(request.events_per_minute, field="events_per_minute")
    check_limit(request.events_per_month, field="events_per_month")
    taken = connection.scalar(select(TENANTS.c.id).where(TENANTS.c.slug == request.slug))
    if taken is not None:
        raise Conflict(
            f"There is already a tenant '{request.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    connection.execute(
        insert(TENANTS).values(active=True, created_at_us=now_us, **msgspec.structs.asdict(request))
    )
    return _record(_row(connection, request.slug))


def list_tenants(connection: Connection) -> tuple[TenantRecord, ...]:
    """All tenants, oldest first."""
    return tuple(_record(row) for row in connection.execute(select(TENANTS).order_by(TENANTS.c.id)))


def change_tenant(connection: Connection, slug: str, change: TenantChange) -> TenantRecord:
    """Changes what ``change`` sets. The keys of an inactive tenant are refused with 403."""
    tenant_id = find_tenant(connection, slug)
    for field in ("events_per_minute", "events_per_month"):
        limit = getattr(change, field)
        if limit is not msgspec.UNSET:
            check_limit(limit, field=field)
    given = msgspec.structs.asdict(change)
    values = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if values:
        connection.execute(update(TENANTS).where(TENANTS.c.id == tenant_id).values(**values))
    return _record(_row(connection, slug))


def find_tenant(connection: Connection, slug: str) -> int:
    """The id of the tenant; raises ``NotFound``."""
    return int(_row(connection, slug).id)


def _row(connection: Connection, slug: str) -> Row[tuple[object, ...]]:
    row = connection.execute(select(TENANTS).where(TENANTS.c.slug == slug)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no tenant '{slug[:80]}'.",
            code="tenant_not_found",
            hint="List the tenants to see their slugs.",
        )
    return row


def _record(row: Row[tuple[object, ...]]) -> TenantRecord:
    return TenantRecord(
        slug=row.slug,
        active=row.active,
        events_per_minute=row.events_per_minute,
        events_per_month=row.events_per_month,
        created_at=to_time(row.created_at_us),
    )
