"""What every command shares: an error becomes words, a next step and an exit code."""

import sys
from enum import IntEnum
from typing import Any

import click

from weir.errors import Forbidden, LimitExceeded, Unauthenticated, Unavailable, WeirError


class Exit(IntEnum):
    """Exit codes, for scripts; 2 is click's own."""

    DONE = 0
    FAILED = 1
    WRONG_COMMAND_LINE = 2
    CREDENTIAL_REFUSED = 3
    NOT_AVAILABLE = 4
    EVENTS_REJECTED = 5


EXIT_WORDS = {
    Exit.DONE: "Done.",
    Exit.FAILED: "Failed; the words on standard error say what to do.",
    Exit.WRONG_COMMAND_LINE: "The command line is wrong; nothing was done.",
    Exit.CREDENTIAL_REFUSED: "The API key is missing, unknown, or lacks the scope.",
    Exit.NOT_AVAILABLE: "Not now: the node is not there, or a limit is reached. Try again later.",
    Exit.EVENTS_REJECTED: "`weir send`: some events were rejected, all others are on disk.",
}


class Command(click.Command):
    """A command whose ``WeirError`` is told on standard error, as JSON with ``--json``."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a ``WeirError`` ends it with the exit code of its kind."""
        try:
            return super().invoke(ctx)
        except WeirError as error:
            report_error(error, as_json=bool(ctx.params.get("as_json")))
            ctx.exit(_exit_code(error))


class CommandGroup(click.Group):
    """A command with subcommands, each of which is a ``Command``."""

    command_class = Command


def report_error(error: WeirError, *, as_json: bool) -> None:
    """Writes what happened and what to do next to standard error."""
    if as_json:
        from weir.cli.output import encode_json

        told = {"error": error.code, "message": error.message}
        if error.hint:
            told["hint"] = error.hint
        sys.stderr.write(encode_json(told))
        return
    lines = [f"Error: {error.message}"]
    if error.hint:
        lines.append(f"  {error.hint}")
    sys.stderr.write("\n".join(lines) + "\n")


def _exit_code(error: WeirError) -> Exit:
    match error:
        case Unauthenticated() | Forbidden():
            return Exit.CREDENTIAL_REFUSED
        case Unavailable() | LimitExceeded():
            return Exit.NOT_AVAILABLE
        case _:
            return Exit.FAILED
