"""The operator's way to control state, whether the node runs or not, with the same results.

A running node is asked over ``run/control.sock``; else the database is opened here, under its
lock.
"""

import contextlib
import http.client
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from weir.clock import Clock, SystemClock
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
from weir.errors import Conflict, Failure, NotFound, Unavailable, error_of
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.sockets import connect_unix
from weir.settings import Settings

if TYPE_CHECKING:
    from weir.control.service import ControlService

NODE_WAIT_S = 5.0
REPLY_TIMEOUT_S = 30.0
_POLL_S = 0.05
_CLOCK = SystemClock()

Reply = TypeVar("Reply")


class Control(Protocol):
    """What an operator can do; ``ControlService`` says what each verb promises."""

    def create_plan(self, request: PlanRequest) -> PlanRecord: ...
    def change_plan(self, slug: str, change: PlanChange) -> PlanRecord: ...
    def list_plans(self) -> tuple[PlanRecord, ...]: ...
    def create_tenant(self, request: TenantRequest) -> TenantRecord: ...
    def change_tenant(self, slug: str, change: TenantChange) -> TenantRecord: ...
    def list_tenants(self) -> tuple[TenantRecord, ...]: ...
    def create_project(self, request: ProjectRequest) -> ProjectRecord: ...
    def list_projects(self, *, tenant: str | None = None) -> tuple[ProjectRecord, ...]: ...
    def create_key(self, request: KeyRequest) -> NewKey: ...
    def import_key(self, text: str, request: KeyRequest) -> KeyRecord: ...
    def list_keys(
        self, *, tenant: str | None = None, project: str | None = None
    ) -> tuple[KeyRecord, ...]: ...
    def change_key(self, public_id: str, change: KeyChange) -> KeyRecord: ...
    def revoke_key(self, public_id: str) -> KeyRecord: ...
    def rotate_token_keys(self, *, overlap_s: int) -> tuple[TokenKeyRecord, ...]: ...
    def list_token_keys(self) -> tuple[TokenKeyRecord, ...]: ...


@contextlib.contextmanager
def open_control(
    directory: Directory, settings: Settings, *, clock: Clock = _CLOCK
) -> Generator[Control]:
    """The control of the node that is at ``directory``, running or not.

    Raises ``NotFound`` (``node_not_found``), and makes nothing, when none is there; else as
    ``open_or_make_control`` does.
    """
    if not directory.control_db.exists():
        raise NotFound(
            f"There is no node in {directory.root.absolute()}.",
            code="node_not_found",
            hint="Name its directory with --data or WEIR_DATA_DIR; weir serve makes a new node.",
        )
    with open_or_make_control(directory, settings, clock=clock) as control:
        yield control


@contextlib.contextmanager
def open_or_make_control(
    directory: Directory, settings: Settings, *, clock: Clock = _CLOCK
) -> Generator[Control]:
    """The control of the node at ``directory``, running or not; a new directory becomes a node.

    A node that is just starting or stopping is waited for ``NODE_WAIT_S``; then ``Unavailable``
    is raised. Opening the database of a node that does not run may raise what
    ``ControlService.open`` does.
    """
    deadline = clock.monotonic_s() + NODE_WAIT_S
    while True:
        if _answers(directory.control_socket):
            yield ControlClient(directory.control_socket)
            return
        try:
            opened = _open_service(directory, settings, clock=clock)
        except Conflict as error:
            if error.code != "locked":
                raise
            if clock.monotonic_s() >= deadline:
                raise Unavailable(
                    f"The node does not answer at {directory.control_socket}.",
                    code="node_unreachable",
                    hint=f"See whether it starts: {error.message}",
                ) from error
        else:
            with opened as service:
                yield service
            return
        threading.Event().wait(_POLL_S)


