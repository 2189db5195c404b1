"""A node of the tests' own: answers ``POST /v1/events`` as a test says, and remembers."""

import gzip
import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

KEY = "secret-key-0123456789"


class Reply(NamedTuple):
    """An answer that is not 202 for all events."""

    status: int
    body: bytes = b'{"error":"as_told","message":"as told"}'
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    """The connection ends in the middle of the body."""
    drip: bytes = b""
    """Sent again and again behind ``body``, which then is all there is of an answer."""


class Received(NamedTuple):
    """A request as it came."""

    at_s: float
    events: list[dict[str, Any]]
    headers: dict[str, str]
    sent_at: str

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for event in self.events]


class FakeNode:
    """Takes everything, but for the replies in ``replies``, which are given first."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.received: list[Received] = []
        self.taken: list[str] = []
        """Ids of the events that were answered with 202, in their order."""
        self.open = threading.Event()
        """While it is clear, requests get no answer."""
        self.events_max = 1000
        """A request with more events is answered with 413."""
        self.open.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.node = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, received: Received) -> Reply:
        """Decides about a request and keeps it."""
        self.received.append(received)
        self.open.wait(120)
        if self.replies:
            return self.replies.popleft()
        count = len(received.events)
        if count > self.events_max:
            return Reply(413)
        self.taken += received.ids
        return Reply(202, json.dumps({"accepted": count, "rejected": 0, "results": []}).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    node: FakeNode

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests leave when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        text = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        sent = json.loads(text)
        received = Received(time.monotonic(), sent["events"], headers, sent["sent_at"])
        reply = self.server.node.answer(received)
        if reply.drip:
            self._drip(reply)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = reply.cut

    def _drip(self, reply: Reply) -> None:
        """Until the client has had enough, which is an error."""
        self.wfile.write(reply.body)
        while True:
            self.wfile.write(reply.drip)
            time.sleep(0.01)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the library
        """Says nothing."""
