"""The tables of ``control.db``. Times are microseconds since 1970; nothing is ever deleted from
them but uptime and ended signing keys, so that ids are not used twice and the ledger's keys keep
their names."""

from pathlib import Path
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)

from weir.control.records import LIMITS

MIGRATIONS: Final = Path(__file__).parent / "migrations"
METADATA = MetaData()

DEFAULT_ENDPOINT = "default"
"""The name of the endpoint that every project has."""

PLANS = Table(
    "plans",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("slug", String(63), nullable=False, unique=True),
    Column("requests_per_minute", BigInteger),
    Column("events_per_minute", BigInteger),
    Column("events_per_month", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
)
"""Limits for many tenants; null is no limit."""

TENANTS = Table(
    "tenants",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("slug", String(63), nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    Column("plan_id", ForeignKey("plans.id"), nullable=False),
    Column("requests_per_minute", BigInteger),
    Column("events_per_minute", BigInteger),
    Column("events_per_month", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
)
"""A limit that is null is the plan's; 0 is no limit, whatever the plan says."""

PROJECTS = Table(
    "projects",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "slug"),
)

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("public_id", String(36), nullable=False, unique=True),
    Column("region", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    UniqueConstraint("project_id", "name"),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("public_id", String(20), nullable=False, unique=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("last_four", String(4), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("name", String(100), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("endpoint_id", ForeignKey("endpoints.id"), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("networks", JSON, nullable=False),
    Column("origins", JSON, nullable=False),
    Column("requests_per_minute", BigInteger),
    Column("events_per_minute", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("revoked_at_us", BigInteger),
    Index("keys_by_project", "project_id"),
)
"""A limit that is null is the tenant's; 0 is no limit, whatever the tenant has."""

TOKEN_KEYS = Table(
    "token_keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("kid", String(22), nullable=False, unique=True),
    Column("public", LargeBinary, nullable=False),
    Column("private", LargeBinary),
    Column("created_at_us", BigInteger, nullable=False),
    Column("ends_at_us", BigInteger),
)
"""Keys of access tokens, DER. The newest signs; the others verify until ``ends_at_us``, and their
private halves are gone."""

CONTROL_STATE = Table(
    "control_state",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("first_minute", BigInteger),
)
"""One row: the registry's epoch, and the minute since 1970 in which the node first ran."""

FIRST_ROWS = {CONTROL_STATE: {"id": 1, "epoch": 0, "first_minute": None}}

UPTIME_DAYS = Table(
    "uptime_days",
    METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("minutes", Integer, nullable=False),
    Column("last_minute", BigInteger, nullable=False),
)
"""One row a day since 1970 (UTC), at most 30: in how many of its minutes the node ran."""

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
