"""An edge worker in a thread of the test: a real door, journal, socket and loop.

Only time stands still until a test moves it, and the journal's disk can be held up or made to fail.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from tests.unit.ingest.upstream import Upstream
from tests.unit.ingest.wire import Wire
from weir.clock import SystemClock
from weir.dialects.table import dialects_by_code
from weir.domain.event import Event
from weir.domain.frame import Frame
from weir.domain.keys import Scope, digest_of
from weir.domain.registry import Endpoint, Principal, Project, Registry, Tenant
from weir.ingest.edge import Edge, serve_edge
from weir.ingest.http.connection import Connection
from weir.ingest.http.door import Door
from weir.ingest.http.tls import Certificate
from weir.ingest.overload import Overload
from weir.journal.disk import LocalDisk
from weir.journal.reader import JournalReader
from weir.journal.writer import JournalWriter
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import publish_registry
from weir.server.edge import build_door
from weir.server.run_folder import prepare_run
from weir.settings import MIB, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

DEADLINE_S = 120.0
START_US = 1_800_000_010_000_000
"""Ten seconds into a minute, so that no test meets the end of a window by chance."""

INGEST = "ingest-key-0123456789"
QUERY = "query-key-0123456789"
EXPIRED = "expired-key-0123456789"
HERE = "loopback-key-0123456789"
ELSEWHERE = "elsewhere-key-0123456789"
BROWSER = "browser-key-0123456789"
LIMITED = "limited-key-0123456789"
FEW_EVENTS = "few-events-key-0123456789"
INACTIVE = "inactive-key-0123456789"
SECRET = "secret-key-0123456789"
"""Good for events and more."""

USED_UP = "used-up-key-0123456789"

REQUESTS_PER_MINUTE = 3
EVENTS_PER_MINUTE = 5
EVENTS_PER_MONTH = 3


class StillClock(SystemClock):
    """The wall clock stands until ``now_s`` is changed; timers run as usual."""

    __slots__ = ("now_s",)

    def __init__(self) -> None:
        self.now_s = START_US // 1_000_000

    def now_us(self) -> int:
        return self.now_s * 1_000_000


class TouchyDisk(LocalDisk):
    """The real disk, whose syncs wait while ``may_sync`` is not set and fail while ``broken``."""

    __slots__ = ("broken", "may_sync")

    def __init__(self) -> None:
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.broken = False

    def sync(self, descriptor: int) -> None:
        assert self.may_sync.wait(DEADLINE_S), "a test left the disk held"
        if self.broken:
            raise OSError(errno.EIO, "injected")
        super().sync(descriptor)


def make_registry(epoch: int, *, without: str = "") -> Registry:
    """Two tenants and a key for every case; ``without`` is the key that was revoked."""
    ingest = frozenset({Scope.INGEST.value})
    far_us = START_US * 2
    keys = {
        INGEST: _principal(1, ingest, expires_at_us=far_us),
        QUERY: _principal(2, frozenset({Scope.QUERY.value})),
        EXPIRED: _principal(3, ingest, expires_at_us=START_US - 1),
        HERE: _principal(4, ingest, networks=("127.0.0.0/8",)),
        ELSEWHERE: _principal(5, ingest, networks=("203.0.113.0/24", "2001:db8::/32")),
        BROWSER: _principal(6, ingest, origins=("https://shop.example",)),
        LIMITED: _principal(7, ingest, requests_per_minute=REQUESTS_PER_MINUTE),
        FEW_EVENTS: _principal(8, ingest, tenant_id=2),
        INACTIVE: _principal(9, ingest, tenant_id=3),
        SECRET: _principal(10, ingest | {Scope.QUERY.value}),
        USED_UP: _principal(11, ingest, tenant_id=4),
    }
    return Registry(
        epoch=epoch,
        keys={digest_of(text).hex(): key for text, key in keys.items() if text != without},
        projects={1: Project(1, 1, "shop", 1)},
        tenants={
            1: Tenant(1, "one"),
            2: Tenant(2, "two", events_per_minute=EVENTS_PER_MINUTE),
            3: Tenant(3, "three", active=False),
            4: Tenant(4, "four", events_per_month=EVENTS_PER_MONTH),
        },
        endpoints={1: Endpoint(1, 1, "11111111-1111-4111-8111-111111111111")},
    )


def _principal(
    number: int, scopes: frozenset[str], *, tenant_id: int = 1, **rest: Any
) -> Principal:
    return Principal(number, f"key_{number}", tenant_id, 1, 1, scopes, number, **rest)


@dataclass(slots=True, kw_only=True)
class Node:
    """A running edge worker, as tests see it."""

    directory: Directory
    board: Board
    settings: Settings
    clock: StillClock
    disk: TouchyDisk
    upstream: Upstream
    door: Door
    overload: Overload
    backlog: list[int]
    """One number: what the overload check believes of the journal's backlog."""
    loop: asyncio.AbstractEventLoop
    address: tuple[str, int]
    stop: asyncio.Event
    complaints: list[dict[str, Any]]
    """What reached the loop's exception handler."""
    exit_codes: list[int]
    thread: threading.Thread
    security: ssl.SSLContext | None = None
    """What clients speak TLS with, where the node does."""

    def connect(self, **options: Any) -> Wire:
        """A new connection; ``receive_bytes`` and ``source`` as in ``Wire.connect``."""
        return Wire.connect(self.address, security=self.security, **options)

    def call(self, action: Callable[[], T]) -> T:
        """Does something on the worker's loop and returns its result."""

        async def act() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(DEADLINE_S)

    def publish(self, registry: Registry) -> None:
        """Publishes a registry as the api process does."""
        publish_registry(self.directory, self.board, registry)

    def frames(self) -> list[Frame]:
        """The frames of events that are in the journal, without the tallies."""
        return [frame for frame in self._read() if not frame.is_tally]

    def tallies(self) -> list[Frame]:
        """The tally frames that are in the journal."""
        return [frame for frame in self._read() if frame.is_tally]

    def events(self) -> list[Event]:
        """The stored events, decoded as the loader does."""
        dialects = dialects_by_code()
        found: list[Event] = []
        for frame in self.frames():
            events = dialects[frame.dialect].decode([frame])
            assert len(events) == frame.event_count
            found.extend(events)
        return found

    def bodies(self) -> list[bytes]:
        """The stored bodies, in order."""
        return [frame.body for frame in self.frames()]

    def _read(self) -> Sequence[Frame]:
        reader = JournalReader(self.directory.journal(0))
        batch = reader.read(0, byte_limit=1 << 40)
        assert not batch.damages
        return batch.frames

    def end(self) -> int:
        """Stops the worker and returns its exit code."""
        self.disk.may_sync.set()
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        return self.exit_codes[0]


