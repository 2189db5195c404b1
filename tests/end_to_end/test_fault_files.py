"""A node that may open no more files."""

import contextlib
import http.client
import os
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

from tests.end_to_end.running_node import StartNode

FILES_MAX = 300
CLIENTS = 400
WATCHED_S = 1.0


def test_open_connections_work_while_no_more_can_be_opened(start_node: StartNode) -> None:
    """Hundreds too many come: who was there first is served, and nobody spins meanwhile."""
    node = start_node(workers=1, wrapper=["prlimit", f"--nofile={FILES_MAX}:{FILES_MAX}"])
    [worker] = node.pids("edge")
    address = urlsplit(node.url)
    first = http.client.HTTPConnection(address.netloc, timeout=60)
    body = '{"event": "served"}'
    with contextlib.ExitStack() as clients, contextlib.closing(first):
        first.request("POST", "/v1/ingest", body, node.headers)
        assert first.getresponse().read()
        for _ in range(CLIENTS):
            client = socket.create_connection((address.hostname or "", address.port or 0), 60)
            clients.enter_context(client)
        for _ in range(20):
            first.request("POST", "/v1/ingest", body, node.headers)
            answer = first.getresponse()
            assert (answer.status, bool(answer.read())) == (202, True)
        before_s = _used_s(worker)
        threading.Event().wait(WATCHED_S)
        assert _used_s(worker) - before_s < WATCHED_S / 2
    assert node.pids("edge") == [worker]


def _used_s(pid: int) -> float:
    """What the process has used of a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
