"""What clients leave behind: nothing that waits for the garbage collector, which seldom comes."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import ref

import pytest

from tests.contract.http.ways import MakeWay, Way
from tests.unit.ingest.node import FEW_EVENTS, INGEST, LIMITED, QUERY, USED_UP, Node, wait_for
from tests.unit.ingest.wire import Closed, chunked, request
from weir.ingest.http.connection import Connection
from weir.ingest.http.exchange import Exchange
from weir.ingest.http.head import Head
from weir.ingest.http.relay import Relay

HELLO = request("/livez", b"", method="GET")

KINDS = {
    "nothing": b"",
    "event": request(key=INGEST),
    "chunked": chunked(b'{"event":"a"}', key=INGEST),
    "pipelined": request(key=INGEST) + HELLO + request("/echo", b"x"),
    "relayed": request("/echo", b"x" * 1000),
    "unknown key": request(key="unknown-key-0123456789"),
    "no json": request(body=b"{", key=INGEST),
    "no large json": request(body=b"{" * 300_000, key=INGEST),
    "no event in turn": request(body=b'[{"a":"%s"}]' % (b"x" * 10_000), key=INGEST),
    "one event of two": request(body=b'[{"event":"a"},{}]', key=INGEST),
    "too many events": request(body=b"[%s{}]" % (b"{}," * 5000), key=INGEST),
    "too large": request(key=INGEST).replace(b"Length: ", b"Length: 9999999999"),
    "wrong scope": request(key=QUERY),
    "limit of requests": request(key=LIMITED) * 5,
    "limit of events": request(body=b"[%s{}]" % (b'{"event":"a"},' * 9), key=FEW_EVENTS),
    "quota": request(key=USED_UP) * 5,
    "no backfill": request("/v1/events?backfill=2", key=INGEST),
    "no endpoint": request("/v1/endpoints/e-0/ingest", key=INGEST),
    "another dialect": request("/ingest/batch", b"[{}]", key=INGEST),
    "no beacon": request("/v1/ingest/beacon", b"x=1&key=a"),
    "no http": b"\x01" * 5000,
    "two hosts": request("/livez", b"", "Host: b", method="GET"),
    "half a head": request()[:40],
    "half a body": request(key=INGEST)[:-3],
    "too many headers": request("/livez", b"", *(f"X-{n}: a" for n in range(200)), method="GET"),
    "bad chunk": chunked(b"abc", key=INGEST).replace(b"\r\n3\r\n", b"\r\nzz\r\n"),
    "no gzip": request("/v1/events", b"\x1f\x8b\x08" + bytes(300_000), key=INGEST),
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": request("/livez", b"", "Connection: Upgrade", "Upgrade: h2c", method="GET"),
}


@pytest.fixture(params=["plain", "tls"])
def way(request: pytest.FixtureRequest, make_way: MakeWay) -> Way:
    """A proxy would keep the connections."""
    return make_way(request.param)


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("kind", KINDS)
def test_connections_end_without_the_collector(node: Node, kind: str) -> None:
    """Whatever was sent, connection and requests are freed as soon as the client has gone."""
    _come_and_go(node, KINDS[kind])


@pytest.mark.usefixtures("_no_collector")
def test_refused_by_overload_ends_without_the_collector(node: Node) -> None:
    """Overload is no time to keep the bodies that there is no room for."""
    node.backlog[0] = node.settings.journal_backlog_bytes_max + 1
    node.call(node.overload.tick)
    _come_and_go(node, request(key=INGEST))


@pytest.mark.usefixtures("_no_collector")
def test_connection_that_was_looked_at_ends_without_the_collector(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker looks at all connections, several times a second, and keeps none."""
    looked = threading.Event()
    sweep = Connection.sweep

    def note(connection: Connection, now: float) -> None:
        sweep(connection, now)
        looked.set()

    monkeypatch.setattr(Connection, "sweep", note)
    with node.connect() as wire:
        wire.send(HELLO[:20])
        assert looked.wait(60)
        wire.reset()
    wait_for(lambda: not node.door.connections)
    wait_for(lambda: not _count_left(node), what="the collector, in vain")


class _Gone:
    """A client's connection, of which only what happens before it has begun is asked."""

    def begin_when_first(self, exchange: Exchange) -> None:
        """The test begins."""

    peer = ("127.0.0.1", 1)

    def follow(self, source: object) -> None:
        """Nobody reads."""


@pytest.mark.usefixtures("_no_collector")
def test_client_that_left_before_the_relay_had_begun_leaves_nothing(node: Node) -> None:
    """The connection to the api process ends, and nothing waits for a deadline or the collector."""
    passing = Relay(node.directory.api_socket, node.loop, query_timeout_s=3600, trusted=())

    async def come_and_go(turns: int) -> "ref[Exchange]":
        gone: Any = _Gone()
        exchange = Exchange(gone)
        exchange.head = Head(b"GET", b"/hang", b"/hang", {})
        passing.pass_on(exchange)
        assert exchange.start is not None
        exchange.start()
        exchange.start = None
        for _ in range(turns):
            await asyncio.sleep(0)
        cancel, exchange.cancel = exchange.cancel, None
        if cancel is not None:
            cancel()
        return ref(exchange)

    left = [
        asyncio.run_coroutine_threadsafe(come_and_go(turns % 6), node.loop).result()
        for turns in range(36)
    ]
    wait_for(lambda: all(each() is None for each in left), what="the collector, in vain")


def _come_and_go(node: Node, sent: bytes) -> None:
    for leave in ("close", "reset") * 3:
        with node.connect() as wire:
            wire.send(sent)
            if leave == "close":
                with suppress(ConnectionError):
                    wire.shutdown()
                with suppress(Closed, ConnectionError):
                    wire.read_to_end()
            else:
                wire.reset()
    wait_for(lambda: not node.door.connections)
    wait_for(lambda: not _count_left(node), what="the collector, in vain")


def _count_left(node: Node) -> int:
    # The journal's thread and the loop may be about to let go of the last ones. Other nodes' ones
    # in this process, which a test that failed holds on to, are not asked for.
    found = (each for each in gc.get_objects() if type(each) is Connection)
    return sum(each.door is node.door for each in found)
