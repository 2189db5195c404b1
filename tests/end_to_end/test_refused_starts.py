"""What ``weir serve`` does not start on: words, exit code 1, and nothing left behind."""

import socket
import subprocess
from pathlib import Path

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
