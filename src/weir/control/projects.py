"""Projects and their endpoints. Each verb runs in the caller's transaction."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Select, insert, select

from weir.control.checks import check_slug
from weir.control.records import ProjectRecord, ProjectRequest, to_time
from weir.control.tables import ENDPOINTS, PROJECTS, TENANTS
from weir.control.tenants import find_tenant
from weir.errors import Conflict, NotFound

DEFAULT_ENDPOINT = "default"
DEFAULT_REGION = "local"


class Placed(NamedTuple):
    """Ids of a project and one of its endpoints."""

    project_id: int
    endpoint_id: int


def create_project(
    connection: Connection, request: ProjectRequest, *, endpoint: UUID, now_us: int
) -> ProjectRecord:
    """A project with its default endpoint; ``Conflict`` when the tenant has one of that slug."""
    check_slug(request.slug)
    tenant_id = find_tenant(connection, request.tenant)
    if _project_id(connection, tenant=request.tenant, project=request.slug) is not None:
        raise Conflict(
            f"Tenant '{request.tenant}' already has a project '{request.slug}'.",
            code="slug_taken",
            hint="Choose another slug.",
        )
    project_id = connection.execute(
        insert(PROJECTS)
        .values(tenant_id=tenant_id, slug=request.slug, created_at_us=now_us)
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
        slug=request.slug,
        tenant=request.tenant,
        endpoint=str(endpoint),
        number=project_id,
        tenant_number=tenant_id,
        created_at=to_time(now_us),
    )


def list_projects(
    connection: Connection, *, tenant: str | None = None
) -> tuple[ProjectRecord, ...]:
    """The projects of a tenant, or all, oldest first."""
    statement: Select[tuple[int, int, str, str, str, int]] = (
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
        .order_by(PROJECTS.c.id)
    )
    if tenant is not None:
        statement = statement.where(PROJECTS.c.tenant_id == find_tenant(connection, tenant))
    return tuple(
        ProjectRecord(
            slug=row.slug,
            tenant=row.tenant,
            endpoint=row.endpoint,
            number=row.id,
            tenant_number=row.tenant_id,
            created_at=to_time(row.created_at_us),
        )
        for row in connection.execute(statement)
    )


def find_place(
    connection: Connection, *, tenant: str, project: str, endpoint: str | None
) -> Placed:
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
    return Placed(project_id, endpoint_id)


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


def _unknown(project: str) -> NotFound:
    return NotFound(
        f"There is no project '{project[:80]}'.",
        code="project_not_found",
        hint="List the projects to see their slugs, or create one first.",
    )
