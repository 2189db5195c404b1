"""``weir query``: one SELECT over HTTP, its rows to the terminal, to a file or to a pipe."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import click
import httpx
import msgspec

from weir.cli import options
from weir.cli.command import Command, Exit, read_text, tell
from weir.cli.events.endings import (
    END_BYTES,
    TRUNCATED,
    Lines,
    trailer_in,
    truncated_in_field,
    truncated_in_json,
)
from weir.cli.http import connect, error_of, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import print_table, show
from weir.errors import InvalidInput, Unavailable
from weir.query.request import ROWS_DEFAULT

MEDIA_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
BINARY = {"arrow", "parquet"}
TIMEOUT_S = 3600
"""The node's own deadline ends a query long before."""


class _Meta(msgspec.Struct):
    elapsed_ms: float = 0
    truncated: bool = False
    watermark: str | None = None


class _Table(msgspec.Struct):
    columns: list[str]
    rows: list[list[object]]
    meta: _Meta


@click.command(cls=Command)
@click.argument("sql")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *MEDIA_TYPES]),
    help="Default: table on a terminal, else ndjson.",
)
@click.option("--limit", type=click.IntRange(1), help="Greatest number of rows. Default: 1000.")
@options.node_url
@options.api_key
@options.cacert
@options.data_dir
@options.as_json
def query(
    sql: str,
    form: str | None,
    limit: int | None,
    as_json: bool,
    **where: str | None,
) -> None:
    """Run one SELECT over the table events and print its rows.

    SQL may be -, to read it from standard input. When there are more rows than --limit, standard
    error says so, and into a file or a pipe the command ends with exit code 6.
    """
    if as_json and form not in {None, "json"}:
        raise click.UsageError("--json and --format contradict each other.")
    text = read_text() if sql == "-" else sql
    wanted = "json" if as_json else form or ("table" if sys.stdout.isatty() else "ndjson")
    if wanted in BINARY and sys.stdout.isatty():
        raise InvalidInput(
            f"{wanted} is not for a terminal.", hint="Send it into a file with: > FILE"
        )
    fields: dict[str, object] = {"q": text, "limit": ROWS_DEFAULT if limit is None else limit}
    truncated = _WRITERS.get(wanted, _copy)(find_target(**where), fields, wanted)
    if truncated is not False:
        if wanted != "table":
            tell(_CUT_OFF.format(**fields) if truncated else _UNKNOWN)
        if not sys.stdout.isatty():
            raise click.exceptions.Exit(Exit.ROWS_CUT_OFF)


_CUT_OFF = (
    "Cut off at {limit} rows: there are more. --limit takes more, up to the node's query_rows_max; "
    "weir files names the files that hold all events."
)
_UNKNOWN = (
    "Whether rows were cut off is not known: neither header nor trailer X-Weir-Truncated arrived, "
    "perhaps because of a proxy. json and ndjson say it in the answer itself."
)


class _Reply:
    """A good answer as it comes, and what its header or its trailer says of its end."""

    def __init__(self, reply: httpx.Response) -> None:
        self._reply = reply
        self._end = b""
        # httpx reads trailers and drops them: they are taken from what the network gives it.
        network: Any = reply.extensions["network_stream"]
        read = network.read

        def read_and_note(*arguments: object, **named: object) -> bytes:
            received: bytes = read(*arguments, **named)
            self._end = (self._end + received)[-END_BYTES:]
            return received

        network.read = read_and_note

    def chunks(self) -> Iterator[bytes]:
        """The body."""
        return self._reply.iter_bytes()

    def truncated(self) -> bool | None:
        """Whether rows were left out, once the body has ended; None: nobody said it."""
        told = self._reply.headers.get(TRUNCATED)
        return truncated_in_field(told or trailer_in(self._end, TRUNCATED))


@contextmanager
def _ask(target: Target, fields: dict[str, object], form: str) -> Generator[_Reply]:
    """A good answer; raises the error that another one tells."""
    headers = {"accept": MEDIA_TYPES[form], "content-type": "application/json"}
    content = msgspec.json.encode(fields)
    try:
        with (
            connect(target, timeout_s=TIMEOUT_S) as client,
            client.stream("POST", "/v1/query", content=content, headers=headers) as reply,
        ):
            if reply.status_code != 200:
                raise error_of(reply.status_code, reply.read())
            yield _Reply(reply)
    except httpx.TransportError as error:
        raise lost_connection(target.url, error) from error


def _copy(target: Target, fields: dict[str, object], form: str) -> bool | None:
    """Writes the answer byte for byte; returns whether rows were left out."""
    end = b""
    with _ask(target, fields, form) as reply:
        for chunk in reply.chunks():
            sys.stdout.buffer.write(chunk)
            end = (end + chunk)[-END_BYTES:]
    sys.stdout.buffer.flush()
    told = truncated_in_json(end) if form == "json" else None
    return reply.truncated() if told is None else told


def _copy_lines(target: Target, fields: dict[str, object], form: str) -> bool | None:
    """Writes the rows; raises the error that a stream which had begun tells in its last line."""
    lines = Lines()
    with _ask(target, {**fields, "meta": 1}, form) as reply:
        for chunk in reply.chunks():
            sys.stdout.buffer.write(lines.feed(chunk))
    rest, ending = lines.close()
    sys.stdout.buffer.write(rest)
    sys.stdout.buffer.flush()
    if ending.error:
        raise Unavailable(ending.message or "The query broke off.", code=ending.error)
    return ending.meta.truncated if ending.meta else reply.truncated()


def _print_as_table(target: Target, fields: dict[str, object], _form: str) -> bool:
    with _ask(target, fields, "json") as reply:
        body = b"".join(reply.chunks())
    answer = msgspec.json.decode(body, type=_Table)
    print_table(answer.columns, answer.rows)
    meta = answer.meta
    parts = [f"{len(answer.rows)} rows", f"{meta.elapsed_ms:.0f} ms"]
    if meta.truncated:
        parts.append("more were cut off; raise --limit")
    if meta.watermark:
        parts.append(f"complete up to {show(meta.watermark)}")
    click.echo(", ".join(parts), err=True)
    return meta.truncated


_WRITERS = {"table": _print_as_table, "ndjson": _copy_lines}
