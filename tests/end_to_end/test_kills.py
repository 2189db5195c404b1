"""kill -9 under load: what was acknowledged is there once, whatever died."""

import os
import signal
import sqlite3
import threading
import time
from datetime import datetime

import httpx
import pytest

from tests.end_to_end.acknowledged_load import Load
from tests.end_to_end.running_node import (
    READY_WITHIN_S,
    STOP_WITHIN_S,
    Node,
    StartNode,
    wait_until,
)
from weir.domain.times import to_us
from weir.node.directory import Directory

LOAD_THREADS = 6
ROWS_MAX = 50_000
"""Questions that all ids are asked for in: an answer has 50,000 rows at most."""


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often something is killed: ``--kills``."""
    return int(pytestconfig.getoption("--kills", 4))


def _run_for(seconds: float, load: Load) -> None:
    """Lets the load go on until it has been acknowledged anew and the time is over."""
    before = len(load.acknowledged)
    deadline = time.monotonic() + seconds
    wait_until(
        lambda: len(load.acknowledged) > before + 20 and time.monotonic() > deadline,
        within_s=60,
        what="acknowledgements",
    )


def _assert_nothing_lost_or_doubled(node: Node, load: Load) -> None:
    wait_until(
        lambda: node.ask("SELECT 1").status_code == 200, within_s=30, what="queries answered"
    )
    [[total, distinct]] = node.query("SELECT count(), count(DISTINCT event_id) FROM events")
    parts = int(str(total)) // (ROWS_MAX // 2) + 1
    found = {str(row[0]) for part in range(parts) for row in _ids(node, part, parts)}
    assert load.acknowledged <= found, "an acknowledged event is missing"
    assert total == distinct, "an event is there twice"


def _ids(node: Node, part: int, parts: int) -> list[list[object]]:
    sql = f"SELECT event_id FROM events WHERE hash(event_id) % {parts} = {part}"
    rows = node.ask(sql, limit=str(ROWS_MAX)).json()["rows"]
    assert len(rows) < ROWS_MAX, "the test compares whole sets"
    return list(rows)


def test_the_whole_tree_killed_in_a_loop_loses_and_doubles_nothing(
    start_node: StartNode, rounds: int
) -> None:
    """Power-off of the program: recovery brings back every acknowledged event once."""
    node = start_node(cut_age_s=0.3)
    with Load(node.url, node.key, threads=LOAD_THREADS) as load:
        for round_number in range(rounds):
            _run_for(0.3 + 0.2 * (round_number % 4), load)
            node.kill_all()
            node.start()
        _run_for(0.3, load)
    _assert_nothing_lost_or_doubled(node, load)


@pytest.mark.parametrize("role", ["edge", "loader", "api"])
def test_a_process_killed_in_a_loop_comes_back_and_nothing_is_lost(
    start_node: StartNode, role: str, rounds: int
) -> None:
    """The others go on; the supervisor starts the dead one again."""
    node = start_node(cut_age_s=0.3)
    with Load(node.url, node.key, threads=LOAD_THREADS) as load:
        for _ in range(rounds):
            _run_for(0.3, load)
            victim = node.pids(role)[0]
            os.kill(victim, signal.SIGKILL)
            _await_successor(node, role, victim)
        _run_for(0.3, load)
    _assert_nothing_lost_or_doubled(node, load)


def test_a_new_loader_says_how_far_its_answers_are_complete(start_node: StartNode) -> None:
    """Whatever an answer lacks was received after the watermark that it tells; all comes back."""
    node = start_node()
    events = [{"event": "tail", "properties": {"number": number}} for number in range(1000)]
    for _ in range(10):
        assert node.send("/v1/events", events).status_code == 202
    wait_until(lambda: len(_received(node)) == 10_000, within_s=20, what="all events in the tail")
    received = _received(node)
    [loader] = node.pids("loader")
    os.kill(loader, signal.SIGKILL)
    _follow_until_whole(node, received)


def test_answers_of_a_node_that_starts_under_load_promise_what_they_hold(
    start_node: StartNode,
) -> None:
    """Killed and started while senders go on: no answer lacks what its watermark covers."""
    node = start_node()
    with Load(node.url, node.key, threads=LOAD_THREADS) as load:
        _run_for(1.0, load)
        received = _received(node)
        node.kill_all()
        node.start()
        _follow_until_whole(node, received)
        _run_for(0.3, load)
    _assert_nothing_lost_or_doubled(node, load)


def test_events_are_taken_from_the_last_registry_before_control_state_is_open(
    start_node: StartNode,
) -> None:
    """A start that waits for its database takes events all the same; keys are as they were."""
    node = start_node()
    children = [pid for role in ("edge", "loader", "api") for pid in node.pids(role)]
    node.kill_all()
    wait_until(lambda: not any(map(_is_alive, children)), within_s=10, what="children ended")
    database = sqlite3.connect(Directory(node.directory).control_db, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")  # whoever wants to write waits
    starting = threading.Thread(target=node.start)
    starting.start()
    try:
        wait_until(lambda: _status(node, node.key) == 202, within_s=30, what="an event taken")
        assert _status(node, "sk_live_unknown") == 401
        ready = httpx.get(node.url + "/readyz", timeout=60)
        assert ready.status_code == 503
        assert ready.json() | {"loader": None} == {
            "ready": False, "registry": True, "api": False, "loader": None,
        }  # fmt: skip
    finally:
        database.close()
        starting.join(READY_WITHIN_S)
    assert node.query("SELECT count() > 0 FROM events") == [[True]]


def _status(node: Node, key: str) -> int:
    """What an event with this key is answered; 0 while nobody listens."""
    headers = {"Authorization": f"Bearer {key}"}
    try:
        return httpx.post(
            node.url + "/v1/ingest", json={"event": "early"}, headers=headers, timeout=60
        ).status_code
    except httpx.TransportError:
        return 0


def _received(node: Node) -> dict[str, int]:
    """When each event that is answered was received, by its id; each is there once."""
    return _answer(node)[0]


def _answer(node: Node) -> tuple[dict[str, int], int]:
    """Every event that a query finds, with its time, and the watermark; empty while none does."""
    sql = "SELECT event_id, epoch_us(received_at) FROM events"
    try:
        answer = node.ask(sql, limit=str(ROWS_MAX))
    except httpx.TransportError:
        return {}, 0
    if answer.status_code != 200:
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
        return {}, 0
    rows, meta = answer.json()["rows"], answer.json()["meta"]
    assert len(rows) < ROWS_MAX, "the test compares whole sets"
    found = {str(name): int(us) for name, us in rows}
    assert len(found) == len(rows), "an event is there twice"
    return found, to_us(datetime.fromisoformat(meta["watermark"]))


def _follow_until_whole(node: Node, received: dict[str, int]) -> None:
    """Asks until everything is there again; nothing below a watermark is missing meanwhile."""

    def is_whole() -> bool:
        found, watermark_us = _answer(node)
        missing = received.keys() - found.keys()
        too_early = [name for name in missing if received[name] < watermark_us]
        assert not too_early, f"{len(too_early)} events are promised and missing"
        return not missing

    wait_until(is_whole, within_s=30, what="everything answered again")


def test_children_end_with_their_supervisor_and_the_directory_is_free(
    start_node: StartNode,
) -> None:
    """The supervisor killed alone: its children end at once, and a new node takes over."""
    node = start_node()
    assert node.process is not None
    children = node.pids("edge") + node.pids("loader") + node.pids("api")
    assert len(children) == 4
    assert node.send("/v1/ingest", {"event": "before"}).status_code == 202
    os.kill(node.process.pid, signal.SIGKILL)
    node.process.wait(STOP_WITHIN_S)
    wait_until(lambda: not any(map(_is_alive, children)), within_s=10, what="children ended")
    node.forget()
    node.start()
    assert node.query("SELECT event FROM events") == [["before"]]


def test_sigterm_under_load_resets_no_request(start_node: StartNode) -> None:
    """A graceful stop: every request on an open connection is answered; nothing is lost."""
    node = start_node()
    with Load(node.url, node.key, threads=LOAD_THREADS) as load:
        _run_for(0.5, load)
        broken_before = load.broken
        assert node.stop() == 0
    assert load.broken == broken_before == 0
    assert load.refused_statuses <= {503}
    node.start()
    _assert_nothing_lost_or_doubled(node, load)


def _await_successor(node: Node, role: str, dead: int) -> None:
    wanted = 2 if role == "edge" else 1
    wait_until(
        lambda: dead not in node.pids(role) and len(node.pids(role)) == wanted,
        within_s=20,
        what=f"a new {role}",
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
