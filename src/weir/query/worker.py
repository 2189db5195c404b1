"""One worker: sandboxes itself, opens a session ahead, serves one query and ends.

The gate runs here too, so that a statement made to exhaust the parser meets the same limits.
"""

import mmap
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from weir.clock import Clock
from weir.engine import landlock, sandbox, seccomp
from weir.engine.session import Engine, Session, translate
from weir.engine.sources import Source
from weir.errors import Failure, InvalidInput, WeirError, failure_of
from weir.lake.schema import CANONICAL
from weir.query.dialect import positions_of_name
from weir.query.formats import ResultShape, writer_for
from weir.query.gate import pass_query
from weir.query.ranges import Window, is_needed
from weir.query.request import Format
from weir.query.wire import (
    FRAME_HEAD,
    Job,
    Kind,
    Meta,
    WorkerLimits,
    receive_job,
)

BATCH_ROWS: Final = 2048
FLUSH_BYTES: Final = 128 * 1024
"""Results up to here are answered whole, with a status that fits their end."""
ENGINE_SHARE: Final = 0.75
"""How much of a worker's memory the engine plans with; the rest is for what it forgets."""

_WARM_UP = (
    "SELECT properties.a, count(), sum(properties.b), max(ts) FROM events"
    " WHERE coalesce(properties->>'c', 'x') = 'x' AND coalesce(ts, now()) > now() - INTERVAL 1 DAY"
    " GROUP BY 1 ORDER BY 2 DESC LIMIT 3"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def warm_up(session: Session) -> None:
    """Goes the way of a query from its text to its bytes; in a fork, makes the memory its own.

    Writing to memory shared with the parent costs a page fault each first time: better while
    nobody waits.
    """
    passed = pass_query(_WARM_UP, rows_max=1, sql_bytes_max=len(_WARM_UP), engine_names=())
    kinds, rows = session.warm_up(CANONICAL, passed.sql)
    shape = ResultShape(rows.schema, kinds)
    writer = writer_for(Format.JSON, shape.schema, safe=False, with_meta=False)
    for batch in rows.to_batches():
        writer.rows(shape.fit(batch))


def serve_one(
    connection: socket.socket, engine: Engine, limits: WorkerLimits, clock: Clock
) -> None:
    """Runs a worker in this process, which is good for nothing else afterwards."""
    sandbox.enter(
        sandbox.SandboxLimits(memory_bytes=limits.memory_bytes, cpu_s=limits.cpu_s),
        keep={connection.fileno()},
    )
    session = engine.session()
    warm_up(session)
    _send(connection, Kind.READY, b"")
    received = receive_job(connection)
    if received is None:
        return
    job, tail = received
    # Threads are restricted with the thread that starts them: files first, then threads.
    landlock.restrict_to(file.path for layout in job.layouts for file in layout.files)
    session.use_threads(limits.threads)
    sandbox.forbid_processes()
    seccomp.refuse_calls()
    _serve(connection, session, job, tail, clock)


def _serve(
    connection: socket.socket, session: Session, job: Job, tail: int | None, clock: Clock
) -> None:
    try:
        meta = _answer(connection, session, job, tail, clock)
    except WeirError as error:
        _send(connection, Kind.FAILED, msgspec.msgpack.encode(failure_of(error)))
    except ConnectionError:
        return
    except Exception as error:  # whatever the engine throws is this query's end
        _send(connection, Kind.FAILED, msgspec.msgpack.encode(_failure_of_any(error)))
    else:
        _send(connection, Kind.DONE, msgspec.msgpack.encode(meta))


def _answer(
    connection: socket.socket, session: Session, job: Job, tail: int | None, clock: Clock
) -> Meta:
    passed = pass_query(
        job.sql,
        rows_max=job.row_limit,
        sql_bytes_max=job.sql_bytes_max,
        engine_names=session.engine_names,
        pointers={column.choice.pointer for each in job.layouts for column in each.columns},
        now_us=clock.now_us(),
    )
    read = _read_for(job, passed.windows)
    tail_rows = _tail_rows(tail, job.tail_byte_count) if passed.windows else None
    session.publish(read.sources, tail_rows, CANONICAL, passed.properties)
    try:
        kinds, batches = session.run(passed.sql, batch_rows=BATCH_ROWS)
    except InvalidInput as error:
        raise _placed(error, job.sql) from None
    shape = ResultShape(batches.schema, kinds)
    writer = writer_for(job.format, shape.schema, safe=job.safe, with_meta=job.with_meta)
    waiting = bytearray(writer.head())
    rows, truncated = 0, False
    for batch in batches:
        truncated = rows + batch.num_rows > job.row_limit
        taken = batch.slice(0, job.row_limit - rows)
        rows += taken.num_rows
        waiting += writer.rows(shape.fit(taken))
        if len(waiting) >= FLUSH_BYTES:
            _send(connection, Kind.BODY, waiting)
            waiting = bytearray()
        if truncated:
            break
    meta = Meta(
        elapsed_ms=round((clock.monotonic_s() - job.started_s) * 1000),
        rows=rows,
        truncated=truncated,
        rows_scanned=read.row_count,
        bytes_scanned=read.byte_count,
        watermark=_iso(job.watermark_us),
    )
    waiting += writer.tail(meta)
    _send(connection, Kind.BODY, waiting)
    return meta


class _Read(NamedTuple):
    """What a query has to read."""

    sources: list[Source]
    row_count: int
    byte_count: int


def _read_for(job: Job, windows: Sequence[Window]) -> _Read:
    """The files that can matter to one of the windows, and the tail if there is any."""
    sources: list[Source] = []
    row_count = job.tail_row_count if windows else 0
    byte_count = job.tail_byte_count if windows else 0
    for layout in job.layouts:
        files = [file for file in layout.files if is_needed(file.held, windows)]
        if files:
            rows = sum(file.row_count for file in files)
            sources.append(Source(tuple(file.path for file in files), layout.columns, rows))
            row_count += rows
            byte_count += sum(file.byte_count for file in files)
    return _Read(sources, row_count, byte_count)


def _placed(error: InvalidInput, sql: str) -> InvalidInput:
    """The engine's error with the place of its name in the text as sent.

    The engine counts in the rewritten statement. An unknown name is at fault wherever it stands,
    so its first place is told; a misused one only where it stands once.
    """
    unknown, misused = error.context.get("unknown"), error.context.get("misused")
    places = positions_of_name(sql, str(unknown or misused or ""))
    if not places or (misused and len(places) > 1):
        return error
    return InvalidInput(error.message, code=error.code, hint=error.hint, position=places[0])


def _tail_rows(descriptor: int | None, byte_count: int) -> pa.Table | None:
    """The tail, mapped and not copied. An Arrow stream without its end marker reads the same."""
    if descriptor is None or byte_count == 0:
        return None
    mapped = mmap.mmap(descriptor, byte_count, access=mmap.ACCESS_READ)
    os.close(descriptor)
    return pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()


def _failure_of_any(error: Exception) -> Failure:
    if isinstance(error, pa.ArrowNotImplementedError):
        words = "A column of this result has a type that the format cannot hold: cast it."
        return failure_of(InvalidInput(words, code="invalid_query"))
    return failure_of(translate(error))


def _send(connection: socket.socket, kind: Kind, body: bytes | bytearray) -> None:
    connection.sendall(FRAME_HEAD.pack(len(body), kind))
    if body:
        connection.sendall(body)


def _iso(time_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.isoformat().replace("+00:00", "Z")
