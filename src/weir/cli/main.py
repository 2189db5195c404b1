"""``weir``: finds the command and loads only its module, so that help comes at once."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import click

from weir import __version__
from weir.cli.command import JSON_WANTED, usage_told


class CommandEntry(NamedTuple):
    """Where a command lives below ``weir.cli``, and its line in the list."""

    module: str
    words: str


COMMANDS: Mapping[str, CommandEntry] = {
    "serve": CommandEntry("processes.serve", "Start a node and keep it running."),
    "send": CommandEntry("send.send", "Send the events of FILE, one JSON object a line."),
    "query": CommandEntry(
        "events.query", "Run one SELECT over the table events and print its rows."
    ),
    "tail": CommandEntry("events.tail", "Print events as they become visible, until Ctrl-C."),
    "trace": CommandEntry(
        "events.trace", "Show what became of one event, and every time it was sent."
    ),
    "files": CommandEntry(
        "events.files", "Print the paths of the Parquet files that hold a project's events now."
    ),
    "ledger": CommandEntry("events.ledger", "Show what became of all events of a node."),
    "dead-letters": CommandEntry(
        "events.dead_letters", "List, show and replay accepted requests that could not become rows."
    ),
    "backup": CommandEntry("backup.backup", "Copy a node into DIR, whether it runs or not."),
    "restore": CommandEntry("backup.restore", "Make a node out of the backup in DIR."),
    "keys": CommandEntry("operator.keys", "Create, import, change, list and revoke API keys."),
    "tokens": CommandEntry("operator.tokens", "List and rotate the keys that sign access tokens."),
    "tenants": CommandEntry("operator.tenants", "Create, list and change tenants."),
    "plans": CommandEntry("operator.plans", "Create, list and change plans."),
    "projects": CommandEntry("operator.projects", "Create and list projects."),
    "doctor": CommandEntry(
        "doctor.doctor", "Look at the disk, the machine and the settings, and say what to do."
    ),
    "completion": CommandEntry(
        "completion", "Print what makes bash, zsh or fish complete these commands."
    ),
    "config": CommandEntry("config", "Show every setting, its value and where that came from."),
}
"""Every command that help shows, in this order."""

PROCESSES = ("edge", "loader", "api", "merge")
"""Processes of a node that can be run alone; ``weir serve`` starts them by itself."""


class Commands(click.Group):
    """The list of commands; a command's module is imported when the command is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Notes ``--json`` first, so that even a wrong command line can be told as JSON."""
        ctx.meta[JSON_WANTED] = "--json" in args
        with usage_told():
            if args[:1] == ["--json"]:
                raise click.UsageError("--json stands after the command.", ctx)
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command that is named; its wrong command lines end here."""
        with usage_told():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; one that is mistyped is told with what it may have meant."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            like = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {like[0]!r}?" if like else ""
            ctx.fail(f"No such command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that help shows, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None for a name that is not one."""
        if cmd_name in PROCESSES:
            module = f"processes.{cmd_name}"
        elif cmd_name in COMMANDS:
            module = COMMANDS[cmd_name].module
        else:
            return None
        loaded = import_module(f"weir.cli.{module}")
        command: click.Command = getattr(loaded, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list from the table, without importing a single command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.words) for name, command in COMMANDS.items()])


@click.command(cls=Commands)
@click.version_option(__version__, prog_name="weir", message="%(prog)s %(version)s")
def main() -> None:
    """Weir takes events over HTTP, keeps them safe on disk and answers SQL within a second.

    Every command takes --json, after its name. Exit codes: 0 done, 1 failed, 2 wrong command
    line, 3 credential refused, 4 not available now (try again), 5 some events were rejected,
    6 rows were cut off, 130 interrupted.
    """
