"""Whatever happens to a query, nothing of it is left: no descriptor, no slot, no worker."""

import json
import os
from collections.abc import Callable

import pytest

from tests.unit.query.rig import Node, rows, snapshot_of
from weir.domain.snapshot import Snapshot
from weir.errors import LimitExceeded, Unavailable, WeirError
from weir.query.ask import QueryAnswer, ask
from weir.query.request import QueryRequest


class Snapshots:
    """Three rows in a tail; remembers which projects were asked for, and the descriptors."""

    def __init__(self, error: WeirError | None = None) -> None:
        self.error = error
        self.asked: list[int] = []
        self.given: list[int] = []

    async def snapshot(self, project_id: int) -> tuple[Snapshot, int | None]:
        self.asked.append(project_id)
        if self.error is not None:
            raise self.error
        snapshot, tail_fd = snapshot_of([], rows([{}] * 3))
        assert tail_fd is not None
        self.given.append(tail_fd)
        return snapshot, tail_fd


async def ask_project(node: Node, snapshots: Snapshots, sql: str) -> QueryAnswer:
    """Asks for project 7 of tenant 3."""
    request = QueryRequest(tenant_id=3, sql=sql)
    return await ask(request, project_id=7, pool=node.pool, snapshots=snapshots)


def test_answer_comes_with_the_snapshot_that_it_was_read_from(node: Node) -> None:
    """The project's; the slot is held until the result is read, the descriptor is not."""
    snapshots = Snapshots()

    async def read() -> tuple[bytes, int]:
        answer = await ask_project(node, snapshots, "SELECT count() FROM events")
        assert answer.snapshot.tail_row_count == 3
        running = node.pool.running_count
        return await answer.result.read(), running

    body, running = node.loop.run_until_complete(read())
    assert json.loads(body)["rows"] == [[3]]
    assert (running, node.pool.running_count, snapshots.asked) == (1, 0, [7])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(snapshots.given[0])


@pytest.mark.parametrize("error", [None, Unavailable("The loader does not answer.")])
def test_failure_leaves_nothing_behind(node: Node, error: WeirError | None) -> None:
    """A statement that is refused, and a source that fails."""
    snapshots = Snapshots(error)
    with pytest.raises(WeirError) as caught:
        node.loop.run_until_complete(ask_project(node, snapshots, "SELECT nope FROM events"))
    assert caught.value is error or caught.value.code == "invalid_query"
    assert node.pool.running_count == 0
    for descriptor in snapshots.given:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_query_without_a_slot_asks_for_no_snapshot(make_node: Callable[..., Node]) -> None:
    """Who is refused has cost nobody anything."""
    node = make_node(query_workers=1, query_queue_wait_s=0.0)
    snapshots = Snapshots()

    async def crowd() -> None:
        async with node.pool.slot(3):
            await ask_project(node, snapshots, "SELECT 1")

    with pytest.raises(LimitExceeded):
        node.loop.run_until_complete(crowd())
    assert snapshots.asked == []
