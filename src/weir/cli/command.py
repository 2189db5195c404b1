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

    So is what the system refuses: which file, and why. Ctrl-C ends it without further words.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes the command line apart; texts must be UTF-8, names of files may be any bytes."""
        rest = super().parse_args(ctx, args)
        for param in self.get_params(ctx):
            given = ctx.params.get(param.name or "")
            texts = given if isinstance(given, tuple) else (given,)
            if not _is_file(param) and not all(map(is_plain_text, map(str, texts))):
                raise click.BadParameter("It is not UTF-8 text.", ctx=ctx, param=param)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a ``WeirError`` ends it with the exit code of its kind."""
        try:
            with self._refusals_told():
                return super().invoke(ctx)
        except WeirError as error:
            self._blame_option(ctx, error)
            report_error(error)
            ctx.exit(_exit_code(error))
        except KeyboardInterrupt:
            ctx.exit(Exit.INTERRUPTED)

    @contextlib.contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """Raises what the system refuses as ``InvalidInput``.

        A process of a node tells permissions alone: of anything else its log has to say where.
        """
        try:
            yield
        except BrokenPipeError:  # who reads has gone: click ends quietly
            raise
        except OSError as error:
            if self.hidden and not isinstance(error, PermissionError):
                raise
            raise _refusal(error) from error

    def _blame_option(self, ctx: click.Context, error: WeirError) -> None:
        """Raises click's error when a detail names a field that stands on the command line."""
        fields = {detail.get("field"): detail for detail in error.details or ()}
        for param in self.params:
            if param.name in fields:
                words = f"{fields[param.name]['message']}."
                raise click.BadParameter(words, ctx=ctx, param=param) from error


def is_plain_text(text: str) -> bool:
    """Whether a text of the command line was UTF-8; of what was not, bytes stand in it as they are
    (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def read_text(characters_max: int | None = None) -> str:
    """What stands on standard input; ``InvalidInput`` when it is not UTF-8.

    Of a longer text than ``characters_max`` a part that is longer, too.
    """
    if sys.stdin is None:
        raise InvalidInput("There is no standard input to read from.")
    content = sys.stdin.buffer.read(-1 if characters_max is None else 4 * characters_max + 4)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Standard input is not UTF-8 text: see byte {error.start + 1}."
        ) from error


class CommandGroup(click.Group):
    """A command with subcommands, each of which is a ``Command``."""

    command_class = Command


def tell(words: str) -> None:
    """Writes a note for a person to standard error, a line; with ``--json`` a line of JSON."""
    if wants_json():
        import msgspec

        words = msgspec.json.encode({"note": _shown(words)}).decode()
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

        told = {"error": error.code, "message": _shown(error.message)}
        if error.hint:
            told["hint"] = _shown(error.hint)
        sys.stderr.write(encode_json(told))
        return
    lines = [f"Error: {error.message}"]
    if error.hint:
        lines.append(f"  {error.hint}")
    sys.stderr.write(_shown("\n".join(lines)) + "\n")


def _refusal(error: OSError) -> InvalidInput:
    from weir.storage.local import refusal_of, working_directory_is_there

    if not working_directory_is_there():
        return InvalidInput(
            "The directory in which this command was called is not there any more.",
            code="file_access",
            hint="Go to another one with: cd",
        )
    return refusal_of(error)


def _is_file(param: click.Parameter) -> bool:
    kind = param.type
    return isinstance(kind, click.File) or (isinstance(kind, click.Path) and not kind.dir_okay)


def _shown(text: str) -> str:
    """The text with what is not UTF-8 in it made visible."""
    return text.encode(errors="backslashreplace").decode()


def _exit_code(error: WeirError) -> Exit:
    match error:
        case Unauthenticated() | Forbidden() if error.code != "forbidden_query":
            return Exit.CREDENTIAL_REFUSED
        case Unavailable() | LimitExceeded():
            return Exit.NOT_AVAILABLE
        case _:
            return Exit.FAILED
