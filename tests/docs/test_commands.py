"""Commands that the documents write out are commands, with options that they have."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from weir.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_CALL = re.compile(r"(?:^|[(\s|])(?:\S*/bin/)?weir( (?!ready )[a-z][^`\n]*)$")
_ENDS = {"|", ">", "<", ";", "&&", "&", "2>&1"}


def commands_of(text: str) -> Iterator[list[str]]:
    """The words behind ``weir`` in blocks of shell and in quoted calls."""
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    quoted = re.findall(
        r"`((?:\S*/bin/)?weir [a-z][^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    for line in [*lines, *quoted]:
        found = _CALL.search(re.sub(r"(^|\s)#.*", "", line).strip().removesuffix(")"))
        if found is not None and "…" not in found[1].split("'")[0].replace("key_…", ""):
            words = shlex.split(found[1])
            end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
            yield words[:end]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_commands(page: Path) -> None:
    """Each is there, and takes the options that stand there."""
    if page.name == "CHANGELOG.md":  # tells of earlier versions too
        return
    wrong = [" ".join(words) for words in commands_of(page.read_text()) if not _is_known(words)]
    assert wrong == []


def test_commands_are_found() -> None:
    """In blocks and in the text, with what stands around them taken away."""
    text = (
        "```sh\nKEY=$(.venv/bin/weir keys create --public)\n"
        "weir keys list   # all\necho x | .venv/bin/weir send -\nweir keys import < key.txt\n```\n"
        "See `weir trace EVENT_ID`, or `weir.js`, and `weir keys create --wrong x`."
    )
    found = list(commands_of(text))
    assert found == [
        ["keys", "create", "--public"],
        ["keys", "list"],
        ["send", "-"],
        ["keys", "import"],
        ["trace", "EVENT_ID"],
        ["keys", "create", "--wrong", "x"],
    ]
    assert [_is_known(words) for words in found] == [True, True, True, True, True, False]


def _is_known(words: list[str]) -> bool:
    command: click.Command | None = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command = command.get_command(click.Context(command), rest.pop(0))
    if command is None:
        return False
    if isinstance(command, click.Group):
        return rest in ([], ["--help"])
    try:
        command.make_parser(click.Context(command)).parse_args(rest)
    except click.NoSuchOption:
        return False
    except click.UsageError:  # an argument is left out where only the option matters
        return True
    return True
