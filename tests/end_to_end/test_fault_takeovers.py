"""Processes that lose their parent, wake up too late, or are told to stop while events come in."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.acknowledged_load import Load
from tests.end_to_end.recorded import assert_all_there, await_more
from tests.end_to_end.running_node import STOP_WITHIN_S, Node, StartNode, wait_until


def test_supervisor_killed_under_load_loses_nothing(start_node: StartNode) -> None:
    """A stopped child ends with it too; a new node takes the directory over at once."""
    node = start_node(cut_age_s=0.3)
    assert node.process is not None
    with Load(node.url, node.key, threads=4) as load:
        await_more(load)
        children = [pid for role in ("edge", "loader", "api") for pid in node.pids(role)]
        os.kill(node.pids("edge")[0], signal.SIGSTOP)
        os.kill(node.process.pid, signal.SIGKILL)
        node.process.wait(STOP_WITHIN_S)
        wait_until(lambda: not any(map(_lives, children)), within_s=10, what="children ended")
        node.forget()
        node.start()
        await_more(load)
    assert_all_there(node, load)


def test_loader_that_wakes_after_a_takeover_commits_nothing(start_node: StartNode) -> None:
    """Stopped while another one worked, its lock gone: it is fenced and ends."""
    node = start_node(cut_age_s=1)
    with Load(node.url, node.key, threads=2) as load:
        await_more(load)
        [paused] = node.pids("loader")
        os.kill(paused, signal.SIGSTOP)
        (node.directory / "loader.lock").unlink()
        with _second_loader(node) as second:
            before = _commits(node, "second.log")
            wait_until(
                lambda: _commits(node, "second.log") > before, within_s=30, what="its commits"
            )
            os.kill(paused, signal.SIGCONT)
            wait_until(lambda: not _lives(paused), within_s=30, what="the first one ended")
            second.terminate()
            assert second.wait(STOP_WITHIN_S) == 0
        await_more(load)
    assert "loader_fenced" in node.log.read_text()
    assert_all_there(node, load)


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
def test_stopping_under_load_leaves_no_request_without_an_answer(
    start_node: StartNode, rounds: int
) -> None:
    """SIGTERM again and again: 202 or 503 for each, exit 0, and every event of a 202 is there."""
    node = start_node(cut_age_s=0.5)
    with contextlib.ExitStack() as loads:
        recorded = []
        for number in range(rounds):
            load = loads.enter_context(Load(node.url, node.key, threads=4, name=f"{number}-"))
            await_more(load)
            assert node.stop() == 0
            assert load.broken == 0
            assert load.refused_statuses <= {503}
            load.stop()
            recorded.append(load)
            node.start()
        for load in recorded:
            assert_all_there(node, load)


@contextlib.contextmanager
def _second_loader(node: Node) -> Iterator["subprocess.Popen[bytes]"]:
    """``weir loader`` on the node's directory, beside the node's own."""
    settings = {**os.environ, **node.settings, "WEIR_DATA_DIR": str(node.directory)}
    with (
        (node.directory.parent / "second.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "weir", "loader"],
            env={**settings, "WEIR_LOG_FORMAT": "json"},
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _commits(node: Node, log: str) -> int:
    return (node.directory.parent / log).read_text().count('"lake_committed"')


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
