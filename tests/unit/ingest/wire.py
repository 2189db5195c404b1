"""A client that says exactly the bytes it is told to and takes the answers apart itself."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, headers in order and with names in lower case."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    phrase: str = field(default="", compare=False)
    trailers: Sequence[tuple[str, str]] = ()

    def __getitem__(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        """The values of every header of the name."""
        return [value for key, value in self.headers if key == name]

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        return msgspec.json.decode(self.body, type=dict[str, object])


class Closed(Exception):
    """The server closed the connection before the whole answer was there."""


class Wire:
    """One connection. Reading waits, within a deadline that fails the test."""

    __slots__ = ("_rest", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._rest = b""

    @classmethod
    def connect(
        cls,
        address: tuple[str, int],
        *,
        receive_bytes: int = 0,
        source: str = "",
        security: ssl.SSLContext | None = None,
    ) -> Self:
        """Connects, from an address of choice; with ``security`` it speaks TLS.

        ``receive_bytes`` bounds what the kernel takes without being read.
        """
        connection = socket.socket()
        if source:
            connection.bind((source, 0))
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(address)
        if security is not None:
            return cls(security.wrap_socket(connection, server_hostname=address[0]))
        return cls(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        """Sends all parts, each in a segment of its own if the network pleases."""
        for part in parts:
            self.socket.sendall(part)

    def shutdown(self) -> None:
        """Says that nothing more will be sent; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leaves without a goodbye: the server's next read fails."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def poll(self, wait_s: float = 0.0) -> bool:
        """Whether something can be read by now."""
        if self._rest or not isinstance(self.socket, ssl.SSLSocket):
            return bool(self._rest or select.select([self.socket], [], [], wait_s)[0])
        self.socket.settimeout(wait_s)
        try:  # bytes that came may be TLS's own, such as a session's ticket
            self._more()
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        finally:
            self.socket.settimeout(TIMEOUT_S)
        return True

    def read(self, method: str = "POST") -> Answer:
        """The next answer, a 100 included; raises ``Closed`` when there is none."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        line, *lines = head[:-4].split("\r\n")
        version, status, phrase = line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [self._header(text) for text in lines]
        trailers: list[tuple[str, str]] = []
        body = self._body(int(status), method, dict(headers), trailers)
        return Answer(int(status), headers, body, phrase, trailers)

    def ask(self, *parts: bytes, method: str = "POST") -> Answer:
        """Sends and reads one answer."""
        self.send(*parts)
        return self.read(method)

    def read_to_end(self) -> list[Answer]:
        """Every further answer until the server closes."""
        answers = []
        while not self.is_closed():
            answers.append(self.read())
        return answers

    def read_bytes(self, count: int) -> None:
        """Takes at least so many bytes, whatever they are, and forgets them."""
        while count > 0:
            assert self._more()
            count -= len(self._rest)
            self._rest = b""

    def is_closed(self) -> bool:
        """True when the server closes without another byte; waits for either."""
        return not self._rest and not self._more()

    def _body(
        self, status: int, method: str, headers: dict[str, str], trailers: list[tuple[str, str]]
    ) -> bytes:
        if method == "HEAD" or status in (204, 304) or status < 200:
            return b""
        if "chunked" in headers.get("transfer-encoding", ""):
            return self._chunks(trailers)
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        while self._more():
            pass
        body, self._rest = self._rest, b""
        return body

    def _chunks(self, trailers: list[tuple[str, str]]) -> bytes:
        parts: list[bytes] = []
        while size := int(self._until(b"\r\n"), 16):
            parts.append(self._exactly(size))
            assert self._exactly(2) == b"\r\n"
        while (line := self._until(b"\r\n")) != b"\r\n":
            trailers.append(self._header(line.decode("latin-1")))
        return b"".join(parts)

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            if not self._more():
                raise Closed(self._rest)
        found, _, self._rest = self._rest.partition(end)
        return found + end

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            if not self._more():
                raise Closed(self._rest)
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _more(self) -> bool:
        try:
            received = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self._rest += received
        return bool(received)

    @staticmethod
    def _header(text: str) -> tuple[str, str]:
        name, _, value = text.partition(":")
        return name.lower(), value.strip()


def request(
    target: str = "/v1/events",
    body: bytes = b'{"event":"a"}',
    *lines: str,
    method: str = "POST",
    key: str = "",
    length: int | None = None,
) -> bytes:
    """A plain request with a Content-Length; ``lines`` are further header lines."""
    head = [f"{method} {target} HTTP/1.1", "Host: door.example", *lines]
    if key:
        head.append(f"Authorization: Bearer {key}")
    if body or method == "POST" or length is not None:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes, key: str = "", target: str = "/v1/events", trailer: str = "") -> bytes:
    """A request whose body goes in chunks."""
    head = [f"POST {target} HTTP/1.1", "Host: door.example", "Transfer-Encoding: chunked"]
    if key:
        head.append(f"Authorization: Bearer {key}")
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join([*head, "", ""]).encode() + body + b"0\r\n" + trailer.encode() + b"\r\n"