class ControlClient:
    """``Control`` over the socket of a running node: one connection for each call.

    Raises the errors of the service as they were raised there, and ``Unavailable``
    (``node_unreachable``) when the node does not answer; the call may have been carried out.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def create_plan(self, request: PlanRequest) -> PlanRecord:
        return self._call("POST", "/plans", PlanRecord, request)

    def change_plan(self, slug: str, change: PlanChange) -> PlanRecord:
        return self._call("PATCH", f"/plans/{quote(slug, safe='')}", PlanRecord, change)

    def list_plans(self) -> tuple[PlanRecord, ...]:
        return self._call("GET", "/plans", tuple[PlanRecord, ...])

    def create_tenant(self, request: TenantRequest) -> TenantRecord:
        return self._call("POST", "/tenants", TenantRecord, request)

    def change_tenant(self, slug: str, change: TenantChange) -> TenantRecord:
        return self._call("PATCH", f"/tenants/{quote(slug, safe='')}", TenantRecord, change)

    def list_tenants(self) -> tuple[TenantRecord, ...]:
        return self._call("GET", "/tenants", tuple[TenantRecord, ...])

    def create_project(self, request: ProjectRequest) -> ProjectRecord:
        return self._call("POST", "/projects", ProjectRecord, request)

    def list_projects(self, *, tenant: str | None = None) -> tuple[ProjectRecord, ...]:
        return self._call("GET", _path("/projects", tenant=tenant), tuple[ProjectRecord, ...])

    def create_key(self, request: KeyRequest) -> NewKey:
        return self._call("POST", "/keys", NewKey, request)

    def import_key(self, text: str, request: KeyRequest) -> KeyRecord:
        return self._call("POST", "/keys/import", KeyRecord, {"text": text, "key": request})

    def list_keys(
        self, *, tenant: str | None = None, project: str | None = None
    ) -> tuple[KeyRecord, ...]:
        path = _path("/keys", tenant=tenant, project=project)
        return self._call("GET", path, tuple[KeyRecord, ...])

    def change_key(self, public_id: str, change: KeyChange) -> KeyRecord:
        return self._call("PATCH", f"/keys/{quote(public_id, safe='')}", KeyRecord, change)

    def revoke_key(self, public_id: str) -> KeyRecord:
        return self._call("POST", f"/keys/{quote(public_id, safe='')}/revoke", KeyRecord)

    def rotate_token_keys(self, *, overlap_s: int) -> tuple[TokenKeyRecord, ...]:
        asked = {"overlap_s": overlap_s}
        return self._call("POST", "/token-keys/rotate", tuple[TokenKeyRecord, ...], asked)

    def list_token_keys(self) -> tuple[TokenKeyRecord, ...]:
        return self._call("GET", "/token-keys", tuple[TokenKeyRecord, ...])

    def _call(self, method: str, path: str, kind: type[Reply], value: object = None) -> Reply:
        body = None if value is None else msgspec.json.encode(value)
        try:
            status, encoded = _exchange(self._socket, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                "The node did not answer; the command may have been carried out.",
                code="node_unreachable",
                hint="List what is there before you repeat it.",
            ) from error
        if status != 200:
            raise error_of(msgspec.json.decode(encoded, type=Failure))
        return msgspec.json.decode(encoded, type=kind)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("weir")
        self._path = path

    def connect(self) -> None:
        self.sock = connect_unix(self._path, timeout_s=REPLY_TIMEOUT_S)


def _answers(socket: Path) -> bool:
    try:
        connect_unix(socket, timeout_s=NODE_WAIT_S).close()
    except OSError:
        return False
    return True


def _open_service(
    directory: Directory, settings: Settings, *, clock: Clock
) -> contextlib.closing["ControlService"]:
    # Imported here: a command to a running node need not load SQLAlchemy.
    from weir.control.first_run import door_url
    from weir.control.service import ControlService

    # A node whose api process is between two lives has a board: its workers must be told too.
    board = Board.open(directory.board) if directory.board.exists() else None
    return contextlib.closing(
        ControlService.open(directory, clock=clock, board=board, url=door_url(settings))
    )


def _exchange(socket: Path, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    with contextlib.closing(_UnixConnection(socket)) as connection:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.read()


def _path(path: str, **query: str | None) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
