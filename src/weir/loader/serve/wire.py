"""What travels over ``run/loader.sock``.

A message is a head of 5 bytes (length of the body as u32 little-endian; number of descriptors, 0
or 1) and a body of msgpack: a request's map with its ``type``, or a reply's. A descriptor travels
with the head's first byte. A connection carries any number of requests, one after the other.
"""

import contextlib
import os
import socket
import struct
from typing import Literal

import msgspec

from weir.domain.outcome import LedgerRow
from weir.domain.snapshot import Snapshot
from weir.errors import Failure
from weir.lake.records import JournalMark
from weir.loader.values import ReplayFate

_HEAD = struct.Struct("<IB")
MESSAGE_BYTES_MAX = 256 * 1024 * 1024


class SnapshotRequest(msgspec.Struct, frozen=True, tag="snapshot"):
    """Asks for ``Snapshot``, with the tail's descriptor unless there is no tail."""

    project_id: int


class WholeSnapshotRequest(msgspec.Struct, frozen=True, tag="whole_snapshot"):
    """Asks for a ``Snapshot`` that holds whatever was durable when the loader was started."""

    project_id: int


class LedgerRequest(msgspec.Struct, frozen=True, tag="ledger"):
    """Asks for ``LedgerReply``: the minutes in ``[from_minute, to_minute)`` or their total."""

    key_ids: tuple[int, ...] | None
    from_minute: int
    to_minute: int
    by: Literal["minute", "total"] = "minute"


class StatusRequest(msgspec.Struct, frozen=True, tag="status"):
    """Asks for ``Status``."""


class CutRequest(msgspec.Struct, frozen=True, tag="cut"):
    """Asks for a lake commit of all that is durable now; answered by ``Status`` when it is in."""


class HoldRequest(msgspec.Struct, frozen=True, tag="hold"):
    """Asks that no file is removed for so long; answered by ``Status`` once none is."""

    lease_s: float


class TraceRequest(msgspec.Struct, frozen=True, tag="trace"):
    """Asks for ``TraceReply``. ``received_at_us`` is that of the stored copy, if there is one."""

    project_id: int
    event_id: str
    received_at_us: int | None


class ReplayRequest(msgspec.Struct, frozen=True, tag="replay"):
    """Asks for ``ReplayReply``: dead letters of one project, by journal and position."""

    project_id: int
    places: tuple[tuple[str, int], ...]


Request = (
    SnapshotRequest
    | WholeSnapshotRequest
    | LedgerRequest
    | StatusRequest
    | CutRequest
    | HoldRequest
    | TraceRequest
    | ReplayRequest
)


class SnapshotReply(msgspec.Struct, frozen=True, tag="snapshot"):
    """The descriptor, if any, travels beside it."""

    snapshot: Snapshot


class LedgerReply(msgspec.Struct, frozen=True, tag="ledger"):
    """Rows by minute and key; with ``by="total"`` one per key with the minute 0."""

    rows: tuple[LedgerRow, ...]


class Status(msgspec.Struct, frozen=True, tag="status"):
    """How the loader stands. ``journals``: up to where each one is in the lake."""

    commit_id: int
    committed_at_us: int
    watermark_us: int
    tail_bytes: int
    backlog_bytes: int
    journals: dict[str, JournalMark]


class Copy(msgspec.Struct, frozen=True):
    """An event as it was sent once. ``reason``: why its frame is a dead letter."""

    received_at_us: int
    journal_id: str
    position: int
    key_id: int
    dialect: str
    committed: bool
    reason: str | None
    body_hash: int
    """Equal for copies that say the same."""


class TraceReply(msgspec.Struct, frozen=True, tag="trace"):
    """All copies that are kept, by time. Not ``complete``: there was more to search than time."""

    copies: tuple[Copy, ...]
    complete: bool


class ReplayReply(msgspec.Struct, frozen=True, tag="replay"):
    """Fates, of some of the letters at least; what was stored is in the lake."""

    fates: tuple[ReplayFate, ...]


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The request could not be answered; the client raises the error that this names."""

    failure: Failure


Reply = SnapshotReply | LedgerReply | Status | TraceReply | ReplayReply | Refusal


def send_message(
    connection: socket.socket, message: Request | Reply, descriptor: int | None = None
) -> None:
    """Sends a message; the descriptor stays the caller's. Raises ``OSError``."""
    body = msgspec.msgpack.encode(message)
    descriptors = [] if descriptor is None else [descriptor]
    head = _HEAD.pack(len(body), len(descriptors))
    if descriptors:
        # A message that carries descriptors may be sent in part only: one byte cannot.
        socket.send_fds(connection, [head[:1]], descriptors)
        head = head[1:]
    connection.sendall(head + body)


def receive_request(connection: socket.socket) -> Request | None:
    """The next request; None when the peer has hung up. ``OSError``, ``msgspec.DecodeError``."""
    body, descriptors = _receive(connection)
    _close_all(descriptors)
    return None if body is None else msgspec.msgpack.decode(body, type=Request)


def receive_reply(connection: socket.socket) -> tuple[Reply, int | None]:
    """The reply and its descriptor, which is the caller's to close. Raises ``OSError``."""
    body, descriptors = _receive(connection)
    if body is None:
        raise ConnectionResetError("The loader hung up.")
    try:
        reply: Reply = msgspec.msgpack.decode(body, type=Reply)
    except msgspec.MsgspecError:
        _close_all(descriptors)
        raise
    return reply, descriptors[0] if descriptors else None


def _receive(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    first, descriptors, _, _ = socket.recv_fds(connection, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not first:
        return None, descriptors
    try:
        length, _ = _HEAD.unpack(first + _receive_exactly(connection, _HEAD.size - 1))
        return _receive_exactly(connection, length), descriptors
    except BaseException:
        _close_all(descriptors)
        raise


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    if count > MESSAGE_BYTES_MAX:
        raise ConnectionAbortedError("A message is too long.")
    received = bytearray()
    while len(received) < count:
        piece = connection.recv(min(count - len(received), 1 << 20))
        if not piece:
            raise ConnectionResetError("The peer hung up in the middle of a message.")
        received += piece
    return bytes(received)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
