"""The registry as the database holds it, with every limit resolved.

What a key does not say its tenant says, what a tenant does not say its plan says. ``None`` is
left where nobody says anything, so that the node's own settings apply; 0 is no limit.
"""

from sqlalchemy import Connection, func, select, update

from weir import __version__
from weir.control.store.tables import (
    CONTROL_STATE,
    DEFAULT_ENDPOINT,
    ENDPOINTS,
    IN_FORCE,
    KEYS,
    PROJECTS,
    TOKEN_KEYS,
)
from weir.domain.registry import Endpoint, Principal, Project, Registry, Tenant, TokenKey


def advance_registry(connection: Connection) -> Registry:
    """Counts the epoch up and returns the registry of it, in the caller's transaction."""
    epoch = connection.scalar(
        update(CONTROL_STATE)
        .values(epoch=CONTROL_STATE.c.epoch + 1)
        .returning(CONTROL_STATE.c.epoch)
    )
    assert epoch is not None, "migration 0001 makes the row"
    return Registry(
        epoch=epoch,
        keys=_keys(connection),
        projects=_projects(connection),
        tenants=_tenants(connection),
        endpoints=_endpoints(connection),
        token_keys=_token_keys(connection),
        version=__version__,
    )


def _keys(connection: Connection) -> dict[str, Principal]:
    tenants = IN_FORCE.subquery()
    requests_per_minute = func.coalesce(
        KEYS.c.requests_per_minute, tenants.c.requests_per_minute
    ).label("requests_in_force")
    rows = connection.execute(
        select(KEYS, PROJECTS.c.tenant_id, requests_per_minute)
        .join_from(KEYS, PROJECTS)
        .join(tenants, PROJECTS.c.tenant_id == tenants.c.id)
        .where(KEYS.c.revoked_at_us.is_(None))
    )
    return {
        row.digest.hex(): Principal(
            key_id=row.id,
            public_id=row.public_id,
            tenant_id=row.tenant_id,
            project_id=row.project_id,
            endpoint_id=row.endpoint_id,
            scopes=frozenset(row.scopes),
            slot=row.slot,
            expires_at_us=row.expires_at_us,
            requests_per_minute=row.requests_in_force,
            events_per_minute=row.events_per_minute,
            networks=tuple(row.networks),
            origins=tuple(row.origins),
            is_public=row.kind == "public",
        )
        for row in rows
    }


def _projects(connection: Connection) -> dict[int, Project]:
    rows = connection.execute(
        select(PROJECTS, ENDPOINTS.c.id.label("endpoint_id"))
        .join_from(PROJECTS, ENDPOINTS)
        .where(ENDPOINTS.c.name == DEFAULT_ENDPOINT)
    )
    return {
        row.id: Project(
            project_id=row.id, tenant_id=row.tenant_id, slug=row.slug, endpoint_id=row.endpoint_id
        )
        for row in rows
    }


def _tenants(connection: Connection) -> dict[int, Tenant]:
    return {
        row.id: Tenant(
            tenant_id=row.id,
            slug=row.slug,
            active=row.active,
            events_per_minute=row.events_per_minute,
            events_per_month=row.events_per_month,
        )
        for row in connection.execute(IN_FORCE)
    }


def _endpoints(connection: Connection) -> dict[int, Endpoint]:
    return {
        row.id: Endpoint(endpoint_id=row.id, project_id=row.project_id, public_id=row.public_id)
        for row in connection.execute(select(ENDPOINTS))
    }


def _token_keys(connection: Connection) -> dict[str, TokenKey]:
    """The public halves alone: what the data plane reads can sign nothing."""
    rows = connection.execute(
        select(TOKEN_KEYS.c.kid, TOKEN_KEYS.c.public, TOKEN_KEYS.c.ends_at_us)
    )
    return {row.kid: TokenKey(public=row.public, ends_at_us=row.ends_at_us) for row in rows}
