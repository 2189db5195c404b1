"""One request and its place in the line of answers of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.errors import WeirError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.ingest.admission import IngestRoute, Reply
    from weir.ingest.connection import Connection


class Exchange:
    """A request as it was received, and what has been decided about its answer.

    It is also what the journal calls back: ``durable`` sends the admission's reply.
    """

    __slots__ = (
        "body_bytes",
        "cancel",
        "connection",
        "expects_continue",
        "extra_headers",
        "headers",
        "is_last",
        "is_old",
        "method",
        "output",
        "parts",
        "reply",
        "route",
        "start",
        "target",
    )

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.method = b""
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.body_bytes = 0
        self.is_old = False
        """HTTP/1.0: no chunked answers, closed unless asked otherwise."""
        self.is_last = False
        """The connection closes after this answer."""
        self.expects_continue = False
        self.route: IngestRoute | None = None
        self.reply: Reply | None = None
        """What is answered once the frame is durable."""
        self.extra_headers = b""
        self.output: bytes | None = None
        """The answer's bytes, once it is complete."""
        self.start: Callable[[], None] | None = None
        """For a relayed request: begins it, called when this exchange is first in line."""
        self.cancel: Callable[[], None] | None = None
        """Called when the client went away."""

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def body(self) -> bytes:
        parts = self.parts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def durable(self, received_at_us: int) -> None:
        """The frame is on disk: the answer may leave."""
        assert self.reply is not None
        self.connection.door.answer(self, self.reply)

    def failed(self, error: Exception) -> None:
        """The frame may not be on disk: nothing is claimed."""
        assert isinstance(error, WeirError)
        self.connection.door.refuse(self, error)
