"""The frame: one journal record, as every reader sees it.

How it lies on disk is told by ``journal/frame.py`` and docs/formats/journal.md.
"""

from typing import Final, Protocol

import msgspec


class FrameFlag:
    """What a reader must know before it decodes the body: bits of a plain integer."""

    NONE: Final = 0
    SERVER_TS: Final = 1
    """The request asked for the server's time (``?server_ts=1``)."""
    TALLY: Final = 2
    """No events: the body is a msgpack list of ``[key_id, minute, received, rejected]``, the
    door's counts of events refused outright since its last tally."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a frame goes and who sent it; from the credential, never from the body."""

    tenant_id: int
    project_id: int
    endpoint_id: int
    key_id: int


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A frame that the door wants written: everything but what the writer assigns."""

    place: Place
    dialect: int
    dialect_version: int
    event_count: int
    """Events taken."""
    refused_count: int
    """Events of the same body that were refused; their indices are in ``meta``."""
    flags: int
    meta: bytes
    """``FrameMeta`` as msgpack; empty when every field has its default."""
    body: bytes
    """The request body as received, inflated."""


class Waiter(Protocol):
    """Who is told what became of a draft; exactly one of the two, once."""

    def durable(self, received_at_us: int) -> None:
        """The frame is on disk and got this time."""
        ...

    def failed(self, error: Exception) -> None:
        """The frame must be taken as not written (it may yet be, and then appears once)."""
        ...


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame that was read back and whose checksum held.

    ``position`` and ``next_position`` are bytes in the journal, ``offset`` is the number of
    events in the journal before this frame; both only grow. ``received_at_us`` is strictly
    monotonic per journal and leaves room for one tick of ``SEQ_PER_US`` events a microsecond.
    Nothing in a frame can lead back to it, so the garbage collector need not know of frames.
    """

    journal_id: str
    position: int
    next_position: int
    offset: int
    received_at_us: int
    place: Place
    dialect: int
    dialect_version: int
    event_count: int
    refused_count: int
    flags: int
    meta: bytes
    body: bytes

    @property
    def is_tally(self) -> bool:
        return self.flags & FrameFlag.TALLY != 0


class FrameMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """The decoded ``meta`` of a frame."""

    refused: tuple[int, ...] = ()
    topic: str | None = None
    content_type: str | None = None


SEQ_PER_US = 4096
"""Events that share one microsecond of ``received_at`` before the next frame must move on."""

SEQ_EPOCH_US = 1_577_836_800_000_000
"""2020-01-01 UTC: ``seq`` counts from here so that it stays within 63 bits until 2091."""


def seq_of(received_at_us: int, index: int) -> int:
    """Arrival order of the event at ``index`` of a frame; unique within a journal."""
    return (received_at_us - SEQ_EPOCH_US) * SEQ_PER_US + index


def decode_meta(meta: bytes) -> FrameMeta:
    """The metadata of a frame; the empty default when it carries none."""
    return msgspec.msgpack.decode(meta, type=FrameMeta) if meta else FrameMeta()


def encode_meta(meta: FrameMeta) -> bytes:
    """The bytes for ``Draft.meta``; empty when every field has its default."""
    return b"" if meta == FrameMeta() else msgspec.msgpack.encode(meta)
