"""The whole life of a query's worker: sandboxed and warm ahead, then one query, then its end.

The gate runs here too, so that a statement made to exhaust the parser meets the same limits.
"""

import mmap
import os
import socket
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from weir.clock import Clock
from weir.domain.times import to_iso
from weir.engine.session import Engine, Session, translate
from weir.engine.sources import SessionTable, Source
from weir.errors import InvalidInput
from weir.lake.schema import CANONICAL
from weir.query.cutting import cut
from weir.query.formats import ResultShape, pieces_of, writer_for
from weir.query.job import Job, JobTable, JobTail, Meta
from weir.query.ranges import is_needed
from weir.query.request import EVENTS, Format
from weir.query.statement.gate import PassedQuery, TableUse, pass_query
from weir.query.statement.parsing import positions_of_name
from weir.query.statement.scopes import TableShape
from weir.workers import sandboxed
from weir.workers.wire import MessageKind, WorkerLimits, send_message

BATCH_ROWS: Final = 2048
FLUSH_BYTES: Final = 128 * 1024
"""Results up to here are answered whole, with a status that fits their end."""

_WARM_UP = (
    "SELECT properties.a, count(), sum(properties.b), max(ts) FROM events"
    " WHERE coalesce(properties->>'c', 'x') = 'x' AND coalesce(ts, now()) > now() - INTERVAL 1 DAY"
    " GROUP BY 1 ORDER BY 2 DESC LIMIT 3"
)
_SHAPE: Final = TableShape(tuple(CANONICAL.names))


def warm_up(session: Session) -> None:
    """Goes the way of a query from its text to its bytes; in a fork, makes the memory its own.

    Writing to memory shared with the parent costs a page fault each first time: better while
    nobody waits.
    """
    passed = pass_query(
        _WARM_UP,
        syntax=session.syntax,
        tables={EVENTS: _SHAPE},
        parameters={},
        rows_max=1,
        sql_bytes_max=len(_WARM_UP),
    )
    types, rows = session.warm_up(EVENTS, CANONICAL, passed.sql)
    shape = ResultShape.of(rows.schema, types)
    writer = writer_for(Format.JSON, shape, safe=False, with_meta=False)
    for batch in rows.to_batches():
        writer.rows(batch)


def serve_one(
    connection: socket.socket, engine: Engine, limits: WorkerLimits, clock: Clock
) -> None:
    """Runs a worker in this process, which is good for nothing else afterwards."""
    sandboxed.enter(connection, limits)
    session = engine.session()
    warm_up(session)
    assignment = sandboxed.next_job(connection)
    if assignment is None:
        return
    job = msgspec.msgpack.decode(assignment.encoded, type=Job)
    sandboxed.confine(session, limits, files=_files_of(job))
    sandboxed.report(
        connection,
        lambda: _answer(connection, session, job, assignment.descriptors, clock),
        translate=translate,
    )


def _files_of(job: Job) -> list[str]:
    return [file.path for table in job.tables for each in table.layouts for file in each.files]


def _answer(
    connection: socket.socket, session: Session, job: Job, descriptors: Sequence[int], clock: Clock
) -> None:
    passed = pass_query(
        job.sql,
        syntax=session.syntax,
        tables={table.name: _shape_of(table) for table in job.tables},
        parameters=job.parameters,
        rows_max=job.row_limit,
        sql_bytes_max=job.sql_bytes_max,
        now_us=clock.now_us(),
    )
    reads = [
        _read_of(table, passed.uses.get(table.name, TableUse()), descriptors)
        for table in job.tables
    ]
    session.publish([each.table for each in reads])
    try:
        types, batches = session.run(passed.sql, batch_rows=BATCH_ROWS)
    except InvalidInput as error:
        raise _placed(error, job.sql) from None
    shape = ResultShape.of(batches.schema, types, passed.names)
    writer = writer_for(job.format, shape, safe=job.safe, with_meta=job.with_meta)
    waiting = bytearray(writer.head())
    rows, truncated = 0, False
    for part in cut(iter(batches), row_limit=job.row_limit):
        rows += part.batch.num_rows
        truncated = part.truncated
        for piece in pieces_of(part.batch):
            if len(waiting) >= FLUSH_BYTES:
                send_message(connection, MessageKind.BODY, waiting)
                waiting = bytearray()
            waiting += writer.rows(piece)
    meta = Meta(
        elapsed_ms=round((clock.monotonic_s() - job.started_s) * 1000),
        rows=rows,
        truncated=truncated,
        rows_scanned=sum(each.row_count for each in reads),
        bytes_scanned=sum(each.byte_count for each in reads),
        watermark=to_iso(_watermark_us(job, passed)),
        notes=passed.notes,
    )
    waiting += writer.ending(meta)
    send_message(connection, MessageKind.WORD, msgspec.msgpack.encode(meta))
    send_message(connection, MessageKind.BODY, waiting)


def _shape_of(table: JobTable) -> TableShape:
    """The canonical columns, and the properties that have columns in some file of the table."""
    pointers = {column.choice.pointer for each in table.layouts for column in each.columns}
    return TableShape(_SHAPE.columns, frozenset(pointers))


class _TableRead(NamedTuple):
    """A table as the engine is given it, and what has to be read of it."""

    table: SessionTable
    row_count: int
    byte_count: int


def _read_of(table: JobTable, use: TableUse, descriptors: Sequence[int]) -> _TableRead:
    """The files that can matter to a window, and the tail; no rows where there is no window."""
    sources: list[Source] = []
    row_count, byte_count = 0, 0
    for layout in table.layouts:
        files = [file for file in layout.files if is_needed(file.held, use.windows)]
        if files:
            rows = sum(file.row_count for file in files)
            sources.append(Source(tuple(file.path for file in files), layout.columns, rows))
            row_count += rows
            byte_count += sum(file.byte_count for file in files)
    in_memory = None
    if use.windows and table.tail is not None:
        in_memory = _tail_rows(table.tail, descriptors)
        row_count += table.tail.row_count
        byte_count += table.tail.byte_count
    made = SessionTable(table.name, CANONICAL, sources, in_memory, use.properties)
    return _TableRead(made, row_count, byte_count)


def _watermark_us(job: Job, passed: PassedQuery) -> int:
    """The least of the tables that the statement reads, or of all where it reads none."""
    read = [table for table in job.tables if table.name in passed.uses] or job.tables
    return min(table.watermark_us for table in read)


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


def _tail_rows(tail: JobTail, descriptors: Sequence[int]) -> pa.Table:
    """The tail, mapped and not copied. An Arrow stream without its end marker reads the same."""
    descriptor = descriptors[tail.descriptor]
    mapped = mmap.mmap(descriptor, tail.byte_count, access=mmap.ACCESS_READ)
    os.close(descriptor)
    return pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()
