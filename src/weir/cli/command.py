"""What every command shares: an error becomes words, a next step and an exit code."""

import contextlib
import sys
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import click

from weir.errors import (
    Forbidden,
    InvalidInput,
    LimitExceeded,
    Unauthenticated,
    Unavailable,
    WeirError,
)

JSON_WANTED = "weir.json"
"""In the context's ``meta``: whether the command line says --json, known before it is parsed."""


class Exit(IntEnum):
    """Exit codes, for scripts; 2 is click's own."""

    DONE = 0
    FAILED = 1
    WRONG_COMMAND_LINE = 2
    CREDENTIAL_REFUSED = 3
    NOT_AVAILABLE = 4
    EVENTS_REJECTED = 5
    ROWS_CUT_OFF = 6
    INTERRUPTED = 130


EXIT_WORDS = {
    Exit.DONE: "Done.",
    Exit.FAILED: "Failed; the words on standard error say what to do.",
    Exit.WRONG_COMMAND_LINE: "The command line is wrong; nothing was done.",
    Exit.CREDENTIAL_REFUSED: "The API key is missing, unknown, or lacks the scope.",
    Exit.NOT_AVAILABLE: "Not now: the node is not there, or a limit is reached. Try again later.",
    Exit.EVENTS_REJECTED: "`weir send`: some events were rejected, all others are on disk.",
    Exit.ROWS_CUT_OFF: "`weir query` into a file or a pipe: there are more rows than `--limit`, or "
    "nobody said whether there are. What was written is whole in itself.",
    Exit.INTERRUPTED: "Ctrl-C. `weir tail` and `weir serve` end with 0 then: that is how they end.",
}


class Command(click.Command):
    """A command whose ``WeirError`` is told on standard error, as JSON with ``--json``.

    Ctrl-C ends it without further words.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a ``WeirError`` ends it with the exit code of its kind."""
        try:
            return super().invoke(ctx)
        except WeirError as error:
            self._blame_option(ctx, error)
            report_error(error)
            ctx.exit(_exit_code(error))
        except KeyboardInterrupt:
            ctx.exit(Exit.INTERRUPTED)

    def _blame_option(self, ctx: click.Context, error: WeirError) -> None:
        """Raises click's error when a detail names a field that stands on the command line."""
        fields = {detail.get("field"): detail for detail in error.details or ()}
        for param in self.params:
            if param.name in fields:
                words = f"{fields[param.name]['message']}."
                raise click.BadParameter(words, ctx=ctx, param=param) from error


class CommandGroup(click.Group):
    """A command with subcommands, each of which is a ``Command``."""

    command_class = Command


def tell(words: str) -> None:
    """Writes a note for a person to standard error, a line; with ``--json`` a line of JSON."""
    if wants_json():
        import msgspec

        words = msgspec.json.encode({"note": words}).decode()
    click.echo(words, err=True)


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Around work that the same command takes up again: Ctrl-C says so."""
    try:
        yield
    except KeyboardInterrupt:
        tell("The same command goes on.")
        raise


@contextlib.contextmanager
def usage_told() -> Iterator[None]:
    """With ``--json`` a wrong command line is told as JSON too."""
    try:
        yield
    except click.UsageError as error:
        if not wants_json():
            raise
        path = error.ctx.command_path if error.ctx else "weir"
        report_error(
            InvalidInput(
                error.format_message(), code="wrong_command_line", hint=f"Try: {path} --help"
            )
        )
        raise click.exceptions.Exit(Exit.WRONG_COMMAND_LINE) from None


def wants_json() -> bool:
    """Whether the command that runs was called with ``--json``."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(JSON_WANTED))


def report_error(error: WeirError) -> None:
    """Writes what happened and what to do next to standard error, as JSON with ``--json``."""
    if wants_json():
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
        case Unauthenticated() | Forbidden() if error.code != "forbidden_query":
            return Exit.CREDENTIAL_REFUSED
        case Unavailable() | LimitExceeded():
            return Exit.NOT_AVAILABLE
        case _:
            return Exit.FAILED
