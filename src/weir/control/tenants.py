"""Tenants: made, listed, switched off and on, limited."""

from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from weir.clock import Clock
from weir.control.checks import check_limits, check_slug
from weir.control.plans import find_plan
from weir.control.records import (
    AS_PLAN,
    LIMITS,
    TenantChange,
    TenantRecord,
    TenantRequest,
    set_fields,
)
from weir.control.store.tables import IN_FORCE, TENANTS
from weir.control.store.transactions import Transactions
from weir.domain.registry import TENANTS_MAX
from weir.domain.times import to_datetime
from weir.errors import Conflict, LimitExceeded, NotFound


class Tenants:
    """The tenants of a node. ``used`` returns the events of the running month by tenant."""

    __slots__ = ("_clock", "_transactions", "_used")

    def __init__(
        self, transactions: Transactions, clock: Clock, used: Callable[[], Mapping[int, int]]
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._used = used

    def create(self, asked: TenantRequest) -> TenantRecord:
        """Makes an active tenant without projects.

        Raises ``Conflict`` when the slug is taken, ``LimitExceeded`` when the node is full.
        """
        with self._transactions.change() as connection:
            return add_tenant(connection, asked, now_us=self._clock.now_us())

    def change(self, asked: TenantChange) -> TenantRecord:
        """Switches a tenant off or on, sets its plan and its own limits.

        The keys of an inactive tenant are refused with 403.
        """
        used = self._used()
        with self._transactions.change() as connection:
            tenant_id = find_tenant(connection, asked.slug)
            columns = _columns(connection, set_fields(asked))
            if columns:
                own = TENANTS.c.id == tenant_id
                connection.execute(update(TENANTS).where(own).values(**columns))
            return _record(_row(connection, asked.slug), used)

    def list(self) -> tuple[TenantRecord, ...]:
        """Returns all tenants, oldest first."""
        used = self._used()
        with self._transactions.read() as connection:
            rows = connection.execute(IN_FORCE.order_by(TENANTS.c.id))
            return tuple(_record(row, used) for row in rows)


def add_tenant(connection: Connection, asked: TenantRequest, *, now_us: int) -> TenantRecord:
    """Makes a tenant in the caller's transaction, and raises what ``Tenants.create`` does."""
    check_slug(asked.slug)
    columns = _columns(connection, msgspec.structs.asdict(asked))
    taken = connection.scalar(select(TENANTS.c.id).where(TENANTS.c.slug == asked.slug))
    if taken is not None:
        raise Conflict(
            f"There is already a tenant '{asked.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    last_id = connection.scalar(select(func.max(TENANTS.c.id))) or 0
    if last_id + 1 >= TENANTS_MAX:
        raise LimitExceeded(
            f"The node has {last_id} tenants, which is its limit.", code="too_many_tenants"
        )
    connection.execute(insert(TENANTS).values(active=True, created_at_us=now_us, **columns))
    return _record(_row(connection, asked.slug), {})


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


def _record(row: Row[tuple[object, ...]], used: Mapping[int, int]) -> TenantRecord:
    return TenantRecord(
        slug=row.slug,
        active=row.active,
        plan=row.plan,
        requests_per_minute=row.requests_per_minute or None,
        events_per_minute=row.events_per_minute or None,
        events_per_month=row.events_per_month or None,
        events_this_month=used.get(row.id, 0),
        overrides=tuple(limit for limit in LIMITS if getattr(row, f"own_{limit}") is not None),
        created_at=to_datetime(row.created_at_us),
    )
