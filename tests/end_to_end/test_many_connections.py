"""More clients than the node may have open files for."""

import contextlib
import socket
from urllib.parse import urlsplit

from tests.end_to_end.running_node import StartNode, wait_until

FILES_MAX = 300
CLIENTS = 450


def test_clients_beyond_the_file_limit_do_not_end_the_worker(start_node: StartNode) -> None:
    """Those above the bound are refused; the worker lives, and goes on afterwards."""
    node = start_node(workers=1, wrapper=["prlimit", f"--nofile={FILES_MAX}:{FILES_MAX}"])
    [worker] = node.pids("edge")
    address = urlsplit(node.url)
    with contextlib.ExitStack() as clients:
        for _ in range(CLIENTS):
            client = socket.create_connection((address.hostname or "", address.port or 0), 60)
            clients.enter_context(client)
        # Told so, or, when even that takes one descriptor too many, closed.
        told = client.recv(4096)
        assert told == b"" or b"503 Service Unavailable" in told
    wait_until(
        lambda: node.send("/v1/ingest", {"event": "after"}).status_code == 202,
        within_s=20,
        what="events taken again",
    )
    assert node.pids("edge") == [worker]
    assert "open files" in node.log.read_text()
