"""Fifty small tenants, and what a tenant with a hundred times their load does to them."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

from bench.door import EVENT
from bench.figure import Figure, percentile, spread
from bench.node import node, sync_us
from bench.peers import CLIENT_CPU, SERVER_CPU, Load, drive
from bench.processes import pin
from tests.end_to_end.running_node import Node
from weir.api.client import ControlClient
from weir.api.routes.operator.keys import CREATE_KEY
from weir.api.routes.operator.projects import CREATE_PROJECT
from weir.api.routes.operator.tenants import CREATE_TENANT
from weir.control.records import KeyRequest, ProjectRequest, TenantRequest
from weir.node.directory import Directory

TENANTS = 50
RATE = 20
"""Events per second of a small tenant, each a request."""

PAIRS = 15
SECONDS = 1
GOAL = 1.2


class _Heavy(NamedTuple):
    """How the large tenant sends: a hundred times ``RATE`` events per second, or all it can."""

    name: str
    path: str
    body: str
    connections: int
    pause_ms: int
    events: int
    """In each request."""
    goal: str


def _batch(events: int) -> str:
    return json.dumps({"events": [json.loads(EVENT)] * events})


HEAVY = (
    _Heavy("single events", "/v1/ingest", EVENT, 40, 14, 1, str(GOAL)),
    _Heavy("batches of 100", "/v1/batch", _batch(100), 4, 195, 100, str(GOAL)),
    _Heavy("batches of 500 without a pause", "/v1/batch", _batch(500), 16, 0, 500, ""),
)


def measure() -> list[Figure]:
    """Pairs of the small tenants alone, and with the large one; for both ways of sending."""
    figures: list[Figure] = []
    with node(workers=1, journal_backlog_bytes_max="64GiB") as weir:
        pin(weir.pids("edge"), SERVER_CPU)
        pin(weir.pids("loader") + weir.pids("api"), CLIENT_CPU)
        keys = _make_tenants(weir)
        for heavy in HEAVY:
            # What is measured is the door: its clients run on the core that the loader needs.
            loader = weir.pids("loader")[0]
            os.kill(loader, signal.SIGSTOP)
            figures += _compare(weir, keys, heavy)
            os.kill(loader, signal.SIGCONT)
    return figures


def _compare(weir: Node, keys: Sequence[str], heavy: _Heavy) -> list[Figure]:
    alone, beside, rates = [], [], []
    _small(weir, keys)
    for _ in range(PAIRS):
        alone.append(_small(weir, keys))
        loads: list[Load] = []
        sender = threading.Thread(target=_send, args=(weir, heavy, loads))
        sender.start()
        time.sleep(0.5)
        beside.append(_small(weir, keys))
        sender.join()
        if loads[0].not_2xx:
            raise SystemExit(f"{loads[0].not_2xx} requests were refused; the figure would lie.")
        rates.append(loads[0].requests_per_s * heavy.events)
    ratios = [
        percentile(loud, 0.99) / percentile(quiet, 0.99)
        for quiet, loud in zip(alone, beside, strict=True)
    ]
    how = (
        f"{TENANTS} tenants at {RATE}/s each; beside them one with {median(rates):.0f} events/s as "
        f"{heavy.name}; {PAIRS} pairs of {SECONDS} s; fdatasync {sync_us():.0f} µs"
    )
    shown = "; ".join(
        f"{share:.0%}: {_pooled(alone, share):.2f} and {_pooled(beside, share):.2f}"
        for share in (0.5, 0.9, 0.99)
    )
    return [
        Figure(
            f"small tenants' p99 beside a large one ({heavy.name}): ratio to alone",
            spread(ratios),
            heavy.goal,
            how,
        ),
        Figure("their latency alone and beside it, ms", shown, "", "all pairs together"),
    ]


def _pooled(runs: Sequence[Sequence[float]], share: float) -> float:
    return percentile([each for run in runs for each in run], share)


def _make_tenants(weir: Node) -> list[str]:
    control = ControlClient(Directory(weir.directory).control_socket)
    keys = []
    for number in range(TENANTS):
        slug = f"small-{number}"
        control.call(CREATE_TENANT, TenantRequest(slug=slug))
        control.call(CREATE_PROJECT, ProjectRequest(slug="default", tenant=slug))
        keys.append(control.call(CREATE_KEY, KeyRequest(tenant=slug)).text)
    return keys


def _send(weir: Node, heavy: _Heavy, loads: list[Load]) -> None:
    load = drive(
        weir.url + heavy.path,
        key=weir.key,
        body=heavy.body,
        connections=heavy.connections,
        seconds=SECONDS + 1,
        pause_ms=heavy.pause_ms,
    )
    loads.append(load)


def _small(weir: Node, keys: Sequence[str]) -> list[float]:
    """Milliseconds of each of their requests, over ``SECONDS``."""
    return uvloop.run(_send_steadily(weir.url, keys))


async def _send_steadily(url: str, keys: Sequence[str]) -> list[float]:
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    clients = [_Client(key) for key in keys]
    for client in clients:
        reached = socket.create_connection((address.hostname or "", address.port or 0))
        await loop.create_connection(client.itself, sock=reached)
    start = loop.time() + 0.05
    for number, client in enumerate(clients):
        client.begin(start + number / RATE / len(clients), start + SECONDS)
    await asyncio.sleep(SECONDS + 0.3)
    for client in clients:
        client.close()
    return [each for client in clients for each in client.found]


class _Client(asyncio.Protocol):
    """One small tenant: a request every ``1 / RATE`` s, unless the last one is not answered."""

    def __init__(self, key: str) -> None:
        self.found: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._sent_at: float | None = None
        head = f"POST /v1/ingest HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer {key}\r\n"
        self._request = f"{head}Content-Length: {len(EVENT)}\r\n\r\n{EVENT}".encode()

    def itself(self) -> "_Client":
        """What makes the protocol of its connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def begin(self, due: float, end: float) -> None:
        """Sends at a time, and from then on at the rate until the end."""
        self._loop.call_at(due, self._send, due, end)

    def close(self) -> None:
        """Hangs up."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 202") or self._sent_at is None:
            raise SystemExit(f"A small tenant was answered {data[:200]!r}.")
        self.found.append((time.perf_counter() - self._sent_at) * 1000)
        self._sent_at = None

    def _send(self, due: float, end: float) -> None:
        if self._sent_at is None:
            self._sent_at = time.perf_counter()
            self._transport.write(self._request)
        if due + 1 / RATE < end:
            self.begin(due + 1 / RATE, end)
