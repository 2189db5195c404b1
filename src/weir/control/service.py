"""The control service: the one writer of ``control.db`` and the publisher of the registry."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, OperationalError

from weir.catalog.month_usage import used_in_month
from weir.clock import Clock
from weir.control import keys, plans, projects, tenants, token_keys, uptime
from weir.control.first_run import first_run
from weir.control.records import (
    KeyChange,
    KeyRecord,
    KeyRequest,
    NewKey,
    PlanChange,
    PlanRecord,
    PlanRequest,
    ProjectRecord,
    ProjectRequest,
    TenantChange,
    TenantRecord,
    TenantRequest,
    TokenKeyRecord,
)
from weir.control.snapshot import advance_registry
from weir.control.tables import FIRST_ROWS, METADATA
from weir.domain.month import month_of
from weir.domain.registry import Registry
from weir.errors import Corrupt, Unavailable
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import publish_registry
from weir.storage.database import Newest, begin_write, migrate, open_engine, sqlite_url
from weir.storage.local import FileLock, make_root, while_locked

MIGRATIONS = Path(__file__).parent / "migrations"

Result = TypeVar("Result")


class ControlService:
    """Plans, tenants, projects, API keys and token keys. Holds ``control.lock`` until ``close``.

    Every change is one transaction that also counts the registry's epoch up; the new registry is
    published before the call returns. Methods may be called from any thread; one change runs at a
    time. They raise ``InvalidInput``, ``NotFound``, ``Conflict`` and ``LimitExceeded`` as the
    verbs of this package say, and ``Unavailable`` when a change is stored but not published.
    """

    __slots__ = (
        "_behind",
        "_board",
        "_clock",
        "_directory",
        "_engine",
        "_lock",
        "_random",
        "_turn",
    )

    def __init__(
        self,
        directory: Directory,
        engine: Engine,
        lock: FileLock,
        *,
        clock: Clock,
        board: Board | None,
        random: keys.Random,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._board = board
        self._random = random
        self._turn = threading.Lock()
        self._behind = True

    @classmethod
    def open(
        cls,
        directory: Directory,
        *,
        clock: Clock,
        board: Board | None = None,
        url: str | None = None,
        random: keys.Random = secrets.token_bytes,
        wait_s: float = 0,
    ) -> Self:
        """Opens the node's control state, making it when the directory is new, and publishes.

        Without a board nothing is published. ``url`` is told to the reader of first-run.json.
        Raises ``Conflict``: ``locked`` when another process still has it open after ``wait_s``
        seconds, ``newer_database`` when a newer version has written it.
        """
        make_root(directory.root)
        lock = FileLock(directory.control_lock, purpose="Control state is in use")
        while_locked(lock.acquire, wait_s=wait_s, clock=clock)
        engine = open_engine(sqlite_url(directory.control_db))
        try:
            with _available():
                migrate(engine, MIGRATIONS, newest=Newest(METADATA, FIRST_ROWS))
                first_run(engine, directory, now_us=clock.now_us(), random=random, url=url)
            service = cls(directory, engine, lock, clock=clock, board=board, random=random)
            service.publish_pending()
        except BaseException:
            engine.dispose()
            lock.release()
            raise
        return service

    def close(self) -> None:
        """Ends the connections, then gives the lock back."""
        with self._turn:
            self._engine.dispose()
            self._lock.release()

    def create_plan(self, request: PlanRequest) -> PlanRecord:
        """A new plan; ``Conflict`` when the slug is taken."""
        return self._change(
            lambda connection: plans.create_plan(connection, request, now_us=self._clock.now_us())
        )

    def change_plan(self, slug: str, change: PlanChange) -> PlanRecord:
        """Sets a plan's limits: those of every tenant that has none of its own there."""
        return self._change(lambda connection: plans.change_plan(connection, slug, change))

    def list_plans(self) -> tuple[PlanRecord, ...]:
        """All plans, oldest first."""
        return self._read(plans.list_plans)

    def create_tenant(self, request: TenantRequest) -> TenantRecord:
        """A new active tenant; ``Conflict`` when the slug is taken."""
        return self._change(
            lambda connection: tenants.create_tenant(
                connection, request, now_us=self._clock.now_us()
            )
        )

    def change_tenant(self, slug: str, change: TenantChange) -> TenantRecord:
        """Switches a tenant off or on, sets its plan and its own limits."""
        used = self._used()
        return self._change(
            lambda connection: tenants.change_tenant(connection, slug, change, used)
        )

    def list_tenants(self) -> tuple[TenantRecord, ...]:
        """All tenants, oldest first."""
        used = self._used()
        return self._read(lambda connection: tenants.list_tenants(connection, used))

    def create_project(self, request: ProjectRequest) -> ProjectRecord:
        """A new project with its default endpoint; ``Conflict`` when the slug is taken."""
        return self._change(
            lambda connection: projects.create_project(
                connection,
                request,
                endpoint=UUID(bytes=self._random(16), version=4),
                now_us=self._clock.now_us(),
            )
        )

    def list_projects(self, *, tenant: str | None = None) -> tuple[ProjectRecord, ...]:
        """The projects of a tenant, or all, oldest first."""
        return self._read(lambda connection: projects.list_projects(connection, tenant=tenant))

    def create_key(self, request: KeyRequest) -> NewKey:
        """A new key; the reply is the only time that its text is given."""
        return self._change(
            lambda connection: keys.create_key(
                connection, request, now_us=self._clock.now_us(), random=self._random
            )
        )

    def import_key(self, text: str, request: KeyRequest) -> KeyRecord:
        """Takes in a key made elsewhere; ``Conflict`` when it is known already."""
        return self._change(
            lambda connection: keys.import_key(
                connection, request, text=text, now_us=self._clock.now_us(), random=self._random
            )
        )

    def list_keys(
        self, *, tenant: str | None = None, project: str | None = None
    ) -> tuple[KeyRecord, ...]:
        """Keys of a tenant and a project, or all, oldest first, revoked ones included."""
        return self._read(
            lambda connection: keys.list_keys(connection, tenant=tenant, project=project)
        )

    def change_key(self, public_id: str, change: KeyChange) -> KeyRecord:
        """Sets what a key may do; ``Conflict`` for one that was revoked."""
        return self._change(
            lambda connection: keys.change_key(
                connection, public_id, change, now_us=self._clock.now_us()
            )
        )

    def revoke_key(self, public_id: str) -> KeyRecord:
        """Ends a key: once this returns, the next request with it is refused."""
        return self._change(
            lambda connection: keys.revoke_key(connection, public_id, now_us=self._clock.now_us())
        )

    def key_names(self, project_id: int) -> dict[int, str]:
        """Public ids of a project's keys by their internal ids, revoked ones included."""
        return self._read(lambda connection: keys.key_names(connection, project_id))

    def token_signer(self) -> token_keys.Signer:
        """What signs access tokens now; made when there is none yet."""
        found = self._read(token_keys.find_signer)
        if found is not None:
            return found
        pair = token_keys.new_pair()
        return self._change(
            lambda connection: token_keys.add_first(connection, pair, now_us=self._clock.now_us())
        )

    def rotate_token_keys(self, *, overlap_s: int) -> tuple[TokenKeyRecord, ...]:
        """A new key signs from now on; those before it verify ``overlap_s`` more, at most."""
        pair = token_keys.new_pair()
        return self._change(
            lambda connection: token_keys.rotate(
                connection, pair, overlap_s=overlap_s, now_us=self._clock.now_us()
            )
        )

    def list_token_keys(self) -> tuple[TokenKeyRecord, ...]:
        """The keys of access tokens that are good for anything, oldest first."""
        return self._read(
            lambda connection: token_keys.list_keys(connection, now_us=self._clock.now_us())
        )

    def record_uptime(self) -> int:
        """Counts the current minute as one in which the node ran; the uptime in millionths."""
        with self._turn, _available(), begin_write(self._engine) as connection:
            return uptime.record_uptime(connection, now_us=self._clock.now_us())

    def publish_pending(self) -> None:
        """Publishes the registry if the last one stored is not out; else does nothing."""
        if self._board is not None and self._behind:
            self._change(lambda _: None)

    def _change(self, change: Callable[[Connection], Result]) -> Result:
        with self._turn:
            with _available(), begin_write(self._engine) as connection:
                result = change(connection)
                registry = advance_registry(connection)
            self._publish(registry)
        return result

    def _publish(self, registry: Registry) -> None:
        if self._board is None:
            return
        self._behind = True
        try:
            publish_registry(self._directory, self._board, registry)
        except OSError as error:
            raise Unavailable(
                "The change is stored, but the workers could not be told of it yet.",
                code="not_published",
                hint="It is tried again every minute; look at the disk's free space.",
                reason=error.strerror,
            ) from error
        self._behind = False

    def _used(self) -> Mapping[int, int]:
        return used_in_month(self._directory.catalog_db, month_of(self._clock.now_us()))

    def _read(self, read: Callable[[Connection], Result]) -> Result:
        with _available(), self._engine.connect() as connection:
            return read(connection)


@contextlib.contextmanager
def _available() -> Generator[None]:
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            "Control state cannot be used now.",
            code="control_unavailable",
            hint="Look at the disk: its free space, and whether the directory may be written.",
            reason=str(error.orig),
        ) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # a constraint or a statement: a bug, not a disk
            raise
        raise Corrupt(
            f"The control database (control.db) is damaged: {error.orig}.",
            code="database_damaged",
            hint="Restore the data directory from a backup; weir doctor looks at its databases.",
        ) from error
