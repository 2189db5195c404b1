"""Operator's commands on a node that does not run: what scripts rely on."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Run
from weir.domain.keys import is_mistyped

IMPORTED = "nm_live_abcdefghijklmnop"


def test_created_key_is_printed_once_as_json(run: Run) -> None:
    """The object has the key's text under ``key``, and the scopes that were asked for."""
    arguments = ["--data", "d", "--project", "default", "--scopes", "ingest,query", "--json"]
    made = json.loads(run("keys", "create", *arguments).stdout)
    assert made["key"].startswith("sk_live_")
    assert not is_mistyped(made["key"])
    assert made["scopes"] == ["ingest", "query"]
    listed = run("keys", "list", "--data", "d", "--json").stdout
    assert made["id"] in {key["id"] for key in json.loads(listed)}
    assert made["key"] not in listed


def test_created_key_stands_alone_on_standard_output(run: Run) -> None:
    """``KEY=$(weir keys create)`` works; the words for a person go to standard error."""
    result = run("keys", "create", "--data", "d", "--public", "--test", "--name", "web")
    assert result.stdout.startswith("pk_test_")
    assert len(result.stdout.splitlines()) == 1
    assert "not shown again" in result.stderr


def test_key_options_reach_the_key(run: Run) -> None:
    """Limits, lists and the expiry are kept as given; a date is midnight UTC."""
    result = run(
        *("keys", "create", "--data", "d", "--json", "--network", "10.0.0.0/8"),
        *("--origin", "https://a.example", "--origin", "https://b.example"),
        *("--requests-per-minute", "60", "--events-per-minute", "none"),
        *("--expires", "2060-01-31"),
    )
    made = json.loads(result.stdout)
    assert made["networks"] == ["10.0.0.0/8"]
    assert made["origins"] == ["https://a.example", "https://b.example"]
    assert made["requests_per_minute"] == 60
    assert made["events_per_minute"] is None
    assert made["expires_at"] == "2060-01-31T00:00:00Z"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--scopes", "ingest,everything"),
        ("--events-per-minute", "0"),
        ("--expires", "tomorrow"),
        ("--expires", "2020-01-01"),
        ("--network", "300.1.1.1"),
        ("--origin", "nonsense"),
        ("--name", "a\nb"),
        ("--scopes", "query", "--public"),
        ("--scopes", ""),
    ],
)
def test_wrong_value_is_a_wrong_command_line(arguments: tuple[str, ...], run: Run) -> None:
    """Nothing is made of a value that is not understood, and the option is named."""
    result = run("keys", "create", "--data", "d", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert not Path("d").exists()


def test_imported_key_comes_from_standard_input(run: Run) -> None:
    """A key never stands on the command line, and its text is not repeated."""
    result = run("keys", "import", "--data", "d", "--json", input=f"{IMPORTED}\n")
    assert json.loads(result.stdout)["last_four"] == "mnop"
    assert IMPORTED not in result.output
    again = run("keys", "import", "--data", "d", "--json", input=IMPORTED)
    assert again.exit_code == 1
    assert json.loads(again.stderr)["error"] == "key_known"


@pytest.mark.parametrize(
    "text", [f"{IMPORTED}\nnm_live_second_key_here\n", "nm_live two words here"]
)
def test_text_that_is_not_one_key_is_not_imported(text: str, run: Run) -> None:
    """A second line is not dropped, and no node is made for the mistake."""
    result = run("keys", "import", "--data", "d", input=text)
    assert result.exit_code == 1
    assert IMPORTED not in result.output
    assert not Path("d").exists()


@pytest.mark.parametrize("command", ["tenants create", "projects create", "plans create"])
def test_wrong_slug_is_a_wrong_command_line(command: str, run: Run) -> None:
    """Said before a directory becomes a node."""
    result = run(*command.split(), "Not A Slug", "--data", "d")
    assert result.exit_code == 2
    assert "SLUG" in result.stderr
    assert not Path("d").exists()


@pytest.mark.parametrize(
    "command", ["tenants change default", "plans change default", "keys change key_0"]
)
def test_change_of_nothing_is_a_wrong_command_line(command: str, run: Run) -> None:
    """Nothing is called changed that was not."""
    run("keys", "create", "--data", "d")
    result = run(*command.split(), "--data", "d")
    assert (result.exit_code, result.stdout) == (2, "")


def test_key_that_ends_is_shown_with_its_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then it works; afterwards it is called expired."""
    run("keys", "create", "--data", "d", "--expires", "2060-01-31T10:30:00", "--name", "guest")
    assert "until 2060-01-31T10:30:00Z" in run("keys", "list", "--data", "d").stdout
    later = datetime(2061, 1, 1, tzinfo=UTC)
    monkeypatch.setattr("weir.cli.operator.keys.to_datetime", lambda _: later)
    assert "expired 2060-01-31T10:30:00Z" in run("keys", "list", "--data", "d").stdout


def test_revoked_key_is_shown_as_revoked(run: Run) -> None:
    """Revoking takes the id that list shows."""
    key_id = json.loads(run("keys", "create", "--data", "d", "--json").stdout)["id"]
    assert run("keys", "revoke", key_id, "--data", "d").exit_code == 0
    lines = run("keys", "list", "--data", "d").stdout.splitlines()
    assert [line.split("\t")[-1] for line in lines if key_id in line] == ["revoked"]


def test_unknown_key_is_an_error_with_a_next_step(run: Run) -> None:
    """What cannot be found is said, with what to do, and the exit code is 1."""
    run("keys", "create", "--data", "d")
    result = run("keys", "revoke", "key_0000000000000000", "--data", "d")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "List the keys" in result.stderr


def test_project_of_a_new_tenant_can_have_a_key(run: Run) -> None:
    """Tenant, project, key: each command's result is what the next one takes."""
    tenant = json.loads(run("tenants", "create", "acme", "--data", "d", "--json").stdout)
    assert (tenant["slug"], tenant["active"]) == ("acme", True)
    project = ("projects", "create", "web", "--tenant", "acme", "--data", "d", "--json")
    made = json.loads(run(*project).stdout)
    assert made["tenant"] == "acme"
    assert (made["number"], made["tenant_number"]) > (1, 1)
    key = ("keys", "create", "--tenant", "acme", "--project", "web", "--data", "d", "--json")
    assert json.loads(run(*key).stdout)["project"] == "web"
    listed = json.loads(run("keys", "list", "--tenant", "acme", "--data", "d", "--json").stdout)
    assert len(listed) == 1
    assert len(run("projects", "list", "--tenant", "acme", "--data", "d").stdout.splitlines()) == 2


def test_tenant_change_touches_only_what_is_given(run: Run) -> None:
    """A limit stays until it is set, and ``none`` takes it away."""
    limits = ("--events-per-minute", "10", "--events-per-month", "1000")
    run("tenants", "create", "acme", "--data", "d", *limits)
    change = ("tenants", "change", "acme", "--data", "d", "--json")
    off = json.loads(run(*change, "--inactive").stdout)
    assert (off["active"], off["events_per_minute"], off["events_per_month"]) == (False, 10, 1000)
    free = json.loads(run(*change, "--events-per-minute", "none").stdout)
    assert (free["active"], free["events_per_minute"]) == (False, None)
    assert "acme" in run("tenants", "list", "--data", "d").stdout


def test_plan_of_a_tenant_is_what_it_does_not_say_itself(run: Run) -> None:
    """``plan`` gives a limit back to the plan, ``none`` lifts it whatever the plan says."""
    made = run("plans", "create", "pro", "--events-per-minute", "100", "--data", "d", "--json")
    assert json.loads(made.stdout)["events_per_minute"] == 100
    create = ("tenants", "create", "acme", "--plan", "pro", "--data", "d", "--json")
    assert json.loads(run(*create).stdout)["events_per_minute"] == 100
    change = ("tenants", "change", "acme", "--data", "d", "--json")
    for word, shown, overrides in (("none", None, ["events_per_minute"]), ("plan", 100, [])):
        changed = json.loads(run(*change, "--events-per-minute", word).stdout)
        assert (changed["events_per_minute"], changed["overrides"]) == (shown, overrides)
    raised = run("plans", "change", "pro", "--events-per-minute", "200", "--data", "d")
    assert raised.exit_code == 0
    rows = [line.split("\t") for line in run("tenants", "list", "--data", "d").stdout.splitlines()]
    assert dict(zip(rows[0], rows[2], strict=True))["events_per_minute"] == "200"
    assert len(run("plans", "list", "--data", "d").stdout.splitlines()) == 3


def test_word_that_is_no_limit_is_a_wrong_command_line(run: Run) -> None:
    """A plan has no plan to follow."""
    result = run("plans", "create", "pro", "--events-per-minute", "plan", "--data", "d")
    assert result.exit_code == 2
    assert "nor 'none'" in result.stderr
    assert not Path("d").exists()


NEED_A_NODE = [
    "keys list",
    "keys revoke key_0",
    "keys change key_0 --name x",
    "tenants list",
    "tenants change default --inactive",
    "projects list",
    "plans list",
    "plans change default --events-per-month 1",
]


@pytest.mark.parametrize("command", NEED_A_NODE)
def test_mistyped_directory_does_not_become_a_node(command: str, run: Run) -> None:
    """Commands that look at or change what is there make nothing, and say what to do."""
    result = run(*command.split(), "--data", "typo", "--json")
    told = json.loads(result.stderr)
    assert (result.exit_code, result.stdout, told["error"]) == (1, "", "node_not_found")
    assert "--data" in told["hint"]
    assert not Path("typo").exists()


def test_new_node_is_announced_once(run: Run) -> None:
    """Who stands in the wrong folder sees that a node was made there, and where."""
    words = f"Made a new node in {Path('d').absolute()}."
    assert words in run("keys", "create", "--data", "d").stderr
    assert words not in run("keys", "create", "--data", "d").stderr


MAKE_A_NODE = [
    "keys create",
    "keys import",
    "tenants create acme",
    "projects create web",
    "plans create pro",
]


@pytest.mark.parametrize("command", MAKE_A_NODE)
def test_log_lines_never_stand_in_the_result(command: str, tmp_path: Path) -> None:
    """The first run of a directory is logged to standard error, here at a level that shows it."""
    program = (
        "import sys; from weir.cli.operator import control; from weir.cli.main import main;"
        "configure = control.configure_logging;"
        "control.configure_logging = lambda **asked: configure(**asked | {'level': 'debug'});"
        "main(sys.argv[1:])"
    )
    arguments = [sys.executable, "-c", program, *command.split(), "--data", "d", "--json"]
    ended = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, check=True, input=IMPORTED
    )
    assert json.loads(ended.stdout)
    assert "first_run" in ended.stderr


