"""``weir keys change``, and what a list tells of a key."""

import json
from typing import Any

import pytest

from tests.unit.cli.fakes import Run

BOUND = [
    *("--network", "10.0.0.0/8", "--network", "192.0.2.7"),
    *("--origin", "https://www.Example.org:443", "--requests-per-minute", "60"),
    *("--events-per-minute", "none", "--expires", "2060-01-31T10:30:00", "--name", "guest"),
]


def make(run: Run, *arguments: str) -> dict[str, Any]:
    """A new key in ``d``, as JSON."""
    made: dict[str, Any] = json.loads(
        run("keys", "create", "--data", "d", "--json", *arguments).stdout
    )
    return made


def change(run: Run, key_id: str, *arguments: str) -> dict[str, Any]:
    """The key after a change, as JSON."""
    changed: dict[str, Any] = json.loads(
        run("keys", "change", key_id, "--data", "d", "--json", *arguments).stdout
    )
    return changed


def listed(run: Run, key_id: str) -> dict[str, str]:
    """The key's line of the table by column."""
    lines = run("keys", "list", "--data", "d").stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    return dict(zip(rows[0], next(row for row in rows if row[0] == key_id), strict=True))


def test_list_tells_what_a_key_is_bound_to(run: Run) -> None:
    """Networks, origins, limits and the end; what a key does not say itself is empty."""
    bound = listed(run, make(run, *BOUND)["id"])
    assert bound["networks"] == "10.0.0.0/8 192.0.2.7/32"
    assert bound["origins"] == "https://www.example.org"
    assert (bound["requests_per_minute"], bound["events_per_minute"]) == ("60", "none")
    assert bound["state"] == "live until 2060-01-31T10:30:00Z"
    free = listed(run, make(run)["id"])
    assert [free[name] for name in ("networks", "origins", "requests_per_minute")] == [""] * 3
    assert (free["events_per_minute"], free["state"]) == ("", "live")


def test_no_limit_and_the_tenants_limit_are_told_apart(run: Run) -> None:
    """In JSON null is no limit, the word is the tenant's; they can be given as they are shown."""
    made = make(run, "--events-per-minute", "none")
    assert (made["requests_per_minute"], made["events_per_minute"]) == ("tenant", None)
    limits = ("--requests-per-minute", "none", "--events-per-minute", "tenant")
    changed = change(run, made["id"], *limits)
    assert (changed["requests_per_minute"], changed["events_per_minute"]) == (None, "tenant")


def test_every_option_of_a_change_reaches_the_key(run: Run) -> None:
    """And a word takes back each that can be missing, so that the key is as it was made."""
    made = make(run)
    text = made.pop("key")
    changed = change(run, made["id"], "--scopes", "query,ingest", *BOUND)
    assert changed["scopes"] == ["ingest", "query"]
    assert changed["networks"] == ["10.0.0.0/8", "192.0.2.7/32"]
    assert changed["origins"] == ["https://www.example.org"]
    assert (changed["requests_per_minute"], changed["events_per_minute"]) == (60, None)
    assert (changed["expires_at"], changed["name"]) == ("2060-01-31T10:30:00Z", "guest")
    back = change(
        run,
        made["id"],
        *("--scopes", "ingest", "--network", "none", "--origin", "none", "--name", ""),
        *("--requests-per-minute", "tenant", "--events-per-minute", "tenant"),
        *("--expires", "none", "--endpoint", "default"),
    )
    assert back == made
    assert text not in json.dumps(back)


def test_change_is_told_to_a_person(run: Run) -> None:
    """What the key has now, a field a line; not its text."""
    made = make(run, "--events-per-minute", "5")
    told = run("keys", "change", made["id"], "--scopes", "ingest,query", "--data", "d").stdout
    assert made["id"] in told
    assert "  scopes: ingest query\n" in told
    assert "  events_per_minute: 5\n" in told
    assert made["key"] not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--network", "10.0.0.1", "--network", "none"),
        ("--origin", "https://*.example.org"),
        ("--scopes", "everything"),
        ("--scopes", ""),
        ("--expires", "2020-01-01"),
        ("--expires", "tomorrow"),
        ("--events-per-minute", "plan"),
        ("--name", "a\nb"),
    ],
)
def test_wrong_change_is_a_wrong_command_line(arguments: tuple[str, ...], run: Run) -> None:
    """The option is named, and the key is as it was."""
    made = make(run)
    before = listed(run, made["id"])
    result = run("keys", "change", made["id"], "--data", "d", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert arguments[0] in result.stderr
    assert listed(run, made["id"]) == before


def test_public_key_is_not_widened(run: Run) -> None:
    """What only the node knows of a key is told at the same option."""
    made = make(run, "--public")
    result = run("keys", "change", made["id"], "--scopes", "ingest,query", "--data", "d")
    assert result.exit_code == 2
    assert "--scopes" in result.stderr
    assert "public key" in result.stderr


def test_import_says_which_scopes_a_key_needs(run: Run) -> None:
    """Before the only mistake that used to be final."""
    told = run("keys", "import", "--help").stdout
    assert "ingest,query" in told
    assert "weir keys change" in told
