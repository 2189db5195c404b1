"""A real worker whose gate and engine settings are gone: what the kernel alone still holds."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir.engine import landlock
from weir.lake.schema import CANONICAL
from weir.query.job import Job, JobFile, JobLayout, JobTable
from weir.query.ranges import Window
from weir.query.request import Format
from weir.workers.spares import ENVIRONMENT
from weir.workers.wire import JOB_HEAD, MESSAGE_HEAD, MessageKind

WORKER = """
import socket, sys
from weir.clock import SystemClock
from weir.engine import session
from weir.query import worker
from weir.query.statement.gate import PassedQuery, TableUse
from weir.query.ranges import Window
from weir.workers.wire import WorkerLimits
session._AFTER_FILES = ()
engine = session.Engine.open(memory_bytes=256 << 20)
gate, warm_up = worker.pass_query, worker._WARM_UP
worker.pass_query = lambda sql, **given: (
    gate(sql, **given) if sql == warm_up else PassedQuery(sql, {"events": TableUse((Window(),))})
)
limits = WorkerLimits(threads=2, memory_bytes=1 << 30, cpu_s=20)
worker.serve_one(socket.socket(fileno=int(sys.argv[1])), engine, limits, SystemClock())
"""

pytestmark = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")


def write_file(path: Path, properties: str) -> str:
    """A lake file of one row."""
    columns = []
    for field in CANONICAL:
        value = properties if field.name == "properties" else "x"
        columns.append(pa.array([value if pa.types.is_string(field.type) else 1], field.type))
    pq.write_table(pa.table(columns, schema=CANONICAL), path)
    return str(path)


def events_of(files: tuple[str, ...]) -> JobTable:
    """The table of events, made of these files."""
    layout = JobLayout(tuple(JobFile(path, 1, 1, Window()) for path in files), ())
    return JobTable("events", (layout,), None, 0)


def answer(sql: str, files: tuple[str, ...]) -> tuple[MessageKind, bytes]:
    """How the worker's job ended, and its result or failure."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(theirs.fileno())],
        pass_fds=(theirs.fileno(),),
        env=ENVIRONMENT,
    ) as process:
        theirs.close()
        with ours, ours.makefile("rb") as stream:
            assert read_message(stream)[0] is MessageKind.READY
            job = msgspec.msgpack.encode(
                Job(
                    sql=sql,
                    sql_bytes_max=9999,
                    format=Format.JSON,
                    row_limit=100,
                    safe=False,
                    with_meta=False,
                    parameters={},
                    tables=(events_of(files),),
                    started_s=0.0,
                )
            )
            ours.sendall(JOB_HEAD.pack(len(job)) + job)
            body = b""
            while True:
                kind, part = read_message(stream)
                if kind is MessageKind.BODY:
                    body += part
                elif kind is not MessageKind.WORD:
                    process.wait(120)
                    return kind, body or part


def read_message(stream: BinaryIO) -> tuple[MessageKind, bytes]:
    """The next message from the worker."""
    size, kind = MESSAGE_HEAD.unpack(stream.read(MESSAGE_HEAD.size))
    return MessageKind(kind), stream.read(size)


def test_own_files_can_be_read(tmp_path: Path) -> None:
    """Or the refusals below would prove nothing; the time zones of the engine work too."""
    ours = write_file(tmp_path / "ours.parquet", '{"a": 1}')
    kind, body = answer("SELECT properties, date_trunc('day', ts) d FROM events", (ours,))
    assert kind is MessageKind.DONE
    assert json.loads(body)["rows"][0][0] == '{"a": 1}'


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT properties FROM read_parquet('{theirs}')",
        "SELECT content FROM read_text('{theirs}')",
        "SELECT content FROM read_text('/etc/passwd')",
        "SELECT content FROM read_blob('/proc/self/environ')",
        "SELECT * FROM '{theirs}'",
        "SELECT count(*) FROM read_csv('/etc/hosts', columns={{'a': 'VARCHAR'}})",
    ],
)
def test_other_files_cannot_be_read_even_without_gate_and_settings(
    tmp_path: Path, sql: str
) -> None:
    """Another project's file, the machine's, the process's own."""
    ours = write_file(tmp_path / "ours.parquet", "{}")
    theirs = write_file(tmp_path / "theirs.parquet", '{"secret": 1}')
    kind, body = answer(sql.format(theirs=theirs), (ours,))
    assert kind is MessageKind.FAILED
    assert b"secret" not in body


def test_directories_cannot_be_listed(tmp_path: Path) -> None:
    """The engine takes a directory that it may not open for an empty one."""
    ours = write_file(tmp_path / "ours.parquet", "{}")
    _, body = answer(f"SELECT file FROM glob('{tmp_path}/*')", (ours,))
    assert b"ours.parquet" not in body
