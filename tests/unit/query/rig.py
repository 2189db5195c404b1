"""Rows in the canonical schema, a project's files and tail, and a pool over them."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.clock import SystemClock
from weir.domain.snapshot import LakeFile, Snapshot
from weir.lake.schema import CANONICAL
from weir.query.job import Meta, TableSnapshot
from weir.query.pool import QueryLimits, QueryPool
from weir.query.request import EVENTS, QueryRequest
from weir.settings import Settings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_US = 1_795_176_000_000_000


def rows(
    properties: Sequence[object], *, event: str = "click", seq: int = 0, at: datetime = NOON
) -> pa.Table:
    """Canonical rows, one a second, with the given properties."""
    made = [
        {
            "event_id": f"e{seq + i}",
            "event": event,
            "user_id": f"u{i % 3}",
            "user_key": i % 3,
            "ts": at + timedelta(seconds=i),
            "received_at": at + timedelta(seconds=i),
            "ts_source": "client",
            "seq": seq + i,
            "properties": item if isinstance(item, str) else json.dumps(item),
            "endpoint": "ep",
            "dialect": "native",
            "schema_version": 1,
        }
        for i, item in enumerate(properties)
    ]
    return pa.Table.from_pylist(made, schema=CANONICAL)


class Node:
    """A directory with lake files and a pool over it, on a loop of its own."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.loop = asyncio.new_event_loop()
        self.settings = settings
        self.pool = QueryPool(QueryLimits.of(settings), root=root, clock=SystemClock())
        self.loop.run_until_complete(self.pool.start())

    def close(self) -> None:
        """Ends the pool and the loop."""
        self.loop.run_until_complete(self.pool.close())
        self.loop.close()

    def write(self, name: str, table: pa.Table) -> LakeFile:
        """A lake file of the table."""
        path = self.root / name
        pq.write_table(table, path)
        times = pc.min_max(table["ts"].cast("int64"))
        return LakeFile(
            path=name,
            project_id=1,
            row_count=table.num_rows,
            byte_count=path.stat().st_size,
            day=table["received_at"][0].as_py().strftime("%Y-%m-%d"),
            ts_min_us=times["min"].as_py(),
            ts_max_us=times["max"].as_py(),
            sha256="",
        )

    async def query(
        self,
        sql: str,
        *,
        files: Sequence[LakeFile] = (),
        tail: pa.Table | None = None,
        tenant_id: int = 1,
        **options: Any,
    ) -> bytes:
        """The whole answer; raises what the pool raises."""
        table = TableSnapshot(EVENTS, *snapshot_of(files, tail))
        return await self.query_tables(sql, [table], tenant_id=tenant_id, **options)

    async def query_tables(
        self, sql: str, tables: Sequence[TableSnapshot], *, tenant_id: int = 1, **options: Any
    ) -> bytes:
        """The whole answer over these tables, whose tails are closed."""
        request = QueryRequest(tenant_id=tenant_id, sql=sql, **options)
        try:
            async with self.pool.slot(tenant_id) as slot:
                result = await slot.run(request, tables)
        finally:
            for table in tables:
                if table.tail_fd is not None:
                    os.close(table.tail_fd)
        return await result.read()

    def metas(self, sql: str, **options: Any) -> tuple[Meta | None, Meta | None]:
        """What is known of a result with its first bytes, and with its last."""

        async def read() -> tuple[Meta | None, Meta | None]:
            async with self.pool.slot(1) as slot:
                table = TableSnapshot(EVENTS, *snapshot_of((), None))
                request = QueryRequest(tenant_id=1, sql=sql, **options)
                result = await slot.run(request, [table])
            before = result.meta
            await result.read()
            return before, result.meta

        return self.loop.run_until_complete(read())

    def ask(self, sql: str, **options: Any) -> bytes:
        """``query``, waited for."""
        return self.loop.run_until_complete(self.query(sql, **options))

    def answer(self, sql: str, **options: Any) -> Any:
        """The parsed JSON answer."""
        return json.loads(self.ask(sql, **options))


def snapshot_of(files: Sequence[LakeFile], tail: pa.Table | None) -> tuple[Snapshot, int | None]:
    """A snapshot as the loader gives it: the tail in a memory file, without an end marker."""
    encoded = b"" if tail is None else _stream_without_end(tail)
    tail_fd = None
    if encoded:
        tail_fd = os.memfd_create("tail")
        os.write(tail_fd, encoded)
    snapshot = Snapshot(
        project_id=1,
        files=tuple(files),
        layouts=(),
        tail_row_count=0 if tail is None else tail.num_rows,
        tail_byte_count=len(encoded),
        watermark_us=NOON_US,
        commit_id=1,
    )
    return snapshot, tail_fd


def _stream_without_end(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    writer = pa.ipc.new_stream(sink, table.schema)
    writer.write_table(table, max_chunksize=2)
    position = sink.tell()
    writer.close()
    return bytes(sink.getvalue()[:position])
