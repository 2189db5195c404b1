"""The list of commands, and how fast it comes."""

import json
import subprocess
import sys

import click
import pytest

from tests.unit.cli.fakes import Run
from weir import __version__
from weir.cli.command import Command
from weir.cli.main import COMMANDS, main


def test_help_imports_no_command() -> None:
    """The list of commands comes without the modules that do the work."""
    program = (
        "import sys; from weir.cli.main import main;"
        "main(['--help'], standalone_mode=False);"
        "heavy = {'msgspec', 'httpx', 'rich', 'sqlalchemy', 'pyarrow', 'duckdb', 'structlog'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert all(name in ended.stdout for name in COMMANDS)


def test_every_command_is_described_as_in_its_own_help(run: Run) -> None:
    """The line in the list is the first line of the command's help."""
    context = click.Context(main)
    for name, (_, words) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == words


def _leaves(
    group: click.Group, names: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += _leaves(command, (*names, name))
        else:
            found.append(((*names, name), command))
    return found


@pytest.mark.parametrize(("names", "command"), _leaves(main), ids=str)
def test_every_command_takes_json_and_tells_errors_alike(
    names: tuple[str, ...], command: click.Command
) -> None:
    """A script can rely on --json and on the exit codes everywhere."""
    assert isinstance(command, Command)
    assert "as_json" in {parameter.name for parameter in command.params}
    assert all(
        getattr(parameter, "help", "")
        for parameter in command.params
        if isinstance(parameter, click.Option)
    )


def test_unknown_command_is_a_wrong_command_line(run: Run) -> None:
    """A slip ends with click's own exit code."""
    result = run("serv")
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize(
    "command",
    ["--json query x", "nonsense --json", "keys list --nonsense --json", "query --json --limit 0"],
)
def test_wrong_command_line_is_json_when_asked(command: str, run: Run) -> None:
    """A script can read even a usage error, with the same fields as any other."""
    result = run(*command.split())
    assert result.exit_code == 2
    told = json.loads(result.stderr)
    assert told["error"] == "wrong_command_line"
    assert told["message"]
    assert "--help" in told["hint"]


@pytest.mark.parametrize("arguments", [("--port", "99999"), ("--workers", "65")])
def test_setting_out_of_bounds_is_a_wrong_command_line(
    arguments: tuple[str, str], run: Run
) -> None:
    """An option is held to its setting's bounds before anything starts."""
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_version_is_the_package_s(run: Run) -> None:
    """--version prints the name and the version."""
    assert run("--version").stdout == f"weir {__version__}\n"


def test_wrong_settings_are_told_with_every_problem(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that needs settings tells all mistakes and fails."""
    monkeypatch.setenv("WEIR_PORT", "x")
    monkeypatch.setenv("WEIR_WORKERS", "y")
    result = run("config")
    assert result.exit_code == 1
    assert "WEIR_PORT" in result.stderr
    assert "WEIR_WORKERS" in result.stderr
    assert result.stdout == ""
