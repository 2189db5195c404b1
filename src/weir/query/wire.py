"""What the pool, its workers and their fork server say to each other.

Worker to pool: frames of a little-endian ``u32`` length, one kind byte and that many bytes:
``READY`` (empty, once the engine is connected), then for the one job any number of ``BODY``
(bytes of the result) and one last ``DONE`` (msgpack ``Meta``) or ``FAILED`` (msgpack
``errors.Failure``). Pool to worker: one ``u32`` length, with the tail's memory file as a descriptor
beside it when there is one, and a msgpack ``Job``. Zygote and pool share a socket of their own:
one byte with the worker's end of a new pair asks for a fork; ``NOTE``s come back.
"""

import socket
import struct
from enum import IntEnum
from typing import Final

import msgspec

from weir.domain.layout import Column
from weir.query.ranges import Window
from weir.query.request import Format

FRAME_HEAD: Final = struct.Struct("<IB")
JOB_HEAD: Final = struct.Struct("<I")
NOTE: Final = struct.Struct("<iii")
"""From the zygote: kind, process id, wait status."""
JOB_BYTES_MAX: Final = 64 * 1024 * 1024


class Kind(IntEnum):
    """What a frame from a worker is."""

    READY = 1
    BODY = 2
    DONE = 3
    FAILED = 4


class Note(IntEnum):
    """What the zygote tells the pool about a worker."""

    BORN = 1
    ENDED = 2


class WorkerLimits(msgspec.Struct, frozen=True):
    """What one worker may use."""

    threads: int
    memory_bytes: int
    cpu_s: int


class ZygoteSettings(msgspec.Struct, frozen=True):
    """Given to the zygote on its command line, as JSON; ``control`` is its descriptor."""

    parent: int
    control: int
    limits: WorkerLimits


class JobFile(msgspec.Struct, frozen=True, array_like=True):
    """A file that the job may read, and the bounds of its rows' times."""

    path: str
    row_count: int
    byte_count: int
    held: Window


class JobFiles(msgspec.Struct, frozen=True):
    """Files of one layout."""

    files: tuple[JobFile, ...]
    columns: tuple[Column, ...]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker learns about its query. Paths are absolute; times are monotonic."""

    sql: str
    sql_bytes_max: int
    format: Format
    row_limit: int
    safe: bool
    with_meta: bool
    layouts: tuple[JobFiles, ...]
    tail_row_count: int
    tail_byte_count: int
    watermark_us: int
    started_s: float


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """The trust of an answer. Scanned: the files and the tail that the query had to read."""

    elapsed_ms: int
    rows: int
    truncated: bool
    rows_scanned: int
    bytes_scanned: int
    watermark: str


def receive_job(connection: socket.socket) -> tuple[Job, int | None] | None:
    """The job and the tail's descriptor; None when the pool has no job for this worker."""
    head, descriptors, _, _ = socket.recv_fds(connection, JOB_HEAD.size, 1)
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
    return msgspec.msgpack.decode(body, type=Job), descriptors[0] if descriptors else None


def _receive(connection: socket.socket, size: int) -> bytes:
    part = connection.recv(min(size, 1 << 20))
    if not part:
        raise ConnectionError("the pool went away within a job")
    return part
