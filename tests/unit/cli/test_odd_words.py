"""Words of the command line that are no text, and files that are not what they should be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Run

ODD = "a\udcffb"
"""How Python hands on a byte that is not UTF-8."""


@pytest.mark.parametrize(
    "command",
    [
        ("query", ODD),
        ("trace", ODD),
        ("tail", "--event", ODD),
        ("keys", "create", "--name", ODD),
        ("keys", "create", "--origin", ODD),
        ("keys", "revoke", ODD),
        ("projects", "create", ODD),
        ("query", "SELECT 1", "--url", f"http://{ODD}", "--key", "x"),
        ("query", "SELECT 1", "--key", ODD),
        ("config", "--data", ODD),
        ("doctor", "--data", ODD),
        ("serve", "--host", ODD),
        ("backup", ODD),
        ("restore", ODD, "--data", "new"),
        ("dead-letters", "show", ODD),
    ],
    ids=" ".join,
)
def test_what_is_not_utf8_is_a_wrong_command_line(run: Run, command: tuple[str, ...]) -> None:
    """Told as such, also as JSON; nothing is made."""
    for more in ((), ("--json",)):
        result = run(*command, *more)
        assert result.exit_code == 2
        assert "It is not UTF-8 text." in result.stderr
    assert json.loads(result.stderr)["error"] == "wrong_command_line"
    assert list(Path().iterdir()) == []


def test_a_command_that_is_not_utf8_is_told(run: Run) -> None:
    """As words and as JSON."""
    assert run(ODD).exit_code == 2
    assert "No such command" in json.loads(run(ODD, "--json").stderr)["message"]


def test_a_file_may_have_any_name(run: Run) -> None:
    """Its progress has one too, and what is told of it is readable."""
    Path(ODD).write_bytes(b"x")
    for more in ((), ("--json",)):
        result = run("send", ODD, "--url", "http://127.0.0.1:9", "--key", "k" * 16, *more)
        assert (result.exit_code, "Traceback" in result.stderr) == (5, False)


@pytest.mark.parametrize(
    "command", [("query", "-", "--url", "http://127.0.0.1:9", "--key", "x"), ("keys", "import")]
)
def test_standard_input_that_is_not_utf8_is_told(run: Run, command: tuple[str, ...]) -> None:
    """With the place of the byte."""
    result = run(*command, input=b"SELECT \xff")
    assert result.exit_code == 1
    assert "Standard input is not UTF-8 text: see byte 8." in result.stderr


def test_a_closed_standard_input_is_told(tmp_path: Path) -> None:
    """As a shell closes it with <&-."""
    command = f"{sys.executable} -m weir query - --url http://127.0.0.1:9 --key x <&-"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: There is no standard input")


@pytest.mark.parametrize("name", ["WEIR_DATA_DIR", "WEIR_HOST"])
def test_a_setting_that_is_not_utf8_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With the name of the setting."""
    monkeypatch.setenv(name, ODD)
    result = run("config")
    assert result.exit_code == 1
    assert f"{name} (environment)" in result.stderr
    assert "is not text" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'data_dir = "a\\u0000b"', "is not text"), (b"\xff", "is not valid TOML")],
)
def test_an_odd_settings_file_is_told(run: Run, content: bytes, words: str) -> None:
    """NUL in a text, and bytes that are none."""
    Path("weir.toml").write_bytes(content)
    result = run("config")
    assert result.exit_code == 1
    assert words in result.stderr


def test_settings_in_a_place_that_is_none_are_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WEIR_CONFIG below a file, in a loop of links, or with a name that is too long."""
    Path("loop").symlink_to("loop")
    Path("file").write_text("")
    for named in ("file/x", "loop", "n" * 300):
        monkeypatch.setenv("WEIR_CONFIG", named)
        result = run("config")
        assert (result.exit_code, "WEIR_CONFIG names" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", [("keys", "list"), ("ledger",), ("serve", "--port", "0")])
@pytest.mark.parametrize("named", ["loop", "n" * 300, "file", "file/x"])
def test_a_directory_that_is_none_is_told(run: Run, command: tuple[str, ...], named: str) -> None:
    """A loop of links, a name that is too long, a file."""
    Path("loop").symlink_to("loop")
    Path("file").write_text("")
    result = run(*command, "--data", named)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_a_working_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    """Relative paths lead nowhere then."""
    gone = tmp_path / "gone"
    gone.mkdir()
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    command = f"cd {gone} && rmdir {gone} && {sys.executable} -m weir keys create"
    ended = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, env=environment
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert ended.stderr.startswith("Error: ")
