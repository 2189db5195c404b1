"""Processes that send single events as fast as they are answered, over starts and stops."""

import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_double, c_long
from multiprocessing.sharedctypes import RawArray
from multiprocessing.synchronize import Event
from typing import NamedTuple
from urllib.parse import urlsplit

RETRY_S = 0.01
"""How soon a sender whose connection broke tries again."""

REPLY_BYTES_MAX = 65_536


class Sent(NamedTuple):
    """What all senders have had acknowledged, and when each was answered last."""

    counts: list[int]
    at_s: list[float]

    @property
    def total(self) -> int:
        """Acknowledged requests of all senders."""
        return sum(self.counts)


class Senders:
    """Running senders; each tells what it was answered in memory that all share."""

    def __init__(self, count: int) -> None:
        self._counts = RawArray(c_long, count)
        self._at_s = RawArray(c_double, count)

    def sent(self) -> Sent:
        """What has been acknowledged so far; times are those of ``time.monotonic``."""
        return Sent(list(self._counts), list(self._at_s))

    def run(self, number: int, url: str, key: str, body: str, stop: Event) -> None:
        """One sender's life: a request at a time on one connection, a new one when it breaks."""
        parts = urlsplit(url)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        request = (head + body).encode()
        while not stop.is_set():
            try:
                with socket.create_connection((parts.hostname, parts.port), timeout=60) as link:
                    while not stop.is_set() and self._exchange(number, link, request):
                        pass
            except OSError:
                time.sleep(RETRY_S)

    def _exchange(self, number: int, link: socket.socket, request: bytes) -> bool:
        """One request; whether the connection can take another."""
        link.sendall(request)
        reply = link.recv(REPLY_BYTES_MAX)
        if reply.startswith(b"HTTP/1.1 202"):
            self._counts[number] += 1
            self._at_s[number] = time.monotonic()
        elif reply:
            time.sleep(RETRY_S)
        return bool(reply)


@contextmanager
def senders(count: int, *, url: str, key: str, body: str) -> Iterator[Senders]:
    """``count`` processes that post ``body`` to ``url`` until the context ends."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    running = Senders(count)
    processes = [
        context.Process(target=running.run, args=(number, url, key, body, stop), daemon=True)
        for number in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield running
    finally:
        stop.set()
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()
