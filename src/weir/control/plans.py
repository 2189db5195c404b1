"""Plans: limits that many tenants share."""

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from weir.clock import Clock
from weir.control.checks import check_limits, check_slug
from weir.control.records import PlanChange, PlanRecord, PlanRequest, set_fields
from weir.control.store.tables import PLANS
from weir.control.store.transactions import Transactions
from weir.domain.times import to_datetime
from weir.errors import Conflict, NotFound


class Plans:
    """The plans of a node."""

    __slots__ = ("_clock", "_transactions")

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def create(self, asked: PlanRequest) -> PlanRecord:
        """Makes a plan without tenants; raises ``Conflict`` when the slug is taken."""
        with self._transactions.change() as connection:
            return add_plan(connection, asked, now_us=self._clock.now_us())

    def change(self, asked: PlanChange) -> PlanRecord:
        """Sets a plan's limits, for every tenant that has no limit of its own there."""
        with self._transactions.change() as connection:
            plan_id = find_plan(connection, asked.slug)
            fields = set_fields(asked)
            check_limits(fields)
            if fields:
                connection.execute(update(PLANS).where(PLANS.c.id == plan_id).values(**fields))
            return _record(_row(connection, asked.slug))

    def list(self) -> tuple[PlanRecord, ...]:
        """Returns all plans, oldest first."""
        with self._transactions.read() as connection:
            rows = connection.execute(select(PLANS).order_by(PLANS.c.id))
            return tuple(_record(row) for row in rows)


def add_plan(connection: Connection, asked: PlanRequest, *, now_us: int) -> PlanRecord:
    """Makes a plan in the caller's transaction; raises ``Conflict`` when the slug is taken."""
    fields = msgspec.structs.asdict(asked)
    check_slug(asked.slug)
    check_limits(fields)
    taken = connection.scalar(select(PLANS.c.id).where(PLANS.c.slug == asked.slug))
    if taken is not None:
        raise Conflict(
            f"There is already a plan '{asked.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    connection.execute(insert(PLANS).values(created_at_us=now_us, **fields))
    return _record(_row(connection, asked.slug))


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
        created_at=to_datetime(row.created_at_us),
    )
