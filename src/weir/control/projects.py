"""Projects and their endpoints."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, Select, insert, select

from weir.clock import Clock
from weir.control.checks import check_slug
from weir.control.records import ProjectFilter, ProjectRecord, ProjectRequest
from weir.control.store.tables import DEFAULT_ENDPOINT, ENDPOINTS, PROJECTS, TENANTS
from weir.control.store.transactions import Transactions
from weir.control.tenants import find_tenant
from weir.domain.times import to_datetime
from weir.errors import Conflict, NotFound

DEFAULT_REGION = "local"

Random = Callable[[int], bytes]


class Projects:
    """The projects of a node."""

    __slots__ = ("_clock", "_random", "_transactions")

    def __init__(self, transactions: Transactions, clock: Clock, random: Random) -> None:
        self._transactions = transactions
        self._clock = clock
        self._random = random

    def create(self, asked: ProjectRequest) -> ProjectRecord:
        """Makes a project with its default endpoint.

        Raises ``NotFound`` without the tenant, ``Conflict`` when it has a project of that slug.
        """
        endpoint = UUID(bytes=self._random(16), version=4)
        with self._transactions.change() as connection:
            now_us = self._clock.now_us()
            return add_project(connection, asked, endpoint=endpoint, now_us=now_us)

    def list(self, asked: ProjectFilter) -> tuple[ProjectRecord, ...]:
        """Returns the projects of a tenant, or all, oldest first."""
        statement = _SHOWN.order_by(PROJECTS.c.id)
        with self._transactions.read() as connection:
            if asked.tenant is not None:
                tenant_id = find_tenant(connection, asked.tenant)
                statement = statement.where(PROJECTS.c.tenant_id == tenant_id)
            return tuple(_record(row) for row in connection.execute(statement))


class ProjectEndpoint(NamedTuple):
    """Ids of a project and one of its endpoints."""

    project_id: int
    endpoint_id: int


def add_project(
    connection: Connection, asked: ProjectRequest, *, endpoint: UUID, now_us: int
) -> ProjectRecord:
    """Makes a project in the caller's transaction, and raises what ``Projects.create`` does."""
    check_slug(asked.slug)
    tenant_id = find_tenant(connection, asked.tenant)
    if _project_id(connection, tenant=asked.tenant, project=asked.slug) is not None:
        raise Conflict(
            f"Tenant '{asked.tenant}' already has a project '{asked.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    project_id = connection.execute(
        insert(PROJECTS)
        .values(tenant_id=tenant_id, slug=asked.slug, created_at_us=now_us)
        .returning(PROJECTS.c.id)
    ).scalar_one()
    connection.execute(
        insert(ENDPOINTS).values(
            project_id=project_id,
            public_id=str(endpoint),
            region=DEFAULT_REGION,
            name=DEFAULT_ENDPOINT,
            created_at_us=now_us,
        )
    )
    return ProjectRecord(
        slug=asked.slug,
        tenant=asked.tenant,
        endpoint=str(endpoint),
        number=project_id,
        tenant_number=tenant_id,
        created_at=to_datetime(now_us),
    )


def find_endpoint(
    connection: Connection, *, tenant: str, project: str, endpoint: str | None
) -> ProjectEndpoint:
    """The project and the endpoint (its default one when ``None``); raises ``NotFound``."""
    find_tenant(connection, tenant)
    project_id = _project_id(connection, tenant=tenant, project=project)
    if project_id is None:
        raise _unknown(project)
    wanted = ENDPOINTS.c.name == DEFAULT_ENDPOINT
    if endpoint is not None:
        wanted = ENDPOINTS.c.public_id == endpoint
    statement = select(ENDPOINTS.c.id).where(ENDPOINTS.c.project_id == project_id, wanted)
    endpoint_id = connection.scalar(statement)
    if endpoint_id is None:
        raise NotFound(
            f"Project '{project}' has no endpoint '{str(endpoint)[:80]}'.",
            code="endpoint_not_found",
            hint="Leave the endpoint out to use the project's default one.",
        )
    return ProjectEndpoint(project_id, endpoint_id)


def check_known(connection: Connection, *, tenant: str | None, project: str | None) -> None:
    """Raises ``NotFound`` for a slug that is given and not there; ``None`` stands for any."""
    if tenant is not None:
        find_tenant(connection, tenant)
    if project is None:
        return
    if _project_id(connection, tenant=tenant, project=project) is None:
        raise _unknown(project)


def _project_id(connection: Connection, *, tenant: str | None, project: str) -> int | None:
    statement = (
        select(PROJECTS.c.id).join_from(PROJECTS, TENANTS).where(PROJECTS.c.slug == project)
    ).limit(1)
    if tenant is not None:
        statement = statement.where(TENANTS.c.slug == tenant)
    found: int | None = connection.scalar(statement)
    return found


_SHOWN: Select[tuple[int, int, str, str, str, int]] = (
    select(
        PROJECTS.c.id,
        PROJECTS.c.tenant_id,
        PROJECTS.c.slug,
        TENANTS.c.slug.label("tenant"),
        ENDPOINTS.c.public_id.label("endpoint"),
        PROJECTS.c.created_at_us,
    )
    .join_from(PROJECTS, TENANTS)
    .join(ENDPOINTS, ENDPOINTS.c.project_id == PROJECTS.c.id)
    .where(ENDPOINTS.c.name == DEFAULT_ENDPOINT)
)


def _record(row: Row[tuple[int, int, str, str, str, int]]) -> ProjectRecord:
    return ProjectRecord(
        slug=row.slug,
        tenant=row.tenant,
        endpoint=row.endpoint,
        number=row.id,
        tenant_number=row.tenant_id,
        created_at=to_datetime(row.created_at_us),
    )


def _unknown(project: str) -> NotFound:
    return NotFound(
        f"There is no project '{project[:80]}'.",
        code="project_not_found",
        hint="List the projects to see their slugs, or create one first.",
    )