@pytest.mark.parametrize("command", [*NEED_A_NODE, *MAKE_A_NODE])
def test_logging_is_set_up_before_control_opens(
    command: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is logged while the state opens has its way to standard error."""
    seen: list[bool] = []

    def configure(**_: object) -> None:
        seen.append(Path("d").exists())

    monkeypatch.setattr("weir.cli.operator.control.configure_logging", configure)
    run(*command.split(), "--data", "d", input=IMPORTED)
    assert seen == [False]


def test_standard_output_is_json_and_nothing_else(tmp_path: Path) -> None:
    """The first run of a directory logs, but never into what a script reads."""
    command = [sys.executable, "-m", "weir", "keys", "create", "--data", "d", "--json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["key"]
    assert json.loads(ended.stderr) == {"note": f"Made a new node in {tmp_path / 'd'}."}


def test_token_keys_are_rotated_and_listed(run: Run) -> None:
    """None before the first token; the old one stays a day, or goes at once; never a secret."""
    missing = run("tokens", "list", "--data", "d")
    assert (missing.exit_code, Path("d").exists()) == (1, False)
    run("keys", "create", "--data", "d")
    assert json.loads(run("tokens", "list", "--data", "d", "--json").stdout) == []
    run("tokens", "rotate", "--data", "d")
    rotated = run("tokens", "rotate", "--data", "d", "--json")
    old, new = json.loads(rotated.stdout)
    assert (old["signs"], new["signs"], new["ends_at"]) == (False, True, None)
    ends, made = (datetime.fromisoformat(text) for text in (old["ends_at"], new["created_at"]))
    assert ends - made == timedelta(days=1)
    table = run("tokens", "list", "--data", "d").stdout
    assert [line.split("\t")[1] for line in table.splitlines()] == ["signs", "false", "true"]
    [left] = json.loads(run("tokens", "rotate", "--at-once", "--data", "d", "--json").stdout)
    assert left["id"] not in (old["id"], new["id"])
