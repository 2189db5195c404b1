"""The first run of a node: a plan, a tenant, a project and two keys that work at once.

The keys' texts are written to ``first-run.json`` before the database knows them. A crash between
the two leaves a file whose keys the next start commits; the other order would leave keys that
nobody knows.
"""

from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, select

from weir.control.keys import add_key
from weir.control.plans import add_plan
from weir.control.projects import Random, add_project
from weir.control.records import (
    DEFAULT_SLUG,
    KeyRequest,
    PlanRequest,
    ProjectRequest,
    TenantRequest,
)
from weir.control.store.tables import TENANTS
from weir.control.tenants import add_tenant
from weir.domain.keys import Scope, is_mistyped, make_key
from weir.errors import Corrupt
from weir.node.directory import Directory
from weir.settings import Settings
from weir.storage.database import begin_write
from weir.storage.local import write_durable
from weir.telemetry import Happening, emit


class FirstRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``first-run.json`` holds."""

    tenant: str
    project: str
    endpoint: str
    secret_key: str
    public_key: str
    url: str | None = None

    def __repr__(self) -> str:
        """Without the keys' texts."""
        return f"FirstRun(tenant={self.tenant!r}, project={self.project!r})"


def first_run(
    engine: Engine, directory: Directory, *, now_us: int, random: Random, url: str | None
) -> None:
    """Gives an empty database its first rows and keys; a later call changes nothing.

    The plan has no limits. ``url`` is where the door will listen, for the reader of the file.
    Raises ``Corrupt`` when a ``first-run.json`` stands there that is not one.
    """
    with engine.connect() as connection:
        if connection.scalar(select(TENANTS.c.id).limit(1)) is not None:
            return
    made = _unfinished(directory) or _make(directory, random=random, url=url)
    with begin_write(engine) as connection:
        _commit(connection, made, now_us=now_us, random=random)
    emit(Happening.FIRST_RUN, path=str(directory.first_run))


def door_url(settings: Settings) -> str | None:
    """Where a client on this machine reaches the door; ``None`` when the port is not known yet."""
    if settings.port == 0:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # not bound, translated
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _unfinished(directory: Directory) -> FirstRun | None:
    try:
        text = directory.first_run.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(text, type=FirstRun)
        UUID(found.endpoint)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _unreadable(directory) from error
    if is_mistyped(found.secret_key) or is_mistyped(found.public_key):
        raise _unreadable(directory)
    return found


def _unreadable(directory: Directory) -> Corrupt:
    return Corrupt(
        f"{directory.first_run} is not the file that a first run writes.",
        code="first_run_unreadable",
        hint="Move it away and start again: new keys will be made.",
    )


def _make(directory: Directory, *, random: Random, url: str | None) -> FirstRun:
    made = FirstRun(
        tenant=DEFAULT_SLUG,
        project=DEFAULT_SLUG,
        endpoint=str(UUID(bytes=random(16), version=4)),
        secret_key=make_key(public=False, live=True, random=random(32)),
        public_key=make_key(public=True, live=True, random=random(32)),
        url=url,
    )
    encoded = msgspec.json.format(msgspec.json.encode(made))
    write_durable(directory.first_run, [encoded, b"\n"], mode=0o600)
    return made


def _commit(connection: Connection, made: FirstRun, *, now_us: int, random: Random) -> None:
    add_plan(connection, PlanRequest(slug=DEFAULT_SLUG), now_us=now_us)
    add_tenant(connection, TenantRequest(slug=made.tenant), now_us=now_us)
    add_project(
        connection,
        ProjectRequest(slug=made.project, tenant=made.tenant),
        endpoint=UUID(made.endpoint),
        now_us=now_us,
    )
    secret = KeyRequest(
        tenant=made.tenant, project=made.project, name="first secret key", scopes=tuple(Scope)
    )
    public = KeyRequest(
        tenant=made.tenant, project=made.project, name="first public key", public=True
    )
    add_key(connection, secret, text=made.secret_key, kind="secret", now_us=now_us, random=random)
    add_key(connection, public, text=made.public_key, kind="public", now_us=now_us, random=random)
