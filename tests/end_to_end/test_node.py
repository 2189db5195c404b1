"""The node as a whole: start, stop, its commands, and two nodes on one directory."""

import csv
import json
import os
import re
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.running_node import STOP_WITHIN_S, Node, StartNode, wait_until


def test_first_run_leaves_keys_for_the_owner_alone(shared_node: Node) -> None:
    """first-run.json is 0600, and standard error names it without a key's text."""
    node = shared_node
    path = node.directory / "first-run.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log = node.log.read_text()
    assert str(path) in log
    assert node.key not in log
    assert node.first_run["public_key"] not in log


def test_standard_output_carries_the_ready_line_alone(start_node: StartNode) -> None:
    """Scripts read one line; a stop by SIGTERM exits with 0 and says nothing more."""
    node = start_node()
    process = node.process
    assert process is not None
    assert process.stdout is not None
    process.terminate()
    assert process.wait(STOP_WITHIN_S) == 0
    assert process.stdout.read() == ""


def test_events_outlive_a_restart_and_are_not_doubled(start_node: StartNode) -> None:
    """Tail rows become lake rows at the stop; a retry after the restart is a duplicate."""
    node = start_node(cut_age_s=0.5)
    events = [{"event": "a", "event_id": f"id-{number}"} for number in range(10)]
    assert node.send("/v1/events", events).status_code == 202
    assert node.stop() == 0
    node.start()
    assert node.query("SELECT count() FROM events") == [[10]]
    assert node.send("/v1/events", events).status_code == 202
    wait_until(
        lambda: _ledger(node)["duplicate"] == 10, within_s=10, what="duplicates in the ledger"
    )
    assert node.query("SELECT count() FROM events") == [[10]]
    assert _ledger(node)["stored"] == 10


def test_the_ledger_balances_over_taken_and_refused_events(start_node: StartNode) -> None:
    """Received is accepted plus rejected; every accepted event has one outcome."""
    node = start_node(cut_age_s=0.2)
    mixed = [{"event": "a"}, {"event": 5}, {"event": "b", "event_id": "x"}]
    assert node.send("/v1/events", mixed).json()["rejected"] == 1
    assert node.send("/v1/batch", {"events": [{"event": "a"}, {}]}).status_code == 400
    assert node.send("/v1/ingest", {"event": "b", "event_id": "x"}).status_code == 202
    wait_until(lambda: _outcomes(node) == (2, 1, 3), within_s=30, what="outcomes in the ledger")
    total = _ledger(node)
    assert total["received"] == total["accepted"] + total["rejected"] == 6
    assert total["in_flight"] == 0


def test_a_second_node_on_the_directory_is_refused(shared_node: Node) -> None:
    """The message says who holds it and what to do; the first node goes on."""
    node = shared_node
    second = node.weir("serve", "--data", str(node.directory), "--port", "0")
    assert second.returncode == 1
    assert "in use" in second.stderr
    assert "--data" in second.stderr
    assert node.process is not None
    assert str(node.process.pid) in second.stderr
    assert node.send("/v1/ingest", {"event": "a"}).status_code == 202


def test_a_query_that_runs_at_the_stop_is_answered(start_node: StartNode) -> None:
    """It is not left without a word: refused with 503 when the time for draining is over."""
    node = start_node(drain_timeout_s=0.5)
    slow = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(node.ask, slow)
        wait_until(lambda: _is_querying(node), within_s=20, what="the query is with a worker")
        assert node.stop() == 0
        answer = asked.result(120)
    assert answer.status_code == 503
    assert answer.json()["error"] == "unavailable"


