"""A door without sockets and disk: bytes of requests in, bytes of answers out, on one thread.

Frames are durable when they are appended. So what is measured is the door's own work: HTTP, keys,
limits, the dialect, the draft of a frame and the answer.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import uvloop

from bench.node import ROOT
from weir.clock import SystemClock
from weir.domain.frame import Draft, Waiter
from weir.domain.keys import Scope, digest_of
from weir.domain.registry import Endpoint, Principal, Project, Registry, Tenant
from weir.ingest.http.connection import Connection
from weir.ingest.http.door import Door
from weir.ingest.overload import Overload
from weir.node.board import Slot
from weir.node.directory import Directory
from weir.node.registry import publish_registry
from weir.server.edge import build_door
from weir.server.run_folder import prepare_run
from weir.settings import Settings

KEY = "still-door-key-0123456789"
FREE, LIMITED = 0, 1 << 31
"""Requests and events per minute, and events per month: no limit, and one that is never met."""

_ENDPOINT = Endpoint(1, 1, "11111111-1111-4111-8111-111111111111")


class StillDoor:
    """One connection to a door."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport = _Transport()
        self._connection = Connection(door)
        self._connection.connection_made(self._transport)

    def used_s(self, sent: bytes, times: int) -> float:
        """CPU time of a request's handling, of so many one after the other; all are taken."""
        return self._loop.run_until_complete(self._send(sent, times)) / times

    def close(self) -> None:
        """The client leaves."""
        self._connection.connection_lost(None)

    async def _send(self, sent: bytes, times: int) -> float:
        answers = self._transport.answers
        answers.clear()
        receive = self._connection.data_received
        started_s = process_time()
        for _ in range(times):
            receive(sent)
            await asyncio.sleep(0)  # large bodies are judged one between two looks at the sockets
        used_s = process_time() - started_s
        refused = [each for each in answers if not each.startswith(b"HTTP/1.1 20")]
        if refused or len(answers) != times:
            raise SystemExit(f"The figure would lie: {refused[:1] or len(answers)}")
        return used_s


@contextmanager
def still_door(limit: int) -> Iterator[StillDoor]:
    """A door whose only key and tenant have this limit of everything."""
    ROOT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        loop = uvloop.new_event_loop()
        still = StillDoor(_door(Directory(Path(name)), limit, loop), loop)
        try:
            yield still
        finally:
            still.close()
            loop.close()


def request(path: str, body: bytes, *, content_type: str = "application/json") -> bytes:
    """The bytes of a request as an SDK sends it."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: weir.example\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711)})
        self.answers: list[bytes] = []

    def write(self, output: bytes) -> None:  # type: ignore[override]  # the door writes bytes
        self.answers.append(output)


class _Journal:
    """Every frame is durable at once."""

    start_offset = 0

    def append(self, draft: Draft, waiter: Waiter) -> None:
        waiter.durable(1)


def _door(directory: Directory, limit: int, loop: asyncio.AbstractEventLoop) -> Door:
    clock = SystemClock()
    board = prepare_run(directory, workers=1, clock=clock)
    publish_registry(directory, board, _registry(limit))
    board.set(Slot.API_READY, 1)
    settings = Settings(data_dir=str(directory.root), workers=1, disk_reserve_bytes=0)
    journal = _Journal()
    overload = Overload(
        directory.root, reserve_bytes=0, backlog_bytes=lambda: 0, backlog_bytes_max=1 << 40
    )
    return build_door(
        settings, board, loop, worker=0, clock=clock, journal=journal, overload=overload
    )


def _registry(limit: int) -> Registry:
    scopes = frozenset({Scope.INGEST.value})
    principal = Principal(1, "key_1", 1, 1, 1, scopes, 1, requests_per_minute=limit)
    return Registry(
        epoch=1,
        keys={digest_of(KEY).hex(): principal},
        projects={1: Project(1, 1, "bench", 1)},
        tenants={1: Tenant(1, "bench", events_per_minute=limit, events_per_month=limit)},
        endpoints={1: _ENDPOINT},
    )
