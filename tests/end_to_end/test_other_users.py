"""Directories and files of another user, or that cannot be used: a sentence, never a traceback."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, TypeVar

import click
import pytest

from tests.end_to_end.running_node import Node
from weir.cli.main import PROCESSES, main

NOBODY = 65534
REJECTED = 5
"""The exit code of a ``weir send`` whose line is no event."""

CLOSED = [
    *("node.json", "first-run.json", "control.db", "catalog.db", "node.lock", "control.lock"),
    *("loader.lock", "journal", "journal/00", "journal/00/lock", "lake", "raw", "dedup"),
]
OUTSIDE = {"completion", "config", "merge"}
"""Commands that need nothing of a directory."""

MAKING = {"serve", "restore", "keys create", "keys import", "plans create", "projects create",
          "tenants create"}  # fmt: skip
"""Commands that make a new directory."""

ARGUMENTS: Mapping[str, Sequence[str]] = {
    "serve": ["--port", "0"],
    "send": ["-"],
    "query": ["SELECT 1"],
    "tail": [],
    "trace": ["id"],
    "files": [],
    "ledger": [],
    "dead-letters list": [],
    "dead-letters show": ["00:0"],
    "dead-letters replay": ["--all"],
    "backup": ["TARGET"],
    "restore": ["TARGET"],
    "keys create": [],
    "keys import": [],
    "keys list": [],
    "keys change": ["key_x", "--name", "x"],
    "keys revoke": ["key_x"],
    "tokens list": [],
    "tokens rotate": [],
    "tenants create": ["acme"],
    "tenants list": [],
    "tenants change": ["default", "--active"],
    "plans create": ["large"],
    "plans list": [],
    "plans change": ["default", "--events-per-month", "none"],
    "projects create": ["shop"],
    "projects list": [],
    "doctor": [],
    "completion": ["bash"],
    "config": [],
    "edge": [],
    "loader": [],
    "api": [],
    "merge": ["--parent", "1"],
}
"""Every command, with what it needs."""

Asked = TypeVar("Asked")


class Told(TypedDict):
    """What a command said, and the traceback that it must not have."""

    code: int
    text: str
    crash: str


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a second user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter: those of pytest are closed."""
    made = Path(tempfile.mkdtemp(prefix="weir-users-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def directory(place: Path, kept_directory: Path) -> Path:
    """The directory of a node that was stopped; root's."""
    made = place / "node"
    shutil.copytree(kept_directory, made, ignore=shutil.ignore_patterns("run"))
    return made


def _names(group: click.Group, before: tuple[str, ...] = ()) -> list[str]:
    context = click.Context(group)
    names: list[str] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = (*before, name)
        names += _names(command, inner) if isinstance(command, click.Group) else [" ".join(inner)]
    return names


def told(directory: Path, names: Sequence[str]) -> dict[str, Told]:
    """What each command says of the directory when another user calls it."""
    return told_of({name: (name, directory) for name in names})


def told_of(asked: Mapping[Asked, tuple[str, Path]]) -> dict[Asked, Told]:
    """The same of commands and directories, all in one process."""
    lines = [
        [
            *name.split(),
            *(each.replace("TARGET", str(directory.parent / "backup")) for each in ARGUMENTS[name]),
            *(() if name == "completion" else ("--data", str(directory))),
        ]
        for name, directory in asked.values()
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.other_user", str(NOBODY)],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        timeout=580,
        check=True,
    )
    found = dict(zip(asked, json.loads(ended.stdout), strict=True))
    assert {which: each["crash"] for which, each in found.items() if each["crash"]} == {}
    assert "Traceback" not in ended.stderr
    return found


def _touching() -> list[str]:
    return [name for name in ARGUMENTS if name not in OUTSIDE]


def _sentence(text: str) -> str:
    """The line of the error; of ``weir doctor`` the finding about the directory."""
    [line] = [
        each for each in text.splitlines() if each.startswith(("Error: ", "XX  directory"))
    ] or [text]
    return line


def test_every_command_is_tried() -> None:
    """A new one has to say how it is called."""
    assert set(ARGUMENTS) == {*_names(main), *PROCESSES}


def test_a_directory_of_another_user_is_told_by_every_command(directory: Path) -> None:
    """Whose it is, and who asks; nobody is told that no node runs there."""
    directory.chmod(0o700)
    found = told(directory, [*_touching(), "completion", "config"])
    for name in _touching():
        if name == "restore":  # its source comes first
            continue
        assert found[name]["code"] == 1, found[name]
        words = _sentence(found[name]["text"])
        assert "belongs to the user root, and you are nobody" in words, (name, words)
        assert str(directory) in words
    assert (found["completion"]["code"], found["config"]["code"]) == (0, 0)


def test_a_directory_below_one_that_is_closed_is_told_too(directory: Path) -> None:
    """The one that is in the way is named."""
    closed = directory.parent / "closed"
    closed.mkdir(0o700)
    found = told(closed / "node", _touching())
    for name in set(_touching()) - {"restore"}:
        assert found[name]["code"] == 1, found[name]
        assert f"{closed} belongs to the user root" in _sentence(found[name]["text"]), name


def test_files_of_another_user_are_told_by_every_command(directory: Path) -> None:
    """The directory may be entered, what lies in it not be read."""
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    found = told(directory, _touching())
    for name in set(_touching()) - {"restore", "doctor"}:
        assert found[name]["code"] == 1, found[name]
        assert "belongs to the user root" in _sentence(found[name]["text"]), name
    assert found["doctor"]["code"] == 1


def test_a_running_node_of_another_user_is_told_by_every_command(place: Path) -> None:
    """Its sockets are closed to others; it is not waited for."""
    node = Node(place / "node", {"WEIR_WORKERS": "1"})
    node.start()
    try:
        node.directory.chmod(0o755)
        (node.directory / "run").chmod(0o755)
        found = told(node.directory, _touching())
    finally:
        node.end()
    for name in set(_touching()) - {"restore", "doctor"}:
        assert found[name]["code"] == 1, found[name]
        assert "belongs to the user root" in _sentence(found[name]["text"]), (name, found[name])


@pytest.mark.parametrize("closed", CLOSED)
def test_a_single_file_that_is_closed_is_told(directory: Path, closed: str) -> None:
    """By those commands that need it, in one sentence that names it; others do their work."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    (directory / closed).chmod(0)
    idle = {*PROCESSES, "restore", *(("serve",) if closed == "first-run.json" else ())}
    found = told(directory, sorted(set(_touching()) - idle))
    for name, each in found.items():
        refused = each["code"] not in (0, REJECTED) and name != "doctor"
        assert each["text"].count("Error: ") == refused, (name, each)
        if name == "serve":
            assert str(directory / closed) in each["text"], each
            assert "Permission denied" in each["text"], each


def test_a_file_is_no_directory_for_any_command(place: Path) -> None:
    """Nor is what would lie below one."""
    path = place / "file"
    path.write_text("")
    path.chmod(0o644)
    places = {"at": path, "below": path / "below"}
    asked = {
        (name, where): (name, each)
        for name in set(_touching()) - {"restore"}
        for where, each in places.items()
    }
    for (name, where), each in told_of(asked).items():
        assert each["code"] != 0, (name, where, each)
        if where == "at":
            assert "it is a file" in _sentence(each["text"]), (name, each)


def test_a_directory_that_cannot_be_made_is_told(place: Path) -> None:
    """By those that would make one; the others say that there is none."""
    found = told(place / "new" / "node", _touching())
    for name in MAKING - {"restore"}:
        assert found[name]["code"] == 1
        assert f"{place} belongs to the user root" in _sentence(found[name]["text"]), name
    assert "There is no node in" in found["keys list"]["text"]
    assert not (place / "new").exists()


def test_backup_and_restore_tell_whose_their_directories_are(directory: Path) -> None:
    """The target of the one, the source of the other."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    (directory.parent / "backup").mkdir(0o700)
    found = told(directory, ["backup", "restore"])
    for name in ("backup", "restore"):
        assert found[name]["code"] == 1
        assert "belongs to the user root" in _sentence(found[name]["text"]), found[name]
