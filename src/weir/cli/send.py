"""``weir send``: events from NDJSON to a node, each exactly once."""

import contextlib
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from time import sleep
from typing import BinaryIO

import click
import httpx

from weir.cli import options
from weir.cli.command import Command, Exit, tell
from weir.cli.http import connect
from weir.cli.node import Target, find_target
from weir.cli.output import print_json, show
from weir.cli.send_delivery import Answer, Patience, Post, Tally, deliver
from weir.cli.send_lines import BATCH_EVENTS_MAX, arriving_lines, file_lines, read_batches
from weir.clock import SystemClock
from weir.errors import WeirError

TIMEOUT_S = 60.0
RUN_CHARS_MAX = 200


@click.command(cls=Command)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--batch",
    "batch_events",
    type=click.IntRange(1, BATCH_EVENTS_MAX),
    default=BATCH_EVENTS_MAX,
    show_default=True,
    help="Events in one request, at most.",
)
@click.option(
    "--retry-for",
    "retry_for_s",
    type=click.FloatRange(0),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long one request is repeated while the node does not take it.",
)
@click.option("--run", metavar="TEXT", help="Goes on with an earlier run that broke off.")
@options.node_url
@options.api_key
@options.cacert
@options.data_dir
@options.as_json
@click.pass_context
def send(
    ctx: click.Context,
    /,
    file: BinaryIO,
    run: str | None,
    as_json: bool,
    batch_events: int,
    retry_for_s: float,
    **where: str | None,
) -> None:
    """Send the events of FILE, one JSON object a line.

    FILE may be - for standard input; lines that come slowly are sent within a second. An event
    without event_id gets one, made of the run and the line, so that neither a retry nor a second
    call with the same --run stores it twice (within the node's dedup_window_s). The exit code is 5
    when some events were rejected; all others are on the node's disk.
    """
    target = find_target(**where)
    run = _checked_run(run) or secrets.token_hex(8)
    tally = Tally()
    patience = Patience(retry_for_s, sleep, SystemClock().monotonic_s, random.random)
    try:
        with connect(target, timeout_s=TIMEOUT_S) as client, _progress(file, as_json) as advance:
            post = _poster(client, target)
            for batch in read_batches(_lines(file), run=run, events_max=batch_events):
                tally.reject(batch.rejects)
                if batch.lines:
                    deliver(batch.lines, post=post, patience=patience, tally=tally)
                advance(batch.read_bytes)
    except WeirError as error:
        if tally.requests:
            error.hint = f"{error.hint or ''} {_how_to_go_on(run)}".strip()
        raise
    except KeyboardInterrupt:
        tell(_how_to_go_on(run))
        raise
    finally:
        _tell(tally, run=run, as_json=as_json)
    ctx.exit(Exit.EVENTS_REJECTED if tally.rejected else Exit.DONE)


def _checked_run(run: str | None) -> str | None:
    if run is not None and not (run.isascii() and run.isalnum() and len(run) <= RUN_CHARS_MAX):
        raise click.BadParameter("letters and digits only", param_hint="--run")
    return run


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    if file.seekable():
        return iter(file_lines(file))
    return arriving_lines(file.fileno(), monotonic_s=SystemClock().monotonic_s)


def _how_to_go_on(run: str) -> str:
    return f"Go on with the same file and: --run {run}"


def _poster(client: httpx.Client, target: Target) -> Post:
    def post(body: bytes) -> Answer:
        try:
            reply = client.post(
                "/v1/events", content=body, headers={"content-type": "application/json"}
            )
        except httpx.TransportError as error:
            words = f"{target.url} does not answer: {error or type(error).__name__}."
            return Answer(0, words.encode())
        return Answer(reply.status_code, reply.content, _seconds(reply.headers))

    return post


def _seconds(headers: httpx.Headers) -> float:
    """``Retry-After`` in seconds; its other form, a date, Weir does not send."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def _tell(tally: Tally, *, run: str, as_json: bool) -> None:
    rejects = sorted(tally.rejects, key=lambda reject: reject.line)
    if as_json:
        print_json(
            {
                "accepted": tally.accepted,
                "rejected": tally.rejected,
                "requests": tally.requests,
                "retries": tally.retries,
                "run": run,
                "rejects": [reject._asdict() for reject in rejects],
            }
        )
        return
    for reject in rejects:
        what = f"{reject.field} {reject.message}" if reject.field else reject.message
        click.echo(show(f"line {reject.line}: {what} ({reject.code})"), err=True)
    told = f"accepted {tally.accepted}, rejected {tally.rejected}"
    click.echo(f"{told}, retries {tally.retries}")


@contextlib.contextmanager
def _progress(file: BinaryIO, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Shows how much of the file is acknowledged, to a person only."""
    if as_json or not sys.stderr.isatty():
        yield lambda _read_bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=_size(file))
        yield lambda read_bytes: progress.update(task, completed=read_bytes)


def _size(file: BinaryIO) -> int | None:
    if not file.seekable():
        return None
    here = file.tell()
    size = file.seek(0, 2)
    file.seek(here)
    return size
