"""One request and its place in the line of answers of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from weir.errors import InvalidInput, WeirError
from weir.ingest.http.head import NO_HEAD, Head

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from weir.dialects.port import IngestRoute, RateWindow, Reply


class Answering(Protocol):
    """Who writes answers: the door."""

    def answer(self, exchange: Exchange, reply: Reply) -> None:
        """Sends a complete answer."""
        ...

    def refuse(self, exchange: Exchange, error: WeirError) -> None:
        """Sends an error in the shape of the route's dialect."""
        ...

    def note_status(self, status: int) -> None:
        """Counts an answer that another part of the door wrote."""
        ...


class ClientSocket(Protocol):
    """What holds a client's socket, as the edge that looks after them all sees it."""

    peer: str
    """The client's address; empty when there is none."""

    def sweep(self, now: float) -> None:
        """Ends what took too long."""
        ...

    def close_when_idle(self, now: float) -> None:
        """Closes a client that has been quiet for a while."""
        ...

    def give_up(self, error: WeirError) -> None:
        """Ends now; a relayed request without an answer is refused."""
        ...

    def abort(self) -> None:
        """Drops the connection at once."""
        ...


class ExchangeConnection(ClientSocket, Protocol):
    """What an exchange's handling needs of the connection that it came on."""

    @property
    def door(self) -> Answering:
        """The door of the connection, which answers."""
        ...

    def finish(self, exchange: Exchange, output: bytes) -> None:
        """Ends an answer; ``output`` is what of it was not yet written."""
        ...

    def ends_with(self, exchange: Exchange) -> bool:
        """Whether the connection closes after this answer."""
        ...

    def begin_when_first(self, exchange: Exchange) -> None:
        """Calls ``exchange.start`` when every earlier request is answered."""
        ...

    def stream(self, output: bytes) -> None:
        """Writes a part of the answer of the first exchange in line."""
        ...

    def follow(self, source: asyncio.Transport | None) -> None:
        """Streams from ``source`` only as fast as the client reads; None: no longer."""
        ...

    def pause_requests(self) -> None:
        """Keeps later requests waiting, because the one just taken is worked on elsewhere."""
        ...

    def resume_requests(self) -> None:
        """Lets the requests that wait since ``pause_requests`` go on."""
        ...


GATHERED_BYTES_MAX = 4096
"""Size of a piece above which it is kept as it is."""

PIECES_FREE = 1024
PIECE_BYTES_MIN = 16
"""What chunks must have on average beyond the first ``PIECES_FREE``: each costs time."""


class Exchange:
    """A request as it was received, and what has been decided about its answer.

    An ingest request is also the intake's ``Arrival``, which the journal calls back: ``durable``
    sends the admission's reply. (Defaults stand on the class: one is made for every request.)
    """

    head: Head = NO_HEAD
    body_bytes: int = 0
    """Bytes of the body that are counted against the worker's bytes in flight."""
    pieces: int = 0
    """How many small pieces the body came in."""
    tenant_id: int = 0
    """The tenant whose bytes in flight they are; 0: nobody's, or not known (``in_flight``)."""
    is_last: bool = False
    """The connection closes after this answer."""
    route: IngestRoute | None = None
    endpoint: bytes = b""
    """Public id of the endpoint that the request names; empty: the key's."""
    reply: Reply | None = None
    """What is answered once the frame is durable."""
    window: RateWindow | None = None
    """The rate limit's window that the client is told of."""
    flags: int = 0
    """``FrameFlag`` bits that the target asks for."""
    in_backfill: bool = False
    """The target says that it is in no hurry."""
    is_deferred: bool = False
    """It is decided later, in a thread or in turn, whatever becomes of the connection."""
    has_begun: bool = False
    """A part of a streamed answer has been written."""
    extra_headers: bytes = b""
    output: bytes | None = None
    """The answer's bytes, once it is complete."""
    start: Callable[[], None] | None = None
    """Begins a relayed request; called when this exchange is first in line."""
    cancel: Callable[[], None] | None = None
    """Called when the client went away."""

    def __init__(self, connection: ExchangeConnection) -> None:
        self.connection = connection
        self.parts: list[bytes | bytearray] = []
        """The body as it came; small pieces are gathered, so that memory is what is counted."""

    @property
    def will_finish(self) -> bool:
        """Whether an answer comes, and its bytes are held, though the client may have left."""
        return self.is_deferred or self.reply is not None

    @property
    def body(self) -> bytes:
        parts = self.parts
        # Only a piece behind the first is ever gathered.
        return cast("bytes", parts[0]) if len(parts) == 1 else b"".join(parts)

    def add(self, piece: bytes) -> None:
        """Takes a piece of the body. Raises ``InvalidInput`` when a body is made of crumbs."""
        self.body_bytes += len(piece)
        parts = self.parts
        if not parts or len(piece) > GATHERED_BYTES_MAX:
            parts.append(piece)
            return
        self.pieces += 1
        if self.pieces > PIECES_FREE + self.body_bytes // PIECE_BYTES_MIN and self._is_chunked:
            raise InvalidInput(
                f"The chunks of the body have less than {PIECE_BYTES_MIN} bytes each.",
                hint="Send larger chunks, or the body with its Content-Length.",
            )
        gathered = parts[-1]
        if isinstance(gathered, bytearray):
            gathered += piece
        else:
            parts.append(bytearray(piece))

    @property
    def _is_chunked(self) -> bool:
        return self.head.content_length is None

    def drop_body(self) -> None:
        """Lets go of the body, which nobody reads any more."""
        self.parts = []

    # As the intake's arrival.

    @property
    def content_type(self) -> bytes | None:
        return self.head.headers.get(b"content-type")

    def defer(self) -> None:
        self.is_deferred = True
        self.connection.pause_requests()

    def resume(self) -> None:
        self.is_deferred = False

    def let_next(self) -> None:
        self.connection.resume_requests()

    def answer(self, reply: Reply) -> None:
        self.connection.door.answer(self, reply)

    def refuse(self, error: WeirError) -> None:
        self.connection.door.refuse(self, error)

    def durable(self, received_at_us: int) -> None:
        """Sends the admission's reply, because the frame is on disk."""
        assert self.reply is not None
        self.connection.door.answer(self, self.reply)

    def failed(self, error: Exception) -> None:
        """Refuses the request, because its frame may not be on disk."""
        assert isinstance(error, WeirError)
        self.connection.door.refuse(self, error)