def test_a_second_interrupt_ends_at_once(start_node: StartNode) -> None:
    """Whoever cannot wait presses Ctrl-C again; what was acknowledged is there afterwards."""
    node = start_node(drain_timeout_s=600, query_timeout_s=600)
    assert node.send("/v1/ingest", {"event": "kept"}).status_code == 202
    process = node.process
    assert process is not None
    with ThreadPoolExecutor(1) as pool:
        slow = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
        asked = pool.submit(node.ask, slow)
        wait_until(lambda: _is_querying(node), within_s=20, what="the query is with a worker")
        process.send_signal(signal.SIGINT)
        wait_until(
            lambda: "node_stopping" in node.log.read_text(), within_s=20, what="the stop begun"
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
        assert asked.exception(120) is not None
    node.forget()
    node.start()
    assert node.query("SELECT event FROM events") == [["kept"]]


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("keys", "create")])
def test_an_unusable_directory_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    """No traceback: what is wrong, and what to do."""
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-m", "weir", *command, "--data", str(occupied)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told(shared_node: Node, tmp_path: Path) -> None:
    """A node on an address in use ends with a hint, not with a traceback."""
    node = shared_node
    port = node.url.rsplit(":", 1)[1]
    second = node.weir("serve", "--data", str(tmp_path / "other"), "--port", port)
    assert second.returncode == 1
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr


def test_keys_are_made_while_the_node_runs_or_not(tmp_path: Path, start_node: StartNode) -> None:
    """The script's contract: an object with ``key``, usable at once, before and after start."""
    directory = tmp_path / "node"
    before = _create_key(directory)
    node = start_node("node")
    during = _create_key(directory)
    for key in (before, during):
        answer = httpx.post(
            node.url + "/v1/ingest", json={"event": "a"}, headers={"X-API-Key": key}, timeout=60
        )
        assert answer.status_code == 202


def test_a_revoked_key_is_refused_by_every_worker(shared_node: Node) -> None:
    """Many connections, so that both workers are asked: none takes the key any more."""
    node = shared_node
    made = json.loads(
        node.weir(
            *("keys", "create", "--data", str(node.directory), "--project", "default"),
            *("--scopes", "ingest", "--json"),
        ).stdout
    )
    with httpx.Client(headers={"X-API-Key": made["key"]}, timeout=60) as client:
        assert client.post(node.url + "/v1/ingest", json={"event": "a"}).status_code == 202
        revoked = node.weir("keys", "revoke", "--data", str(node.directory), made["id"], "--json")
        assert revoked.returncode == 0, revoked.stderr
    for _ in range(16):
        answer = httpx.post(
            node.url + "/v1/ingest",
            json={"event": "a"},
            headers={"X-API-Key": made["key"]},
            timeout=60,
        )
        assert answer.status_code == 401


def test_projects_do_not_see_each_other(own_project: Node) -> None:
    """Each key reads the events and the ledger of its own project only."""
    node = own_project
    directory = str(node.directory)
    assert node.weir("projects", "create", "other", "--data", directory).returncode == 0
    other = json.loads(
        node.weir(
            *("keys", "create", "--data", directory, "--project", "other"),
            *("--scopes", "ingest,query,metrics", "--json"),
        ).stdout
    )["key"]
    node.send("/v1/ingest", {"event": "mine"})
    httpx.post(
        node.url + "/v1/ingest", json={"event": "theirs"}, headers={"X-API-Key": other}, timeout=60
    )
    wait_until(
        lambda: node.query("SELECT event FROM events") == [["mine"]], within_s=5, what="own event"
    )

    def theirs() -> object:
        asked = {"q": "SELECT event FROM events"}
        headers = {"X-API-Key": other}
        answer = httpx.get(node.url + "/v1/query", params=asked, headers=headers, timeout=60)
        return answer.json()["rows"]

    wait_until(lambda: theirs() == [["theirs"]], within_s=5, what="their event")


def test_send_and_query_commands_work_on_the_directory_alone(
    shared_node: Node, tmp_path: Path
) -> None:
    """``weir send`` and ``weir query`` find node and key by --data."""
    node = shared_node
    lines = tmp_path / "events.ndjson"
    lines.write_text("".join(json.dumps({"event": f"line {n % 3}"}) + "\n" for n in range(2500)))
    sent = node.weir("send", str(lines), "--data", str(node.directory), "--json")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["accepted"] == 2500
    lines_alone = "WHERE event LIKE 'line _'"
    wait_until(
        lambda: node.query(f"SELECT count() FROM events {lines_alone}") == [[2500]],
        within_s=20,
        what="rows",
    )
    asked = node.weir(
        *("query", f"SELECT event, count() FROM events {lines_alone} GROUP BY 1 ORDER BY 1"),
        *("--data", str(node.directory), "--json"),
    )
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["rows"] == [["line 0", 834], ["line 1", 833], ["line 2", 833]]


