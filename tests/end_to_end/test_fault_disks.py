"""A disk that is full, read-only, slow or sick while the node runs."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.acknowledged_load import Load
from tests.end_to_end.recorded import assert_all_there, await_more
from tests.end_to_end.running_node import Node, StartNode, wait_until
from tests.end_to_end.small_disk import DiskNode, needs_mounts
from tests.end_to_end.tracing import injected, needs_strace


@needs_mounts
def test_full_disk_refuses_and_resumes_by_itself(start_node: StartNode, tmp_path: Path) -> None:
    """Another program takes the last byte: 503, queries are answered, nothing is lost."""
    disk = DiskNode(start_node, tmp_path, size="24m")
    node = disk.node
    with Load(node.url, node.key, threads=2) as load:
        await_more(load)
        disk.fill()
        wait_until(lambda: 503 in load.refused_statuses, within_s=20, what="503")
        answer = node.ask("SELECT count() FROM events")
        assert answer.status_code == 200, answer.text
        disk.free()
        load.refused_statuses.clear()
        await_more(load)
        assert load.broken == 0
    assert_all_there(node, load)


@needs_mounts
def test_worker_that_starts_on_a_full_disk_answers(start_node: StartNode, tmp_path: Path) -> None:
    """It refuses events and passes queries on; once there is room it has its journal again."""
    disk = DiskNode(start_node, tmp_path, size="24m")
    node = disk.node
    with Load(node.url, node.key, threads=2) as load:
        await_more(load)
    wait_until(lambda: not _in_flight(node), within_s=20, what="all is in the lake")
    disk.fill()
    [worker] = node.pids("edge")
    os.kill(worker, signal.SIGKILL)

    def is_without_journal() -> bool:
        disk.fill()  # whatever the loader gave back meanwhile
        return "journal_absent" in node.log.read_text()

    wait_until(is_without_journal, within_s=20, what="a new worker")
    answer = node.send("/v1/ingest", {"event": "refused"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert_all_there(node, load)
    disk.free()
    wait_until(lambda: _takes(node), within_s=30, what="events taken")
    assert node.query("SELECT count() FROM events WHERE event = 'refused'") == [[0]]


@needs_mounts
def test_start_on_a_read_only_disk_is_told(stopped_node: Node) -> None:
    """What is wrong and what to do, instead of a node that takes nothing."""
    node = stopped_node
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", read_only, str(node.directory)]
    command += [sys.executable, "-m", "weir", "serve", "--data", str(node.directory)]
    done = subprocess.run(
        [*command, "--port", "0"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


@needs_mounts
def test_start_on_a_full_disk_is_told(tmp_path: Path) -> None:
    """Without room for what the processes share there is no node: in words, with what to do."""
    mounted = 'mount -t tmpfs -o size=64k weir-test "$0" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mounted, str(tmp_path)]
    command += [sys.executable, "-m", "weir", "serve", "--data", str(tmp_path / "node")]
    done = subprocess.run(
        [*command, "--port", "0"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@needs_strace
@pytest.mark.parametrize(
    "error",
    [
        "EROFS",
        pytest.param("EIO", marks=pytest.mark.soak),
        pytest.param("ENOSPC", marks=pytest.mark.soak),
    ],
)
def test_a_failed_write_is_never_acknowledged(
    start_node: StartNode, tmp_path: Path, error: str
) -> None:
    """Whatever the disk says, the client hears 503 or nothing, and a new worker goes on."""
    node = start_node(workers=1)
    assert node.send("/v1/ingest", {"event": "before"}).status_code == 202
    [worker] = node.pids("edge")
    with injected(worker, "pwrite64", f"error={error}:when=1+", tmp_path / "strace.log"):
        with contextlib.suppress(httpx.TransportError):
            assert node.send("/v1/ingest", {"event": "during"}).status_code == 503
        wait_until(lambda: worker not in node.pids("edge"), within_s=20, what="the worker ended")
    wait_until(lambda: _takes(node), within_s=20, what="events taken")
    before = "SELECT count() FROM events WHERE event = 'before'"
    wait_until(lambda: node.query(before) == [[1]], within_s=20, what="the event of before")


@needs_strace
def test_slow_disk_makes_latency_and_larger_batches(start_node: StartNode, tmp_path: Path) -> None:
    """Half a second for each sync: many requests share one, and none is refused."""
    node = start_node(workers=1)
    [worker] = node.pids("edge")
    log = tmp_path / "strace.log"
    with (
        injected(worker, "fdatasync", "delay_enter=500000", log),
        Load(node.url, node.key, threads=16) as load,
    ):
        await_more(load, 64)
    assert not load.refused_statuses
    assert load.broken == 0
    syncs = log.read_text().count("fdatasync(")
    assert syncs * 4 < len(load.acknowledged)
    assert_all_there(node, load)


@needs_strace
def test_unreadable_lake_file_fails_its_queries_alone(stopped_node: Node, tmp_path: Path) -> None:
    """EIO while a query reads: 503, and the next one is answered."""
    node = stopped_node
    node.settings["WEIR_QUERY_SPARES"] = "1"
    node.start()
    [path] = (node.directory / "lake").rglob("*.parquet")
    sql = "SELECT event FROM events WHERE event = 'e7'"
    readers = _descendants(node.pids("api"))
    with injected(readers, "pread64,read", "error=EIO", tmp_path / "strace.log", paths=[path]):
        answer = node.ask(sql)
        assert answer.status_code == 503, answer.text
        assert str(node.directory) not in answer.text
    assert node.query(sql) == [["e7"]]


@needs_strace
def test_unreadable_journal_is_read_later(start_node: StartNode, tmp_path: Path) -> None:
    """EIO while the loader reads: events go on being taken, and appear when the disk is well."""
    node = start_node(workers=1)
    [loader] = node.pids("loader")
    [path] = (node.directory / "journal" / "00").glob("*.wal")
    with injected(loader, "pread64", "error=EIO", tmp_path / "strace.log", paths=[path]):
        assert node.send("/v1/ingest", {"event": "hidden"}).status_code == 202
        wait_until(
            lambda: "journal_unreadable" in node.log.read_text(), within_s=20, what="it is told"
        )
        assert node.query("SELECT event FROM events") == []
    wait_until(
        lambda: node.query("SELECT event FROM events") == [["hidden"]], within_s=20, what="read"
    )


def _descendants(pids: list[int]) -> list[int]:
    """The children of the processes, and theirs: the query workers and who forks them."""
    children = [
        int(child)
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return children + _descendants(children) if children else []


def _in_flight(node: Node) -> int:
    answer = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=20
    )
    return sum(row["in_flight"] for row in answer.json()["items"])


def _takes(node: Node) -> bool:
    try:
        return node.send("/v1/ingest", {"event": "probe"}).status_code == 202
    except httpx.TransportError:
        return False
