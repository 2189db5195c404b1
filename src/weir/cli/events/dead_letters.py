"""``weir dead-letters``: accepted frames that could not become rows, and why."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click

from weir.api.routes.operator.projects import LIST_PROJECTS
from weir.catalog.adapter import SqlCatalog
from weir.cli import options
from weir.cli.command import CommandGroup, Exit, tell
from weir.cli.events.replay import replay_letters
from weir.cli.node import find_directory
from weir.cli.operator.control import open_node
from weir.cli.output import print_json, print_table, show
from weir.control.records import ProjectFilter
from weir.domain.frame import Frame
from weir.domain.times import to_datetime
from weir.errors import Corrupt, NotFound
from weir.lake.raw import decode_raw
from weir.lake.records import DeadLetter
from weir.node.directory import Directory
from weir.storage.database import sqlite_url

SHOWN_BYTES_MAX = 20_000
LETTERS_MAX = 10_000


@click.group(cls=CommandGroup, name="dead-letters")
def dead_letters() -> None:
    """List, show and replay accepted requests that could not become rows.

    Nothing of them is lost: their bodies are kept with the raw payloads (raw_retention_days).
    """


@dead_letters.command(name="list")
@click.option("--project", metavar="SLUG", help="Only those of one project.")
@click.option(
    "--limit",
    type=click.IntRange(1, LETTERS_MAX),
    default=100,
    show_default=True,
    help="Greatest number for each project.",
)
@options.data_dir
@options.as_json
def list_letters(project: str | None, limit: int, data_dir: str | None, as_json: bool) -> None:
    """List the newest dead letters of each project."""
    slugs = _projects(data_dir, project)
    letters = _letters(find_directory(data_dir), slugs, limit=limit)
    if as_json:
        print_json([_told(letter, slugs) for letter in letters])
        return
    if not letters:
        tell("There are no dead letters.")
    rows = [
        (_id_of(each), _moment(each), slugs[each.project_id], each.event_count, each.reason)
        for each in letters
    ]
    print_table(("id", "received", "project", "events", "reason"), rows)


@dead_letters.command(name="show")
@click.argument("letter_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Only the body, byte for byte.")
@options.data_dir
@options.as_json
def show_letter(letter_id: str, raw: bool, data_dir: str | None, as_json: bool) -> None:
    """Show one dead letter and the body that was sent.

    ID is as the list shows it: JOURNAL:POSITION.
    """
    directory = find_directory(data_dir)
    slugs = _projects(data_dir, None)
    letter = _find(_letters(directory, slugs, limit=LETTERS_MAX), letter_id)
    body = _frame_of(directory, letter).body
    if raw:
        sys.stdout.buffer.write(body)
        return
    text = body[:SHOWN_BYTES_MAX].decode(errors="backslashreplace")
    if as_json:
        print_json(_told(letter, slugs) | {"body": text, "body_bytes": len(body)})
        return
    for name, value in _told(letter, slugs).items():
        click.echo(f"{name:<12}  {show(value)}")
    click.echo(f"{'body':<12}  {show(text)}")
    if len(body) > SHOWN_BYTES_MAX:
        tell(f"The body has {len(body)} bytes; --raw writes all of them.")


@dead_letters.command(name="replay")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All dead letters, instead of some IDs.")
@click.option("--project", metavar="SLUG", help="With --all: only those of one project.")
@options.data_dir
@options.as_json
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    letter_ids: tuple[str, ...],
    every: bool,
    project: str | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """Decode dead letters again, after an upgrade that understands them.

    The node must run. What decodes now is stored once, with the time at which it came; what does
    not stays a dead letter, and the exit code is 1. Repeating the command does no harm.
    """
    if bool(letter_ids) == every or (project is not None and not every):
        raise click.UsageError("Name IDs, or --all with or without --project.", ctx)
    directory = find_directory(data_dir)
    slugs = _projects(data_dir, project)
    letters = _letters(directory, slugs, limit=LETTERS_MAX)
    chosen = letters if every else [_find(letters, each) for each in dict.fromkeys(letter_ids)]
    if every and not chosen and not as_json:
        tell("No dead letters.")
        return
    fates = list(replay_letters(directory, chosen)) if chosen else []
    if as_json:
        print_json(
            [
                {
                    "id": f"{fate.journal_id}:{fate.position}",
                    "stored": fate.stored,
                    "duplicate": fate.duplicate,
                    "reason": fate.reason,
                }
                for fate in fates
            ]
        )
    else:
        rows = [
            (f"{fate.journal_id}:{fate.position}", fate.stored, fate.duplicate, fate.reason)
            for fate in fates
        ]
        print_table(("id", "stored", "duplicate", "reason"), rows)
    ctx.exit(Exit.FAILED if any(fate.reason for fate in fates) else Exit.DONE)


def _find(letters: Sequence[DeadLetter], letter_id: str) -> DeadLetter:
    for letter in letters:
        if _id_of(letter) == letter_id:
            return letter
    raise NotFound(
        f"There is no dead letter '{letter_id}'.",
        code="dead_letter_not_found",
        hint="weir dead-letters list shows them.",
    )


def _projects(data_dir: str | None, slug: str | None) -> dict[int, str]:
    """Names of projects by number: of one, or of all."""
    with open_node(data_dir) as control:
        found = {item.number: item.slug for item in control.call(LIST_PROJECTS, ProjectFilter())}
    chosen = {number: name for number, name in found.items() if slug in {None, name}}
    if not chosen and slug is not None:
        raise NotFound(f"There is no project '{slug}'.", hint="weir projects list shows them.")
    return chosen


def _letters(
    directory: Directory, projects: Mapping[int, str], *, limit: int
) -> Sequence[DeadLetter]:
    if not directory.catalog_db.exists():
        return []
    catalog = SqlCatalog.open(sqlite_url(directory.catalog_db))
    try:
        found = [each for number in projects for each in catalog.dead_letters(number, limit=limit)]
    finally:
        catalog.close()
    return sorted(found, key=lambda each: each.received_at_us, reverse=True)


def _frame_of(directory: Directory, letter: DeadLetter) -> Frame:
    path = Path(directory.root, letter.raw_path)
    place = (letter.journal_id, letter.position)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"The raw payload file {letter.raw_path} is gone: its time was over.",
            hint="raw_retention_days says how long they are kept.",
        ) from None
    for frame in decode_raw(content):
        if (frame.journal_id, frame.position) == place:
            return frame
    raise Corrupt("The raw payload file does not hold this frame.", path=letter.raw_path)


def _told(letter: DeadLetter, projects: Mapping[int, str]) -> dict[str, object]:
    return {
        "id": _id_of(letter),
        "received_at": _moment(letter),
        "project": projects[letter.project_id],
        "events": letter.event_count,
        "reason": letter.reason,
        "raw_file": letter.raw_path,
    }


def _id_of(letter: DeadLetter) -> str:
    return f"{letter.journal_id}:{letter.position}"


def _moment(letter: DeadLetter) -> datetime:
    return to_datetime(letter.received_at_us)