def wait_for(condition: Callable[[], object], *, what: str = "condition") -> None:
    """Returns when the condition holds; fails after the deadline."""
    deadline = monotonic() + DEADLINE_S
    while monotonic() < deadline:
        if condition():
            return
        sleep(0.005)
    raise AssertionError(f"waited in vain for: {what}")


@contextmanager
def running_node(
    root: Path,
    *,
    with_api: bool = True,
    with_registry: bool = True,
    listener: socket.socket | None = None,
    **options: Any,
) -> Iterator[Node]:
    """A node until the block ends; then nothing may be left in flight and nothing amiss.

    Without a ``listener`` it gets a port of its own. ``options`` are settings. Without a registry,
    none is published: a test does so when it wants one. The check at the
    end: bytes in flight are back at 0, no connection is left, and the loop had nothing to complain
    of.
    """
    fitting: dict[str, Any] = {"disk_reserve_bytes": 0, "drain_timeout_s": 3.0, **options}
    settings = Settings(data_dir=str(root), workers=1, **fitting)
    listener = listener or socket.create_server(("127.0.0.1", 0), backlog=512)
    started = threading.Event()
    nodes: list[Node] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                serving = _serve(
                    root,
                    settings,
                    nodes,
                    started,
                    with_api=with_api,
                    with_registry=with_registry,
                    listener=listener,
                )
                runner.run(serving)
        except BaseException as error:  # shown by the test that waits for the node
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="edge")
    thread.start()
    assert started.wait(DEADLINE_S)
    if failures:
        raise failures[0]
    node = nodes[0]
    node.thread = thread
    try:
        yield node
    finally:
        if thread.is_alive():
            node.end()
        listener.close()  # the loop may have ended before it came to that
    assert not failures, failures
    assert not node.complaints, node.complaints
    assert not node.door.connections
    assert node.door.bytes_in_flight == 0


async def _serve(
    root: Path,
    settings: Settings,
    nodes: list[Node],
    started: threading.Event,
    *,
    with_api: bool,
    with_registry: bool,
    listener: socket.socket,
) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    directory = Directory(root)
    clock = StillClock()
    board = prepare_run(directory, workers=1, clock=clock)
    disk = TouchyDisk()
    journal = JournalWriter.open(
        directory.journal(0), quarantine=directory.quarantine, clock=clock,
        file_bytes=MIB, notify=loop.call_soon_threadsafe, disk=disk,
    )  # fmt: skip
    if with_registry:
        publish_registry(directory, board, make_registry(1))
    board.set(Slot.API_READY, 1)
    board.set(Slot.LOADER_READY, 1)
    backlog = [0]
    overload = Overload(
        root,
        reserve_bytes=settings.disk_reserve_bytes,
        backlog_bytes=lambda: backlog[0],
        backlog_bytes_max=settings.journal_backlog_bytes_max,
    )
    door = build_door(
        settings, board, loop, worker=0, clock=clock, journal=journal, overload=overload
    )
    upstream = Upstream()
    if with_api:
        await upstream.start(directory.api_socket)
    node = Node(
        directory=directory, board=board, settings=settings, clock=clock, disk=disk, loop=loop,
        upstream=upstream, door=door, overload=overload, backlog=backlog,
        address=listener.getsockname(),
        stop=asyncio.Event(), complaints=complaints, exit_codes=[],
        thread=threading.current_thread(),
    )  # fmt: skip
    nodes.append(node)
    started.set()
    certificate = Certificate.load(settings.tls_cert, settings.tls_key)
    edge = Edge(0, door, journal, board, listener, certificate)
    node.exit_codes.append(await serve_edge(edge, node.stop))
    await upstream.end()
    # serve_edge leaves a dead journal to the end of the process, which is not near here.
    journal.close()


def connections_of(node: Node) -> list[Connection]:
    """The worker's open connections, to look at on its loop."""
    return [client for client in node.door.connections if isinstance(client, Connection)]


def unanswered(node: Node) -> int:
    """Requests that were received and not yet answered; to be called on the loop."""
    return sum(len(connection._pipeline.exchanges) for connection in connections_of(node))


def unsent_bytes(node: Node) -> int:
    """What the worker holds for clients that do not read; to be called on the loop."""
    transports = [connection._transport for connection in connections_of(node)]
    return sum(transport.get_write_buffer_size() for transport in transports if transport)
