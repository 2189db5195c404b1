"""Stored bytes that change, vanish or are held by somebody else, under a real node."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.conftest import KEPT_EVENTS
from tests.end_to_end.running_node import Node, StartNode, wait_until

EVENTS = KEPT_EVENTS
NAMES = "SELECT event FROM events ORDER BY event"


def test_locked_databases_hold_no_event_up(start_node: StartNode) -> None:
    """Somebody holds both: events are taken and seen; commits and keys follow."""
    node = start_node(cut_age_s=0.1)
    create = ["keys", "create", "--data", str(node.directory), "--project", "default", "--json"]
    with _held(node.directory / "catalog.db"), _held(node.directory / "control.db"):
        assert node.send("/v1/events", EVENTS).status_code == 202
        wait_until(lambda: len(node.query(NAMES)) == 30, within_s=20, what="all events seen")
    made = json.loads(node.weir(*create).stdout)["key"]
    answer = httpx.post(
        node.url + "/v1/ingest", json={"event": "a"}, headers={"X-API-Key": made}, timeout=20
    )
    assert answer.status_code == 202
    assert node.stop() == 0
    assert _outcomes(node)["stored"] == 31


def test_damaged_journal_costs_its_frame_alone(start_node: StartNode) -> None:
    """A bit flips while the node is down: one event is quarantined and counted, no other."""
    node = start_node(workers=1, cut_age_s=3600)
    for event in EVENTS[:3]:
        assert node.send("/v1/ingest", event).status_code == 202
    node.kill_all()
    [path] = (node.directory / "journal" / "00").glob("*.wal")
    _flip(path, path.read_bytes().index(b'"e1"') + 1)
    node.start()
    assert node.query(NAMES) == [["e0"], ["e2"]]
    assert node.stop() == 0
    assert _outcomes(node) == {"accepted": 3, "stored": 2, "quarantined": 1, "lost": 0}
    [kept] = (node.directory / "quarantine").glob("journal-00-*.bin")
    assert b"id-1" in kept.read_bytes()


def test_damaged_state_files_lose_nothing(start_node: StartNode) -> None:
    """What the journal's state and the registry say is made anew from what lies under them."""
    node = start_node(cut_age_s=3600)
    assert node.send("/v1/events", EVENTS).status_code == 202
    node.kill_all()
    for path in (node.directory / "journal").glob("*/state"):
        _flip(path, 16)
    (node.directory / "run" / "registry").write_bytes(b"garbage")
    (node.directory / "run" / "board").unlink()
    node.start()
    wait_until(lambda: len(node.query(NAMES)) == 30, within_s=20, what="all events")


def test_damaged_lake_file_fails_its_project_alone(start_node: StartNode) -> None:
    """A wrong byte: 503 in Weir's words, no path, and the other project reads on."""
    node = start_node()
    directory = str(node.directory)
    assert node.weir("projects", "create", "other", "--data", directory).returncode == 0
    made = node.weir(
        *("keys", "create", "--data", directory, "--project", "other", "--json"),
        *("--scopes", "ingest,query,metrics"),
    )
    other = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    assert node.send("/v1/events", EVENTS).status_code == 202
    sent = httpx.post(node.url + "/v1/ingest", json={"event": "a"}, headers=other, timeout=20)
    assert sent.status_code == 202
    assert node.stop() == 0
    [path] = (node.directory / "lake" / "1" / "1").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    node.start()
    answer = node.ask(NAMES)
    assert (answer.status_code, answer.json()["error"]) == (503, "events_damaged")
    assert directory not in answer.text
    theirs = httpx.get(
        node.url + "/v1/query", params={"q": NAMES}, headers=other, timeout=20
    ).json()
    assert theirs["rows"] == [["a"]]


def test_missing_journal_file_is_counted_as_lost(start_node: StartNode) -> None:
    """A file in the middle is gone: what was in it is in the ledger as lost, the rest is there."""
    node = start_node(workers=1, cut_age_s=3600, journal_file_bytes="1MiB")
    large = [{**event, "properties": {"text": "x" * 110_000}} for event in EVENTS]
    for start in (0, 10, 20):
        assert node.send("/v1/events", large[start : start + 10]).status_code == 202
    node.kill_all()
    files = sorted((node.directory / "journal" / "00").glob("*.wal"))
    files[1].unlink()
    node.start()
    assert len(node.query(NAMES)) == 20
    assert node.stop() == 0
    assert _outcomes(node) == {"accepted": 30, "stored": 20, "quarantined": 0, "lost": 10}


def test_directory_without_its_databases_is_refused(stopped_node: Node) -> None:
    """Made anew they would forget the lake, or give its projects to others; nothing is touched."""
    node = stopped_node
    for name in ("catalog.db", "control.db"):
        database = node.directory / name
        kept = database.rename(database.with_suffix(".away"))
        assert f"{name} is missing" in _refused_start(node)
        if name == "control.db":
            made = node.weir("keys", "create", "--data", str(node.directory))
            assert (made.returncode, f"{name} is missing" in made.stderr) == (1, True)
        assert not database.exists()
        kept.rename(database)
    node.start()
    assert len(node.query(NAMES)) == 30


def test_directory_of_a_newer_version_is_refused(stopped_node: Node) -> None:
    """An old program does not touch what it does not know. What it does know it makes anew."""
    node = stopped_node
    told = node.directory / "node.json"
    told.write_text(told.read_text().replace('"format_version":1', '"format_version":99'))
    assert "newer version" in _refused_start(node)
    told.unlink()
    node.start()
    assert len(node.query(NAMES)) == 30


def _refused_start(node: Node) -> str:
    done = node.weir("serve", "--data", str(node.directory), "--port", "0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Another program has the database for itself."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _outcomes(node: Node) -> dict[str, int]:
    """What the catalog of a stopped node says became of all events."""
    names = ("stored", "quarantined", "lost")
    sums = ", ".join(f"sum({name})" for name in names)
    with contextlib.closing(sqlite3.connect(node.directory / "catalog.db")) as connection:
        [found] = connection.execute(f"SELECT {sums} FROM ledger")
        [[accepted]] = connection.execute('SELECT sum("offset") FROM journals')
    return {"accepted": accepted, **dict(zip(names, found, strict=True))}
