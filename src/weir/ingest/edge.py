"""An edge worker's life: wait for the registry, accept, give way at a start, tick, drain.

A registry that does not come is not waited for behind a door that is shut: from then on requests
are answered, with 503 as long as nobody can be known.

Ends with ``EXIT_JOURNAL`` when its journal died: what is durable is decided by recovery, in a
new process on a new file.
"""

import asyncio
import resource
import socket
from contextlib import suppress
from time import sleep
from typing import NamedTuple, Protocol

from weir.errors import Unavailable
from weir.ingest.giving_way import GivingWay
from weir.ingest.http.connection import Connection
from weir.ingest.http.door import Door
from weir.ingest.http.tls import Certificate
from weir.ingest.http.tls_accept import TlsAccept
from weir.node.board import Board, Slot
from weir.telemetry import Happening, emit

EXIT_JOURNAL = 70
SWEEP_INTERVAL_S = 0.25
SWEEPS_PER_TICK = 4
LAST_ACCEPT_S = 0.1
"""How long a stopping worker still accepts: those that have connected already are answered."""

REGISTRY_PATIENCE_S = 5.0
"""How long a start waits for the registry before it accepts: so long clients wait in the listening
socket's queue, which is kinder than a 503 while a node starts."""

REGISTRY_POLL_S = 0.01
GIVING_WAY_POLL_S = 0.005
BACKLOG_CONNECTIONS = 4096


class ClosableJournal(Protocol):
    """What a worker needs of its journal's writer to end."""

    @property
    def dead(self) -> bool:
        """True once a write or sync has failed."""
        ...

    def close(self) -> None:
        """Writes what was appended, then frees the journal's lock."""
        ...


class Edge(NamedTuple):
    """What an edge worker runs with."""

    worker: int
    door: Door
    journal: ClosableJournal
    board: Board
    listener: socket.socket
    certificate: Certificate | None = None
    """The certificate with which clients speak TLS; None: they do not."""


async def serve_edge(edge: Edge, stop: asyncio.Event) -> int:
    """Accepts until ``stop`` is set or the journal dies; returns the exit code."""
    with suppress(TimeoutError):
        await asyncio.wait_for(_registry_is_there(edge.board, stop), REGISTRY_PATIENCE_S)
    if stop.is_set():
        edge.journal.close()
        return 0
    loop = asyncio.get_running_loop()
    door, certificate = edge.door, edge.certificate
    server = await loop.create_server(
        lambda: TlsAccept(door, certificate.context) if certificate else Connection(door),
        sock=edge.listener,
        backlog=BACKLOG_CONNECTIONS,
    )
    ready = asyncio.create_task(_be_ready(edge, stop))
    _give_way(edge.board, loop, GivingWay(now_s=loop.time(), cpu_s=_cpu_s()))
    await _work(edge, stop)
    ready.cancel()
    edge.door.is_draining = True
    if not edge.journal.dead:
        await asyncio.sleep(LAST_ACCEPT_S)
    server.close()
    await _drain(edge.door)
    if edge.journal.dead:
        return EXIT_JOURNAL
    edge.door.tick()
    edge.journal.close()
    return 0


async def _be_ready(edge: Edge, stop: asyncio.Event) -> None:
    """Says that the worker takes events once there is a registry, however late."""
    if await _registry_is_there(edge.board, stop):
        edge.board.set(Slot.EDGE_READY + edge.worker, 1)
        emit(Happening.EDGE_READY, worker=edge.worker)


async def _registry_is_there(board: Board, stop: asyncio.Event) -> bool:
    while not stop.is_set():
        if board.get(Slot.REGISTRY_EPOCH) > 0:
            return True
        await asyncio.sleep(REGISTRY_POLL_S)
    return False


def _give_way(board: Board, loop: asyncio.AbstractEventLoop, giving_way: GivingWay) -> None:
    """Rests now, with the whole loop, if it is time for that, and looks again soon."""
    rest_s = giving_way.rest_s(
        others_are_ready=bool(board.get(Slot.API_READY) and board.get(Slot.LOADER_READY)),
        now_s=loop.time(),
        cpu_s=_cpu_s(),
    )
    if rest_s:
        sleep(rest_s)
    if not giving_way.is_over:
        loop.call_later(GIVING_WAY_POLL_S, _give_way, board, loop, giving_way)


def _cpu_s() -> float:
    """What this process has used of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _work(edge: Edge, stop: asyncio.Event) -> None:
    door = edge.door
    sweeps = 0
    while not stop.is_set() and not edge.journal.dead:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_INTERVAL_S)
        sweeps += 1
        _sweep(door)
        if sweeps % SWEEPS_PER_TICK == 0 and not edge.journal.dead:
            door.tick()
            if edge.certificate is not None:
                _refresh(edge.certificate)


def _sweep(door: Door) -> None:
    # A function of its own: a loop that goes on would keep the last connection that it had seen.
    now = door.loop_time()
    for connection in list(door.connections):
        connection.sweep(now)


def _refresh(certificate: Certificate) -> None:
    refreshed = certificate.refresh()
    if refreshed is None:
        return
    if refreshed.refusal:
        emit(Happening.CERTIFICATE_REFUSED, reason=refreshed.refusal)
    else:
        emit(Happening.CERTIFICATE_LOADED)


async def _drain(door: Door) -> None:
    """Lets open requests finish, each answer with ``Connection: close``; bounded in time."""
    deadline = door.loop_time() + door.limits.drain_timeout_s
    while door.connections and (now := door.loop_time()) < deadline:
        for connection in list(door.connections):
            connection.close_when_idle(now)
        await asyncio.sleep(0.02)
    ending = Unavailable("The node is stopping.", retry_after_s=1)
    for connection in list(door.connections):
        connection.give_up(ending)
    await asyncio.sleep(LAST_ACCEPT_S)
