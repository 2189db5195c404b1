"""``weir files``: the lake as other programs may read it."""

import json
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.dataset

from tests.end_to_end.running_node import Node, StartNode, wait_until

BATCHES = 3


def listed(node: Node) -> list[str]:
    """The paths that the command prints."""
    told = node.weir("files", "--data", str(node.directory))
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


def rows_below(node: Node) -> int:
    """What a glob counts."""
    glob = f"{node.directory}/lake/*/*/*/*.parquet"
    [count] = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [glob]).fetchall()[0]
    return int(count)


def test_files_hold_each_event_once_while_replaced_ones_stay(start_node: StartNode) -> None:
    """After a merge a glob counts events twice; the list does not, running or stopped."""
    node = start_node(
        workers=1, cut_age_s=0.1, compaction_files=2, compaction_interval_s=0.05,
        compaction_cpu_share=1,
    )  # fmt: skip
    for number in range(BATCHES):
        batch = [{"event": "e", "event_id": f"{number}-{each}"} for each in range(10)]
        assert node.send("/v1/events", batch).status_code == 202
        wait_until(
            partial(holds, node, 10 * (number + 1)), within_s=20, what="the batch in the lake"
        )
    wait_until(lambda: rows_below(node) > 10 * BATCHES, within_s=20, what="a merge")
    paths = listed(node)
    assert rows(paths) == 10 * BATCHES
    table = pyarrow.dataset.dataset(paths, format="parquet", partitioning="hive").to_table()
    assert table.num_rows == 10 * BATCHES
    assert node.stop() == 0
    paths = listed(node)
    assert rows(paths) == 10 * BATCHES
    told = json.loads(node.weir("files", "--data", str(node.directory), "--json").stdout)
    assert [each["path"] for each in told] == paths
    assert sum(each["row_count"] for each in told) == 10 * BATCHES


def rows(paths: list[str]) -> int:
    """The recipe of the guide, without its shell."""
    if not paths:
        return 0
    quoted = ", ".join(f"'{path}'" for path in paths)
    sql = f"SELECT count(event_id) FROM read_parquet([{quoted}], union_by_name = true)"
    [count] = duckdb.execute(sql).fetchall()[0]
    return int(count)


def holds(node: Node, count: int) -> bool:
    """Whether the listed files have so many rows."""
    return rows(listed(node)) == count


def test_a_project_or_node_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Nothing is made; a node that has never run has no files."""
    node = Node(tmp_path / "node", {})
    where = ("--data", str(node.directory))
    assert "no node" in node.weir("files", *where).stderr
    assert not node.directory.exists()
    assert node.weir("projects", "list", *where).returncode == 1
    assert node.weir("projects", "create", "shop", *where).returncode == 0
    assert node.weir("files", *where, "--project", "shop").stdout == ""
    refused = node.weir("files", *where, "--project", "other")
    assert refused.returncode == 1
    assert "weir projects list" in refused.stderr
