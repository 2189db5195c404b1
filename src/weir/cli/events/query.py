"""``weir query``: one SELECT over HTTP, its rows to the terminal or to a pipe."""

import sys
from collections.abc import Iterator

import click
import httpx
import msgspec

from weir.cli import options
from weir.cli.command import Command, read_text
from weir.cli.http import connect, error_of, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import print_table, show
from weir.errors import InvalidInput, Unavailable

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


TAIL_BYTES = 4096
"""Enough of an answer's end to hold the line that tells a failure."""


class _Meta(msgspec.Struct):
    elapsed_ms: float = 0
    truncated: bool = False
    watermark: str | None = None


class _Table(msgspec.Struct):
    columns: list[str]
    rows: list[list[object]]
    meta: _Meta


class _BrokenOff(msgspec.Struct):
    error: str
    message: str = ""


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
    sql: str, form: str | None, limit: int | None, as_json: bool, **where: str | None
) -> None:
    """Run one SELECT over the table events and print its rows.

    SQL may be -, to read it from standard input.
    """
    if as_json and form not in {None, "json"}:
        raise click.UsageError("--json and --format contradict each other.")
    text = read_text() if sql == "-" else sql
    wanted = "json" if as_json else form or ("table" if sys.stdout.isatty() else "ndjson")
    if wanted in BINARY and sys.stdout.isatty():
        raise InvalidInput(
            f"{wanted} is not for a terminal.", hint="Send it into a file with: > FILE"
        )
    target = find_target(**where)
    body: dict[str, object] = {"q": text} if limit is None else {"q": text, "limit": limit}
    if wanted == "table":
        _print_as_table(b"".join(_ask(target, body, "json")))
        return
    out = sys.stdout.buffer
    tail = b""
    for chunk in _ask(target, body, wanted):
        out.write(chunk)
        tail = (tail + chunk)[-TAIL_BYTES:]
    out.flush()
    if wanted == "ndjson":
        _raise_if_broken_off(tail)


def _ask(target: Target, body: dict[str, object], form: str) -> Iterator[bytes]:
    """The chunks of a good answer; raises the error that another one tells."""
    headers = {"accept": MEDIA_TYPES[form], "content-type": "application/json"}
    content = msgspec.json.encode(body)
    try:
        with (
            connect(target, timeout_s=TIMEOUT_S) as client,
            client.stream("POST", "/v1/query", content=content, headers=headers) as reply,
        ):
            if reply.status_code != 200:
                raise error_of(reply.status_code, reply.read())
            yield from reply.iter_bytes()
    except httpx.TransportError as error:
        raise lost_connection(target.url, error) from error


def _raise_if_broken_off(tail: bytes) -> None:
    """A stream that had begun can tell its failure only by its last line."""
    line = tail.rstrip().rpartition(b"\n")[2]
    try:
        told = msgspec.json.decode(line, type=_BrokenOff)
    except msgspec.MsgspecError:
        return
    raise Unavailable(told.message or "The query broke off.", code=told.error)


def _print_as_table(body: bytes) -> None:
    answer = msgspec.json.decode(body, type=_Table)
    print_table(answer.columns, answer.rows)
    meta = answer.meta
    parts = [f"{len(answer.rows)} rows", f"{meta.elapsed_ms:.0f} ms"]
    if meta.truncated:
        parts.append("more were cut off; raise --limit")
    if meta.watermark:
        parts.append(f"complete up to {show(meta.watermark)}")
    click.echo(", ".join(parts), err=True)
