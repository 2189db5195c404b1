"""One request and its place in the line of answers of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.errors import WeirError
from weir.ingest.head import NO_HEAD, Head

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.ingest.admission import IngestRoute, Reply
    from weir.ingest.connection import Connection


class Exchange:
    """A request as it was received, and what has been decided about its answer.

    It is also what the journal calls back: ``durable`` sends the admission's reply. (Defaults
    stand on the class: one is made for every request.)
    """

    head: Head = NO_HEAD
    body_bytes: int = 0
    """Of the body, counted against the worker's bytes in flight."""
    is_last: bool = False
    """The connection closes after this answer."""
    route: IngestRoute | None = None
    reply: Reply | None = None
    """What is answered once the frame is durable."""
    is_away: bool = False
    """Worked on by another thread, which gives it back whatever becomes of the connection."""
    extra_headers: bytes = b""
    output: bytes | None = None
    """The answer's bytes, once it is complete."""
    start: Callable[[], None] | None = None
    """For a relayed request: begins it, called when this exchange is first in line."""
    cancel: Callable[[], None] | None = None
    """Called when the client went away."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.parts: list[bytes] = []

    @property
    def will_finish(self) -> bool:
        """Whether an answer comes, and its bytes are held, though the client may have left."""
        return self.is_away or self.reply is not None

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
