"""Tenants: made, listed, switched off and on, limited. Each runs in the caller's transaction."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from weir.control.checks import check_limits, check_slug
from weir.control.plans import find_plan
from weir.control.records import (
    AS_PLAN,
    LIMITS,
    TenantChange,
    TenantRecord,
    TenantRequest,
    set_fields,
    to_time,
)
from weir.control.tables import PLANS, TENANTS
from weir.domain.registry import TENANTS_MAX
from weir.errors import Conflict, LimitExceeded, NotFound

IN_FORCE: Select[tuple[object, ...]] = select(
    TENANTS.c.id,
    TENANTS.c.slug,
    TENANTS.c.active,
    TENANTS.c.created_at_us,
    PLANS.c.slug.label("plan"),
    *(func.coalesce(TENANTS.c[limit], PLANS.c[limit]).label(limit) for limit in LIMITS),
    *(TENANTS.c[limit].label(f"own_{limit}") for limit in LIMITS),
).join_from(TENANTS, PLANS)
"""Tenants with the limits in force: null where the plan has none, 0 where the tenant wants none."""


Used = Mapping[int, int]
"""Events of the running month by tenant."""


def create_tenant(connection: Connection, request: TenantRequest, *, now_us: int) -> TenantRecord:
    """An active tenant without projects.

    Raises ``Conflict`` when the slug is taken, ``LimitExceeded`` when the node is full.
    """
    check_slug(request.slug)
    columns = _columns(connection, msgspec.structs.asdict(request))
    taken = connection.scalar(select(TENANTS.c.id).where(TENANTS.c.slug == request.slug))
    if taken is not None:
        raise Conflict(
            f"There is already a tenant '{request.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    last_id = connection.scalar(select(func.max(TENANTS.c.id))) or 0
    if last_id + 1 >= TENANTS_MAX:
        raise LimitExceeded(
            f"The node has {last_id} tenants, which is its limit.", code="too_many_tenants"
        )
    connection.execute(insert(TENANTS).values(active=True, created_at_us=now_us, **columns))
    return _record(_row(connection, request.slug), {})


def list_tenants(connection: Connection, used: Used) -> tuple[TenantRecord, ...]:
    """All tenants, oldest first."""
    rows = connection.execute(IN_FORCE.order_by(TENANTS.c.id))
    return tuple(_record(row, used) for row in rows)


def change_tenant(
    connection: Connection, slug: str, change: TenantChange, used: Used
) -> TenantRecord:
    """Changes what ``change`` sets. The keys of an inactive tenant are refused with 403."""
    tenant_id = find_tenant(connection, slug)
    columns = _columns(connection, set_fields(change))
    if columns:
        connection.execute(update(TENANTS).where(TENANTS.c.id == tenant_id).values(**columns))
    return _record(_row(connection, slug), used)


def find_tenant(connection: Connection, slug: str) -> int:
    """The id of the tenant; raises ``NotFound``."""
    return int(_row(connection, slug).id)


def _columns(connection: Connection, fields: dict[str, object]) -> dict[str, object]:
    """A request's fields as the table holds them: null is the plan's limit, 0 is none."""
    check_limits(fields)
    columns: dict[str, object] = {}
    for field, value in fields.items():
        if field == "plan":
            columns["plan_id"] = find_plan(connection, str(value))
        elif field in LIMITS:
            columns[field] = None if value == AS_PLAN else value or 0
        else:
            columns[field] = value
    return columns


def _row(connection: Connection, slug: str) -> Row[tuple[object, ...]]:
    row = connection.execute(IN_FORCE.where(TENANTS.c.slug == slug)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no tenant '{slug[:80]}'.",
            code="tenant_not_found",
            hint="List the tenants to see their slugs.",
        )
    return row


def _record(row: Row[tuple[object, ...]], used: Used) -> TenantRecord:
    return TenantRecord(
        slug=row.slug,
        active=row.active,
        plan=row.plan,
        requests_per_minute=row.requests_per_minute or None,
        events_per_minute=row.events_per_minute or None,
        events_per_month=row.events_per_month or None,
        events_this_month=used.get(row.id, 0),
        overrides=tuple(limit for limit in LIMITS if getattr(row, f"own_{limit}") is not None),
        created_at=to_time(row.created_at_us),
    )