def test_metrics_are_summed_over_the_processes(start_node: StartNode) -> None:
    """The metrics port shows what both workers took."""
    node = start_node(metrics_port=_free_port())
    for _ in range(8):
        node.send("/v1/ingest", {"event": "a"})
    url = f"http://127.0.0.1:{node.settings['WEIR_METRICS_PORT']}/metrics"
    wanted = 'weir_events_total{dialect="novamesh",result="accepted"} 8.0'
    wait_until(lambda: wanted in httpx.get(url, timeout=60).text, within_s=10, what=wanted)
    assert "weir_ledger_balance 0.0" in httpx.get(url, timeout=60).text


def test_properties_are_a_text_as_a_whole_and_json_in_part(shared_node: Node) -> None:
    """One rule for all formats; JSON stands as itself where the format is JSON."""
    event = {"event": "formats", "properties": {"a": [1, 2]}}
    assert shared_node.send("/v1/events", event).status_code == 202
    sql = (
        "SELECT properties AS p, properties->'a' AS a, properties::JSON AS j"
        " FROM events WHERE event = 'formats'"
    )
    wait_until(lambda: bool(shared_node.query(sql)), within_s=20, what="the event")
    text = '{"a":[1,2]}'
    assert shared_node.query(sql) == [[text, [1, 2], {"a": [1, 2]}]]
    line = json.loads(shared_node.ask(sql, format="ndjson").text)
    assert line == {"p": text, "a": [1, 2], "j": {"a": [1, 2]}}
    cells = next(csv.DictReader(shared_node.ask(sql, format="csv").text.splitlines()))
    assert cells == {"p": text, "a": "[1,2]", "j": text}


def test_gauges_tell_what_one_process_measured(start_node: StartNode) -> None:
    """Free disk is that of the disk, the backlog counts once, no loader's end hides them.

    The supervisor's own count of ends is among the sums.
    """
    node = start_node(metrics_port=_free_port(), workers=1)
    url = f"http://127.0.0.1:{node.settings['WEIR_METRICS_PORT']}/metrics"
    disk = os.statvfs(node.directory)
    size = disk.f_blocks * disk.f_frsize

    def gauge(name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", httpx.get(url, timeout=60).text, re.MULTILINE)
        return float(found[1]) if found else -1.0

    wait_until(
        lambda: 0 < gauge("weir_disk_free_bytes") <= size, within_s=20, what="free disk is told"
    )
    assert gauge("weir_journal_files") >= 1
    body = {"event": "a", "properties": {"x": "y" * 200_000}}
    assert node.send("/v1/events", body).status_code == 202
    wait_until(
        lambda: gauge("weir_journal_backlog_bytes") >= 200_000, within_s=20, what="the backlog"
    )
    [loader] = node.pids("loader")
    wait_until(
        lambda: node.query("SELECT count() FROM events") == [[1]], within_s=20, what="the event"
    )
    assert gauge("weir_journal_backlog_bytes") < 400_000
    os.kill(loader, signal.SIGKILL)
    wait_until(lambda: node.pids("loader") not in ([], [loader]), within_s=20, what="another")
    assert gauge("weir_disk_free_bytes") > 0
    assert 'weir_child_ends_total{child="loader"} 1.0' in httpx.get(url).text


def _is_querying(node: Node) -> bool:
    """Whether a query worker, a grandchild of the api process, uses the processor."""
    parents: dict[int, int] = {}
    busy: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
        if int(fields[11]) > 20:
            busy.append(int(entry.name))
    [api] = node.pids("api")
    return any(parents.get(parents[pid]) == api for pid in busy)


def _create_key(directory: Path) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "weir", "keys", "create", "--data", str(directory)),
            *("--project", "default", "--scopes", "ingest,query", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    key: str = json.loads(done.stdout)["key"]
    return key


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _outcomes(node: Node) -> tuple[int, int, int]:
    total = _ledger(node)
    return total["stored"], total["duplicate"], total["rejected"]


def _ledger(node: Node) -> dict[str, int]:
    answer = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["balance"] == 0
    names = ("received", "rejected", "accepted", "stored", "duplicate", "in_flight")
    return {name: sum(item[name] for item in body["items"]) for name in names}
