"""What the parent, its workers and their fork server say to each other.

Worker to parent: messages of a little-endian ``u32`` length, one kind byte and that many bytes:
``READY`` (empty, once the engine is connected), then for the one job any number of ``BODY`` (bytes
of the result), before the last of them at most one ``WORD`` (msgpack, what this kind of job tells
of its whole result), and one last ``DONE`` (empty) or ``FAILED`` (msgpack ``errors.Failure``).
Parent to worker: one ``u32`` length, with the job's descriptors beside it, and the job in that many
bytes. Fork server and parent share a socket of their own: one byte with the worker's end of a new
pair asks for a fork; ``NOTE``s come back.
"""

import socket
import struct
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

MESSAGE_HEAD: Final = struct.Struct("<IB")
JOB_HEAD: Final = struct.Struct("<I")
NOTE: Final = struct.Struct("<iii")
"""From the fork server: kind, process id, wait status."""
JOB_BYTES_MAX: Final = 64 * 1024 * 1024
JOB_DESCRIPTORS_MAX: Final = 64


class MessageKind(IntEnum):
    """What a message from a worker says."""

    READY = 1
    BODY = 2
    DONE = 3
    FAILED = 4
    WORD = 5


class Note(IntEnum):
    """What the fork server tells its parent about a worker."""

    BORN = 1
    ENDED = 2


class WorkerLimits(msgspec.Struct, frozen=True):
    """What one worker may use: threads, bytes of memory, seconds of CPU time."""

    threads: int
    memory_bytes: int
    cpu_s: int


class ZygoteSettings(msgspec.Struct, frozen=True):
    """Settings of the fork server, on its command line, as JSON; ``control`` is its descriptor."""

    parent: int
    control: int
    limits: WorkerLimits


class Assignment(NamedTuple):
    """A job as a worker receives it: its bytes, and the descriptors that belong to it."""

    encoded: bytes
    descriptors: list[int]


def send_message(connection: socket.socket, kind: MessageKind, body: bytes | bytearray) -> None:
    """Sends one message from a worker; raises ``OSError`` when the parent has gone."""
    connection.sendall(MESSAGE_HEAD.pack(len(body), kind))
    if body:
        connection.sendall(body)


def receive_assignment(connection: socket.socket) -> Assignment | None:
    """Waits for the job; None when the parent has none for this worker.

    Raises ``ConnectionError`` when the parent goes away within it.
    """
    head, descriptors, _, _ = socket.recv_fds(connection, JOB_HEAD.size, JOB_DESCRIPTORS_MAX)
    if not head:
        return None
    while len(head) < JOB_HEAD.size:
        head += _receive(connection, JOB_HEAD.size - len(head))
    (size,) = JOB_HEAD.unpack(head)
    if size > JOB_BYTES_MAX:
        return None
    body = bytearray()
    while len(body) < size:
        body += _receive(connection, size - len(body))
    return Assignment(bytes(body), descriptors)


def _receive(connection: socket.socket, size: int) -> bytes:
    part = connection.recv(min(size, 1 << 20))
    if not part:
        raise ConnectionError("the parent went away within a job")
    return part
