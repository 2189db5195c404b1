"""Where commands find their node and their key."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Run
from weir.cli.node import Target, find_target
from weir.errors import InvalidInput, Unauthenticated, Unavailable

OWN_URL = "http://127.0.0.1:8080"


@pytest.fixture
def data_dir(tmp_path: Path) -> str:
    """The directory of a node that runs."""
    directory = tmp_path / "node"
    directory.mkdir()
    (directory / "node.json").write_text(json.dumps({"format_version": 1, "url": OWN_URL}))
    (directory / "first-run.json").write_text(json.dumps({"secret_key": "sk_own"}))
    return str(directory)


def test_directory_gives_address_and_key(data_dir: str) -> None:
    """On the node's machine a command needs nothing but the directory."""
    found = find_target(url=None, key=None, data_dir=data_dir)
    assert found == Target(OWN_URL, "sk_own")


def test_what_is_given_goes_first(data_dir: str) -> None:
    """Address and key of the command line are taken as they are."""
    found = find_target(url="https://weir.example/", key="sk", data_dir=data_dir)
    assert found == Target("https://weir.example", "sk")


def test_own_key_never_leaves_for_another_node(data_dir: str) -> None:
    """The key of the first run is not sent to an address that is not its node's."""
    with pytest.raises(Unauthenticated):
        find_target(url="http://127.0.0.1:9", key=None, data_dir=data_dir)
    assert find_target(url=OWN_URL + "/", key=None, data_dir=data_dir).key == "sk_own"


@pytest.mark.parametrize("key", ["sk_schlüssel", "sk_a\n", "sk a", "„sk“"])
@pytest.mark.parametrize(
    "command",
    [("query", "SELECT 1"), ("tail",), ("trace", "id"), ("send", "-")],
    ids=lambda command: command[0],
)
def test_text_that_cannot_be_a_key_is_refused_in_words(
    run: Run, key: str, command: tuple[str, ...]
) -> None:
    """Before anything is sent, by every command, and without repeating it."""
    result = run(*command, "--url", OWN_URL, "--key", key, input="")
    assert result.exit_code == 3
    assert "characters" in result.stderr
    assert key not in result.stderr


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"])
def test_no_node_is_said(content: bytes | None, tmp_path: Path) -> None:
    """A directory without a readable node.json has no node."""
    if content is not None:
        (tmp_path / "node.json").write_bytes(content)
    with pytest.raises(Unavailable) as caught:
        find_target(url=None, key=None, data_dir=str(tmp_path))
    assert caught.value.code == "node_not_running"


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://weir", "http://", "weir"])
def test_address_must_be_one(url: str) -> None:
    """What is not an HTTP address is refused before anything is sent."""
    with pytest.raises(InvalidInput):
        find_target(url=url, key="sk", data_dir=None)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://192.0.2.1", False),
        ("https://weir.example", False),
    ],
)
def test_local_addresses_need_no_proxy(url: str, local: bool) -> None:
    """Only other machines may be behind a proxy."""
    assert Target(url, "").is_local is local


def test_config_tells_value_and_source(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is told with where it came from; unknown names only warn."""
    monkeypatch.setenv("WEIR_PORT", "9000")
    monkeypatch.setenv("WEIR_PROT", "1")
    result = run("config", "--data", "d", "--json")
    told = json.loads(result.stdout)
    assert told["port"] == {"value": 9000, "source": "environment"}
    assert told["data_dir"] == {"value": "d", "source": "flag"}
    notes = [json.loads(line)["note"] for line in result.stderr.splitlines()]
    assert "WEIR_PROT" in notes[0]
    assert str(Path("d").absolute()) in notes[1]
    assert "port\t9000\tenvironment\n" in run("config").stdout


def test_config_tells_sizes_with_a_unit_and_the_file_it_read(run: Run) -> None:
    """What is shown can be written into the file that is named."""
    assert "none was read" in run("config").stderr
    Path("weir.toml").write_text('event_bytes_max = "2MiB"\n')
    result = run("config")
    assert str(Path("weir.toml").absolute()) in result.stderr
    assert "event_bytes_max\t2MiB\tfile\n" in result.stdout
