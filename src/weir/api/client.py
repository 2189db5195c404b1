"""The operator's way to control state, whether the node runs or not, with the same results.

A running node is asked over ``run/control.sock``; else the database is opened here, under its
lock.
"""

import contextlib
import http.client
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from weir.api.operation import Asked, Reply, Verb
from weir.clock import Clock, SystemClock
from weir.errors import (
    Conflict,
    Failure,
    NotFound,
    Unavailable,
    WeirError,
    error_of,
    kind_of_status,
)
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.node_file import read_node
from weir.node.sockets import connect_unix
from weir.settings import Settings
from weir.storage.local import check_socket

if TYPE_CHECKING:
    from weir.control.service import ControlService

NODE_WAIT_S = 5.0
REPLY_TIMEOUT_S = 30.0
_POLL_S = 0.05
_CLOCK = SystemClock()


class Control(Protocol):
    """Control state as the operator's tools see it: they call verbs."""

    def call(self, verb: Verb[Asked, Reply], asked: Asked) -> Reply:
        """Returns what the verb answers; raises its errors, wherever it runs."""
        ...


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
    is raised. Opening the database of a node that does not run may raise what ``read_node`` and
    ``ControlService.open`` do. ``InvalidInput`` (``file_access``) when this user may not speak to
    the node.
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
                yield LocalControl(service)
            return
        threading.Event().wait(_POLL_S)


class LocalControl:
    """``Control`` over the state that this process has opened."""

    __slots__ = ("_service",)

    def __init__(self, service: "ControlService") -> None:
        self._service = service

    def call(self, verb: Verb[Asked, Reply], asked: Asked) -> Reply:
        """Returns what the verb answers in this process."""
        return verb.run(self._service, asked)


class ControlClient:
    """``Control`` over the socket of a running node: one connection for each call.

    Raises the errors of the verb as they were raised there, and ``Unavailable``
    (``node_unreachable``) when the node does not answer, or not in this version's words; the call
    may have been carried out.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def call(self, verb: Verb[Asked, Reply], asked: Asked) -> Reply:
        """Returns what the verb answers at the node."""
        target, body = _written(verb, asked)
        try:
            status, encoded = _exchange(self._socket, verb.method, target, body)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                "The node did not answer; the command may have been carried out.",
                code="node_unreachable",
                hint="List what is there before you repeat it.",
            ) from error
        try:
            if status == verb.status:
                return msgspec.json.decode(encoded, type=verb.returns)
            raise _refusal(status, encoded)
        except msgspec.MsgspecError as error:
            raise Unavailable(
                f"The node answered with status {status} and in words that this command lacks.",
                code="node_unreachable",
                hint="It runs another version of Weir: use the command of that version.",
            ) from error


class _PlainRefusal(msgspec.Struct, frozen=True):
    """What answers for no verb: a path that is none, a fault of the node, an earlier version."""

    error: str
    message: str
    hint: str | None = None
    details: list[dict[str, object]] | None = None


def _refusal(status: int, encoded: bytes) -> WeirError:
    """The error that a reply tells; raises ``msgspec.MsgspecError`` for what is no error."""
    with contextlib.suppress(msgspec.ValidationError):
        return error_of(msgspec.json.decode(encoded, type=Failure))
    told = msgspec.json.decode(encoded, type=_PlainRefusal)
    kind = kind_of_status(status)
    return kind(told.message, code=told.error, hint=told.hint, details=told.details)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("weir")
        self._path = path

    def connect(self) -> None:
        self.sock = connect_unix(self._path, timeout_s=REPLY_TIMEOUT_S)


def _answers(socket: Path) -> bool:
    check_socket(socket)
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

    read_node(directory)  # a newer version's, or half restored, is not opened
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


def _written(verb: Verb[Asked, Reply], asked: Asked) -> tuple[str, bytes | None]:
    """The target and the body of a request, as ``reading`` takes them apart."""
    fields: dict[str, Any] = msgspec.to_builtins(asked) or {}
    in_path = {name: quote(fields.pop(name), safe="") for name in verb.path_names}
    target = verb.path.format_map(in_path)
    if verb.has_body:
        return target, msgspec.json.encode(fields)
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"{target}?{query}" if query else target, None
