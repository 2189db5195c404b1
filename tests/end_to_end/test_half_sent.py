"""Thousands of clients that stop midway, and honest ones among them."""

import resource
import select
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.running_node import Node, StartNode, memory_of, wait_until
from tests.unit.ingest.certificates import HAS_OPENSSL, client_hello, make_certificate, trusting
from weir.settings import MIB

CLIENTS = 2000
HONEST = 100
RECEIVE_TIMEOUT_S = 10
GROWTH_BYTES_MAX = 192 * MIB
"""Most of it is TLS: 50 KiB for a handshake. Heads and bodies are kept as they were sent."""

pytestmark = pytest.mark.skipif(not HAS_OPENSSL, reason="needs openssl")


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"needs ulimit -Hn {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _half(part: str, key: str) -> bytes:
    if part == "handshake":
        return client_hello()
    head = f"POST /v1/ingest HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
    if part == "head":
        return (head + "X-Long: " + "x" * 8000).encode()
    return (head + "Content-Length: 9000\r\n\r\n" + "x" * 8000).encode()


@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize("parts", [["head", "body"], ["handshake"]])
def test_half_sent_requests_do_not_hurt_others(
    start_node: StartNode, tmp_path: Path, parts: list[str]
) -> None:
    """Every honest request succeeds, memory stays bounded, and those that stopped are let go."""
    options: dict[str, object] = {"workers": 1, "receive_timeout_s": RECEIVE_TIMEOUT_S}
    trust = ssl.create_default_context()
    if parts == ["handshake"]:
        make_certificate(tmp_path, "door")
        options |= {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
        trust = trusting(tmp_path)
    node = start_node(**options)
    [worker] = node.pids("edge")
    before = memory_of(worker, "VmRSS")
    port = int(node.url.rsplit(":", 1)[1])
    halves = [_half(part, node.key) for part in parts]
    with ExitStack() as stack:
        clients = []
        for number in range(CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            client.sendall(halves[number % len(halves)])
            clients.append(client)
        assert _honest(node, trust) == {202}
        wait_until(
            lambda: all(_was_let_go(client) for client in clients),
            within_s=30,
            what="the end of those that stopped",
        )
        assert memory_of(worker, "VmHWM") - before < GROWTH_BYTES_MAX
    assert _honest(node, trust) == {202}
    assert node.pids("edge") == [worker]


def _honest(node: Node, trust: ssl.SSLContext) -> set[int]:
    """The statuses that honest clients get, each on a connection of its own."""

    def send(number: int) -> int:
        event = {"event": "honest", "user_id": str(number)}
        return httpx.post(
            node.url + "/v1/ingest", json=event, headers=node.headers, timeout=60, verify=trust
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(send, range(HONEST)))


def _was_let_go(client: socket.socket) -> bool:
    """Whether the server has closed; what it said before is read and dropped."""
    poll = select.poll()
    poll.register(client, select.POLLIN)
    while poll.poll(0):
        try:
            if not client.recv(65536):
                return True
        except ConnectionError:
            return True
    return False
