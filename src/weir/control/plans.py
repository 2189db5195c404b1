"""Plans: limits that many tenants share. Each verb runs in the caller's transaction."""

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from weir.control.checks import check_limits, check_slug
from weir.control.records import PlanChange, PlanRecord, PlanRequest, set_fields, to_time
from weir.control.tables import PLANS
from weir.errors import Conflict, NotFound


def create_plan(connection: Connection, request: PlanRequest, *, now_us: int) -> PlanRecord:
    """A plan without tenants; ``Conflict`` when the slug is taken."""
    fields = msgspec.structs.asdict(request)
    check_slug(request.slug)
    check_limits(fields)
    taken = connection.scalar(select(PLANS.c.id).where(PLANS.c.slug == request.slug))
    if taken is not None:
        raise Conflict(
            f"There is already a plan '{request.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    connection.execute(insert(PLANS).values(created_at_us=now_us, **fields))
    return _record(_row(connection, request.slug))


def list_plans(connection: Connection) -> tuple[PlanRecord, ...]:
    """All plans, oldest first."""
    return tuple(_record(row) for row in connection.execute(select(PLANS).order_by(PLANS.c.id)))


def change_plan(connection: Connection, slug: str, change: PlanChange) -> PlanRecord:
    """Changes what ``change`` sets, for every tenant that has no limit of its own there."""
    plan_id = find_plan(connection, slug)
    fields = set_fields(change)
    check_limits(fields)
    if fields:
        connection.execute(update(PLANS).where(PLANS.c.id == plan_id).values(**fields))
    return _record(_row(connection, slug))


def find_plan(connection: Connection, slug: str) -> int:
    """The id of the plan; raises ``NotFound``."""
    return int(_row(connection, slug).id)


def _row(connection: Connection, slug: str) -> Row[tuple[object, ...]]:
    row = connection.execute(select(PLANS).where(PLANS.c.slug == slug)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no plan '{slug[:80]}'.",
            code="plan_not_found",
            hint="List the plans to see their slugs, or create one first.",
        )
    return row


def _record(row: Row[tuple[object, ...]]) -> PlanRecord:
    return PlanRecord(
        slug=row.slug,
        requests_per_minute=row.requests_per_minute,
        events_per_minute=row.events_per_minute,
        events_per_month=row.events_per_month,
        created_at=to_time(row.created_at_us),
    )
