"""What ``weir serve`` does not start on: words, exit code 1, and nothing left behind."""

import contextlib
import json
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import pytest

from tests.end_to_end.running_node import Node


def serve(node: Node, *options: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    return node.weir("serve", "--data", str(node.directory), "--port", "0", *options)


@pytest.mark.parametrize("name", ["catalog.db", "control.db"])
def test_a_damaged_database_ends_the_start(stopped_node: Node, name: str) -> None:
    """Instead of starting a part again for ever; what is damaged is named, with what to do."""
    node = stopped_node
    (node.directory / name).write_bytes(b"x" * 8192)
    told = serve(node)
    assert told.returncode == 1
    [words] = [line for line in told.stderr.splitlines() if line.startswith("Error: ")]
    assert f"({name}) is damaged" in words
    assert "\n  Restore the data directory" in told.stderr
    assert "weir ready" not in told.stdout
    assert '"error": "database_damaged"' in serve(node, "--json").stderr


def _newer_revision(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0999'")


def _newer_header(path: Path) -> None:
    """A journal file's head of version 9, in both of its places, with the right checksum."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[12:16], "little")
    content[8] = 9
    content[length - 4 : length] = google_crc32c.value(bytes(content[: length - 4])).to_bytes(
        4, "little"
    )
    content[4096 : 4096 + length] = content[:length]
    path.write_bytes(content)


def _newer_state(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)


def _newer_sidecar(path: Path) -> None:
    path.write_bytes(b"WEIRIDS3" + path.read_bytes()[8:])


@pytest.mark.parametrize(
    ("pattern", "change", "code"),
    [
        ("control.db", _newer_revision, "newer_database"),
        ("catalog.db", _newer_revision, "newer_database"),
        ("journal/00/*.wal", _newer_header, "journal_version"),
        ("journal/01/state", _newer_state, "journal_version"),
        ("dedup/*.ids", _newer_sidecar, "newer_format"),
    ],
)
def test_what_a_newer_version_wrote_ends_the_start(
    stopped_node: Node, pattern: str, change: Callable[[Path], None], code: str
) -> None:
    """With one sentence and what to do, instead of a door that answers nothing."""
    node = stopped_node
    [*_, path] = sorted(node.directory.glob(pattern))
    change(path)
    before = path.read_bytes()
    told = serve(node, "--json")
    assert (told.returncode, told.stdout) == (1, "")
    # Lines of the log may stand on both sides: a child may tell it first, and its end is told.
    error, _ = json.JSONDecoder().raw_decode(told.stderr[told.stderr.index('{\n  "error"') :])
    assert error["error"] == code
    assert "ersion" in error["message"]
    assert error["hint"]
    assert "Traceback" not in told.stderr
    assert path.read_bytes() == before
    if pattern != "dedup/*.ids":  # which a start opens, and no command
        doctor = node.weir("doctor", "--data", str(node.directory), "--json")
        found = {each["what"]: each for each in json.loads(doctor.stdout)}["contents"]
        assert (doctor.returncode, found["state"], found["seen"]) == (1, "failed", error["message"])


def test_commands_tell_a_newer_database_in_one_sentence(stopped_node: Node) -> None:
    """Those that open the databases of a node that does not run."""
    node = stopped_node
    folder = ("--data", str(node.directory))
    for name, commands in (
        ("catalog.db", [("ledger",), ("files",), ("dead-letters", "list")]),
        ("control.db", [("keys", "list"), ("projects", "create", "x"), ("files",)]),
    ):
        kept = (node.directory / name).read_bytes()
        _newer_revision(node.directory / name)
        for command in commands:
            told = node.weir(*command, *folder)
            assert (told.returncode, told.stdout) == (1, "")
            assert told.stderr.startswith(f"Error: The database {node.directory / name} was")
            assert len(told.stderr.splitlines()) == 2
        (node.directory / name).write_bytes(kept)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format_version":"1"}', "\0"])
def test_a_damaged_node_file_is_told(tmp_path: Path, text: str) -> None:
    """It holds the epoch, so it is not simply made anew."""
    node = Node(tmp_path / "node", {})
    node.directory.mkdir()
    (node.directory / "node.json").write_text(text)
    told = serve(node)
    assert told.returncode == 1
    assert "is not what a node wrote" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    """By serve and by the commands that make a node; nothing there is touched."""
    node = Node(tmp_path / "photos", {})
    (node.directory / "run").mkdir(parents=True)
    (node.directory / "run" / "mine").write_text("kept")
    for told in (
        serve(node),
        node.weir("projects", "create", "shop", "--data", str(node.directory)),
    ):
        assert told.returncode == 1
        assert "holds something else" in told.stderr
        assert "--data" in told.stderr
    assert [path.name for path in node.directory.iterdir()] == ["run"]
    assert (node.directory / "run" / "mine").read_text() == "kept"


def test_a_new_file_system_and_one_that_a_command_began_are_fine(tmp_path: Path) -> None:
    """lost+found is nobody's; weir keys create comes before the first start."""
    node = Node(tmp_path / "disk", {"WEIR_WORKERS": "1"})
    (node.directory / "lost+found").mkdir(parents=True)
    assert node.weir("projects", "create", "shop", "--data", str(node.directory)).returncode == 0
    node.start()
    assert node.stop() == 0


def test_a_refused_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """The address is taken: the directory that was to be made is not there."""
    node = Node(tmp_path / "new", {})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = node.weir("serve", "--data", str(node.directory), "--port", port)
    assert told.returncode == 1
    assert told.stderr.count(port) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    """It is said as such."""
    node = Node(tmp_path / "file", {})
    node.directory.write_text("")
    told = serve(node)
    assert told.returncode == 1
    assert "it is a file" in told.stderr
    assert "Traceback" not in told.stderr
