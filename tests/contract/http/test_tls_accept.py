"""A door with TLS before the handshake: who counts, who is told what, and for how long."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ingest.certificates import HAS_OPENSSL, client_hello, make_certificate, trusting
from tests.unit.ingest.node import INGEST, Node, running_node, wait_for
from tests.unit.ingest.wire import Wire, request
from weir.ingest.http.tls_accept import TlsAccept

pytestmark = pytest.mark.skipif(not HAS_OPENSSL, reason="needs openssl")

HELLO = request("/livez", b"", method="GET")
BODY = b'{"event":"over-tls"}'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a certificate."""
    directory = tmp_path_factory.mktemp("tls")
    make_certificate(directory, "door")
    return directory


@pytest.fixture
def settings(files: Path) -> dict[str, Any]:
    """What makes a node speak TLS."""
    return {"tls_cert": str(files / "cert.pem"), "tls_key": str(files / "key.pem")}


@pytest.fixture
def node(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Node]:
    """A worker that speaks TLS."""
    with running_node(tmp_path / "node", **settings) as running:
        yield running


def _secure(node: Node, files: Path) -> Wire:
    plain = node.connect().socket
    return Wire(trusting(files).wrap_socket(plain, server_hostname="127.0.0.1"))


def _count(node: Node) -> int:
    return node.call(lambda: len(node.door.connections))


def test_requests_go_over_tls(node: Node, files: Path) -> None:
    """Kept alive and pipelined, with bodies larger than a record of TLS."""
    large = b'{"event":"over-tls","user_id":"%s"}' % (b"x" * 200_000)
    with _secure(node, files) as wire:
        assert wire.ask(request(body=BODY, key=INGEST)).status == 202
        wire.send(request(body=large, key=INGEST) + HELLO)
        assert [wire.read().status, wire.read("GET").status] == [202, 200]
    assert node.bodies() == [BODY, large]


def test_every_split_of_the_first_bytes_leads_to_the_same_handshake(
    node: Node, files: Path
) -> None:
    """However the network cuts what the client says first, and what comes with it."""
    context = trusting(files)
    for cut in (1, 2, 5, 6, 50, 200):
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(heard, said, server_hostname="127.0.0.1")
        with node.connect() as wire:
            _advance(client, said, wire.socket, cut=cut)
            while True:
                heard.write(wire.socket.recv(65536))
                if _advance(client, said, wire.socket, cut=cut):
                    break
            client.write(HELLO)
            wire.socket.sendall(said.read())
            answer = b""
            while b"200 OK" not in answer:
                heard.write(wire.socket.recv(65536))
                try:
                    answer += client.read(65536)
                except ssl.SSLWantReadError:
                    continue


def _advance(
    client: ssl.SSLObject, said: ssl.MemoryBIO, connection: socket.socket, *, cut: int
) -> bool:
    """A step of the handshake, sent in two pieces; whether it is done."""
    try:
        client.do_handshake()
        is_done = True
    except ssl.SSLWantReadError:
        is_done = False
    words = said.read()
    connection.sendall(words[:cut])
    connection.sendall(words[cut:])
    return is_done


def test_plain_http_is_told_that_the_port_speaks_tls(node: Node) -> None:
    """400 in plain HTTP, whatever was asked for and however much of it; nothing is taken."""
    for sent in (HELLO, request(body=BODY, key=INGEST), b"G", HELLO * 1000):
        with node.connect() as wire:
            answer = wire.ask(sent)
            assert (answer.status, answer["connection"]) == (400, "close")
            assert "https://" in str(answer.json["message"])
    assert node.bodies() == []


@pytest.mark.parametrize(
    "sent",
    [b"\0" * 100, b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x15\x03\x01\0\x02\x02\0", b"\x80\x2e"],
)
def test_garbage_ends_the_connection(node: Node, files: Path, sent: bytes) -> None:
    """What is neither TLS nor HTTP meets no answer, and the door goes on."""
    with node.connect() as wire:
        wire.send(sent)
        while wire.poll(20) and wire.socket.recv(4096):  # an alert of TLS may come
            pass
    with _secure(node, files) as wire:
        assert wire.ask(HELLO, method="GET").status == 200


def test_clients_that_leave_midway_leave_nothing_behind(node: Node) -> None:
    """Closed or reset, having said nothing, half a hello or a whole one."""
    said = client_hello()
    for words in (b"", said[:1], said[:100], said):
        for leave in ("reset", "close"):
            wire = node.connect()
            wire.send(words)
            getattr(wire if leave == "reset" else wire.socket, leave)()
    wait_for(lambda: not node.door.connections)


@pytest.mark.parametrize("part", ["nothing", "half", "whole"])
def test_handshake_has_a_deadline(tmp_path: Path, settings: dict[str, Any], part: str) -> None:
    """A client that stops midway is let go, having said nothing or something."""
    said = client_hello()
    words = {"nothing": b"", "half": said[:50], "whole": said}[part]
    with running_node(tmp_path / "node", receive_timeout_s=0.4, **settings) as node:
        with node.connect() as wire:
            wire.send(words)
            while wire.socket.recv(65536):  # its part of the handshake
                pass
        wait_for(lambda: not node.door.connections)


def test_handshakes_count_as_connections(
    tmp_path: Path, settings: dict[str, Any], files: Path
) -> None:
    """Those that have not ended fill connections_max too; the one too many is closed."""
    with (
        running_node(tmp_path / "node", connections_max=4, **settings) as node,
        ExitStack() as all_,
    ):
        for words in (b"", b"\x16", client_hello()):
            all_.enter_context(node.connect()).send(words)
        with _secure(node, files) as good:
            assert good.ask(HELLO, method="GET").status == 200
            assert _count(node) == 4
            with node.connect() as fifth:
                assert fifth.is_closed()
            assert _count(node) == 4
            assert good.ask(HELLO, method="GET").status == 200


def test_handshakes_count_for_their_address(
    tmp_path: Path, settings: dict[str, Any], files: Path
) -> None:
    """One address that only begins handshakes leaves room for the others."""
    options = {**settings, "connections_per_address_max": 3, "trusted_proxies": ""}
    with running_node(tmp_path / "node", **options) as node, ExitStack() as all_:
        for _ in range(10):
            all_.enter_context(node.connect(source="127.0.0.2"))
        wait_for(lambda: _count(node) == 3)
        with _secure(node, files) as good:
            assert good.ask(HELLO, method="GET").status == 200


def test_draining_node_does_not_wait_for_silent_clients(node: Node) -> None:
    """Who has said nothing is no reason to stay."""
    with node.connect() as silent, node.connect() as halfway:
        halfway.send(client_hello()[:50])
        wait_for(lambda: _count(node) == 2)
        wait_for(
            lambda: node.call(
                lambda: any(
                    isinstance(visitor, TlsAccept) and visitor._handshake
                    for visitor in node.door.connections
                )
            )
        )
        assert node.end() == 0
        assert silent.is_closed()
        assert halfway.is_closed()
