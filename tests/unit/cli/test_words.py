"""What commands say when something small is amiss."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Run
from weir.cli.command import going_on


def test_a_mistyped_command_gets_a_suggestion(run: Run) -> None:
    """As words and as JSON; one like none gets none."""
    result = run("qurey", "SELECT 1")
    assert result.exit_code == 2
    assert "Did you mean 'query'?" in result.stderr
    told = json.loads(run("tial", "--json").stderr)
    assert "Did you mean 'tail'?" in told["message"]
    assert "Did you mean" not in run("zzzz").stderr


def test_changed_tenant_is_told_with_the_limits_in_force(run: Run) -> None:
    """Its own and its plan's, and what it has used."""
    run("tenants", "create", "acme", "--data", "node")
    result = run(
        "tenants", "change", "acme", "--events-per-month", "500", "--data", "node"
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert "  events_per_month: 500 (its own)" in lines
    assert "  requests_per_minute: no limit" in lines
    assert "  events_this_month: 0" in lines


def test_replaying_all_of_no_dead_letters_says_so(run: Run) -> None:
    """It is no error, and needs no node that runs."""
    run("projects", "create", "shop", "--data", "node")
    result = run("dead-letters", "replay", "--all", "--data", "node")
    assert result.exit_code == 0
    assert "No dead letters." in result.stderr


def test_mistaken_settings_carry_a_hint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, then what to do."""
    monkeypatch.setenv("WEIR_PORT", "x")
    result = run("config", "--json")
    told = json.loads(result.stderr)
    assert told["error"] == "invalid_settings"
    assert "settings.md" in told["hint"]


def test_interrupted_work_that_can_go_on_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """And is interrupted all the same."""
    with pytest.raises(KeyboardInterrupt), going_on():
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "The same command goes on.\n"


def test_interrupted_command_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a traceback or a word."""

    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("weir.cli.config.find_settings", interrupt)
    result = run("config")
    assert (result.exit_code, result.stderr) == (130, "")
    assert not Path("node").exists()
