"""``weir doctor`` beside nodes that are well and directories that are not."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.running_node import Node, StartNode
from tests.unit.ingest.certificates import HAS_OPENSSL, make_certificate


def findings(node: Node, directory: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and what was found by name."""
    told = node.weir("doctor", "--data", str(directory), "--json")
    return told.returncode, {each["what"]: each for each in json.loads(told.stdout)}


def test_a_node_may_be_looked_at_while_it_runs_and_after(start_node: StartNode) -> None:
    """Nothing is changed, everything that matters is named."""
    node = start_node()
    node.send("/v1/ingest", {"event": "a"})
    before = {path.name for path in node.directory.iterdir()}
    code, found = findings(node, node.directory)
    assert code == 0
    assert {"versions", "kernel", "open files", "memory", "clock", "fdatasync"} <= set(found)
    assert "in use" in found["databases"]["seen"]
    assert {path.name for path in node.directory.iterdir()} == before
    assert node.stop() == 0
    code, found = findings(node, node.directory)
    assert code == 0
    assert found["catalog.db"]["state"] == found["control.db"]["state"] == "ok"


def test_what_would_hurt_is_told_with_advice(stopped_node: Node) -> None:
    """A damaged database, a reserve beyond the disk, a directory that everybody can enter."""
    node = stopped_node
    catalog = node.directory / "catalog.db"
    content = bytearray(catalog.read_bytes())
    content[5000:9000] = b"\xff" * 4000
    catalog.write_bytes(content)
    node.directory.chmod(0o755)
    node.settings["WEIR_DISK_RESERVE_BYTES"] = "900TiB"
    node.settings["WEIR_NONSENSE"] = "1"
    code, found = findings(node, node.directory)
    assert code == 1
    states = {name: each["state"] for name, each in found.items()}
    assert states["catalog.db"] == states["room"] == "failed"
    assert states["directory"] == states["settings"] == "warning"
    assert all(each["advice"] for each in found.values() if each["state"] != "ok")


def test_the_address_of_the_running_node_is_its_own(shared_node: Node, tmp_path: Path) -> None:
    """Beside it nothing is amiss; a port that another program has is told once."""
    port = shared_node.url.rsplit(":", 1)[1]
    asking = Node(tmp_path / "none", {"WEIR_PORT": port})
    found = findings(asking, shared_node.directory)[1]
    assert found["address"]["state"] == "ok"
    assert "this node" in found["address"]["seen"]
    other = findings(asking, tmp_path / "other")[1]
    assert other["address"]["state"] == "warning"
    assert other["address"]["seen"].count(port) == 1


@pytest.mark.skipif(not HAS_OPENSSL, reason="needs openssl")
def test_the_certificate_is_looked_at(tmp_path: Path) -> None:
    """Whether it fits its key, and how long it lasts."""
    names = {"WEIR_TLS_CERT": "cert.pem", "WEIR_TLS_KEY": "key.pem"}
    node = Node(tmp_path / "none", {name: str(tmp_path / file) for name, file in names.items()})
    for days, state in ((90, "ok"), (3, "warning")):
        make_certificate(tmp_path, "a", days=days, kind="rsa")
        found = findings(node, node.directory)[1]["certificate"]
        assert (found["state"], f"in {days - 1} days" in found["seen"]) == (state, True)
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path / "other", "b")
    (tmp_path / "other" / "key.pem").rename(tmp_path / "key.pem")
    code, everything = findings(node, node.directory)
    assert code == 1
    assert "not the certificate's" in everything["certificate"]["seen"]


def test_what_is_no_node_is_told_as_such(tmp_path: Path) -> None:
    """No chmod is advised for somebody else's directory, nor for a file."""
    other = tmp_path / "photos"
    other.mkdir(mode=0o755)
    (other / "one.jpg").write_text("")
    (tmp_path / "file").write_text("")
    node = Node(tmp_path / "none", {})
    for directory, words in ((other, "no node"), (tmp_path / "file", "is a file")):
        code, found = findings(node, directory)
        assert code == 1
        assert words in found["directory"]["seen"]
        assert "chmod" not in (found["directory"]["advice"] or "")


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Looking leaves nothing behind."""
    node = Node(tmp_path / "none", {})
    code, found = findings(node, node.directory)
    assert code in {0, 1}  # tmp_path may lie on a file system that is no disk
    assert "not there yet" in found["directory"]["seen"]
    assert list(tmp_path.iterdir()) == []
    told = node.weir("doctor", "--data", str(node.directory))
    assert "fdatasync" in told.stdout
    assert "Traceback" not in told.stderr
