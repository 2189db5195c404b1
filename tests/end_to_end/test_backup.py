"""A backup of a node under load is a whole node: every event acknowledged before it, once."""

import json
import shutil
from pathlib import Path

import httpx

from tests.end_to_end.acknowledged_load import Load
from tests.end_to_end.running_node import Node, StartNode, wait_until


def _ids(node: Node) -> list[str]:
    rows = node.ask("SELECT event_id FROM events", limit="50000").json()["rows"]
    return [str(row[0]) for row in rows]


def _balance(node: Node) -> dict[str, int]:
    told = httpx.get(
        f"{node.url}/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=20
    ).json()
    assert told["balance"] == 0
    [row] = told["items"]
    found: dict[str, int] = row
    return found


def _restored(node: Node, start_node: StartNode, backup: Path, name: str) -> Node:
    directory = node.directory.with_name(name)
    done = node.weir("restore", str(backup), "--data", str(directory))
    assert done.returncode == 0, done.stderr
    assert not (directory / "first-run.json").exists(), "keys in clear are no part of a backup"
    shutil.copy(node.directory / "first-run.json", directory)
    return start_node(name, cut_age_s=0.5)


def _send_two(node: Node) -> None:
    """Returns when the loader has read them."""
    count = len(_ids(node)) + 2
    assert node.send("/v1/events", [{"event": "b"}] * 2).status_code == 202
    wait_until(lambda: len(_ids(node)) == count, within_s=20, what="new events")


def test_backup_under_load_restores_every_acknowledged_event_once(
    start_node: StartNode, tmp_path: Path
) -> None:
    """Commits, merges and journal changes go on meanwhile; the second backup copies little."""
    backup = tmp_path / "backup"
    where = ("--data", str(tmp_path / "node"), "--json")
    node = start_node(
        cut_age_s=0.1, compaction_interval_s=0.1, compaction_files=2, journal_file_bytes=1 << 20
    )
    with Load(node.url, node.key, threads=4) as load:
        wait_until(lambda: len(load.acknowledged) > 500, within_s=30, what="some load")
        first = node.weir("backup", str(backup), *where)
        assert first.returncode == 0, first.stderr
        before = set(load.acknowledged)
        second = node.weir("backup", str(backup), *where)
        assert second.returncode == 0, second.stderr
    told = json.loads(second.stdout)
    assert told["copied_bytes"] < told["bytes"]
    assert sorted(path.name for path in backup.glob("moment-*/catalog.db")) == ["catalog.db"]
    copy = _restored(node, start_node, backup, "copy")
    wait_until(lambda: len(_ids(copy)) >= len(before), within_s=20, what="the restored events")
    found = _ids(copy)
    assert before <= set(found), "an event that was acknowledged before the backup is missing"
    assert len(found) == len(set(found)), "an event is there twice"
    assert set(found) <= set(_ids(node)), "an event that never was"
    assert copy.send("/v1/events", {"event": "after"}).status_code == 202
    wait_until(lambda: len(_ids(copy)) == len(found) + 1, within_s=20, what="the new event")
    row = _balance(copy)
    assert row["accepted"] == row["stored"] + row["in_flight"] + row["duplicate"]
    names = {path.name for path in (copy.directory / "journal").iterdir()}
    assert len([name for name in names if "-" in name]) == 2, "journals of its own"
    assert {name for name in names if "-" not in name} == {"00", "01"}


def test_backup_of_a_node_that_was_killed_holds_what_its_journals_hold(
    start_node: StartNode, tmp_path: Path
) -> None:
    """Nothing was committed to the lake: everything is in the journals, with a torn tail or not.

    The month's quota counts what was before, and what comes, once each.
    """
    node = start_node(cut_age_s=3600)
    for number in range(20):
        answer = node.send("/v1/ingest", {"event": "a", "event_id": f"id-{number}"})
        assert answer.status_code == 202
    node.kill_all()
    done = node.weir("backup", str(tmp_path / "backup"), "--data", str(node.directory))
    assert done.returncode == 0, done.stderr
    copy = _restored(node, start_node, tmp_path / "backup", "copy")
    wait_until(lambda: len(_ids(copy)) == 20, within_s=20, what="the restored events")
    assert _balance(copy)["accepted"] == 20

    quota = ("--events-per-month", "24", "--data", str(copy.directory))
    assert copy.weir("tenants", "change", "default", *quota).returncode == 0
    for _ in range(2):
        _send_two(copy)
    assert copy.send("/v1/events", {"event": "b"}).status_code == 429
