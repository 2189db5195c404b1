"""The one way to ask: a slot, the snapshot, the run, and everything closed whatever happens."""

import os
from typing import NamedTuple, Protocol

from weir.domain.snapshot import Snapshot
from weir.query.job import TableSnapshot
from weir.query.pool import QueryPool
from weir.query.request import EVENTS, QueryRequest
from weir.query.result import QueryResult


class SnapshotSource(Protocol):
    """Who knows what a project's query may read."""

    async def snapshot(self, project_id: int) -> tuple[Snapshot, int | None]:
        """Returns the snapshot and its tail's descriptor, which becomes the caller's to close."""
        ...


class QueryAnswer(NamedTuple):
    """A result on its way, to be finished by its holder, and the snapshot that it was read from."""

    result: QueryResult
    snapshot: Snapshot


async def ask(
    request: QueryRequest, *, project_id: int, pool: QueryPool, snapshots: SnapshotSource
) -> QueryAnswer:
    """Runs one query over a project's events; returns at its first bytes.

    The snapshot is taken only once there is a slot. Raises what ``QueryPool.slot``, the source of
    snapshots and ``QuerySlot.run`` raise; nothing is left open or running then.
    """
    async with pool.slot(request.tenant_id) as slot:
        snapshot, tail_fd = await snapshots.snapshot(project_id)
        try:
            result = await slot.run(request, [TableSnapshot(EVENTS, snapshot, tail_fd)])
        finally:
            if tail_fd is not None:
                os.close(tail_fd)
    return QueryAnswer(result, snapshot)
