"""``weir send``: events from NDJSON to a node, each exactly once."""

import contextlib
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO

import click
import httpx

from weir.cli import options
from weir.cli.command import Command, Exit, tell
from weir.cli.http import connect, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import print_json, show
from weir.cli.send.delivery import Answer, Patience, Post, SendCounts, deliver
from weir.cli.send.lines import BATCH_EVENTS_MAX, arriving_lines, file_lines, read_batches
from weir.cli.send.state import (
    SUFFIX,
    ResumePoint,
    SendState,
    StateFile,
    alone,
    load_state,
    skip_lines,
)
from weir.clock import SystemClock
from weir.errors import Unavailable, WeirError

TIMEOUT_S = 60.0


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
@click.option(
    "--state",
    "state_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Keeps the progress. Default: beside the input, with {SUFFIX} added to its name.",
)
@click.option(
    "--backfill",
    is_flag=True,
    help="In a lane of its own, slowly, so that live traffic does not feel it.",
)
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
    state_path: Path | None,
    backfill: bool,
    as_json: bool,
    batch_events: int,
    **given: Any,
) -> None:
    """Send the events of FILE, one JSON object a line.

    FILE may be - for standard input; lines that come slowly are sent within a second. An event
    without event_id gets one, made of the run and the line, and the progress is kept in a file:
    the same command goes on with a send that broke off, and nothing is stored twice (within the
    node's dedup_window_s). A send that was finished begins anew. The exit code is 5 when some
    events were rejected; all others are on the node's disk.
    """
    patience_s = given.pop("retry_for_s")
    target = find_target(**given)
    place = state_path or _beside(file)
    ctx.with_resource(alone(place))
    counts = SendCounts()
    texts = _lines(file)
    states, start = _begin(texts, place, target)
    monotonic_s = SystemClock().monotonic_s
    patience = Patience(patience_s, sleep, monotonic_s, random.random)
    try:
        with (
            connect(target, timeout_s=TIMEOUT_S) as client,
            _progress(file, as_json) as advance,
            _saved(states),
        ):
            path = "/v1/events?lane=backfill" if backfill else "/v1/events"
            post = _poster(client, target, path, states)
            run = states.state.run
            for batch in read_batches(texts, run=run, events_max=batch_events, start=start):
                counts.reject(batch.rejects)
                if batch.lines:
                    deliver(batch.lines, post=post, patience=patience, counts=counts)
                states.note(lines=batch.end.lines, checksum=batch.end.checksum)
                advance(batch.end.read_bytes)
        states.finish()
    except WeirError as error:
        if counts.requests:
            error.hint = f"{error.hint or ''} {_how_to_go_on(states)}".strip()
        raise
    except KeyboardInterrupt:
        tell(_how_to_go_on(states))
        raise
    finally:
        _tell(counts, skipped=start.lines, as_json=as_json)
    ctx.exit(Exit.EVENTS_REJECTED if counts.rejected else Exit.DONE)


def _beside(file: BinaryIO) -> Path | None:
    """Where the progress of a file is kept; None for what is no file of a name."""
    path = Path(str(getattr(file, "name", "")))
    return path.with_name(path.name + SUFFIX) if path.is_file() else None


def _begin(
    texts: Iterator[bytes | None], path: Path | None, target: Target
) -> tuple[StateFile, ResumePoint]:
    """The progress so far, on disk before the first event leaves, and where the input goes on."""
    earlier = load_state(path, url=target.url) if path else None
    state = earlier or SendState(target.url, secrets.token_hex(8))
    start = skip_lines(texts, state)
    if start.lines:
        tell(f"Goes on after line {start.lines}: {path}")
    states = StateFile(path, state, monotonic_s=SystemClock().monotonic_s)
    if earlier is not None:
        states.note_doubt()
    try:
        states.save()
    except OSError as error:
        tell(f"The progress is not kept: {error.strerror}. Name a place with --state.")
        states.path = None
    return states, start


@contextlib.contextmanager
def _saved(states: StateFile) -> Iterator[None]:
    """Writes the progress whatever ends the send; none when no event can have arrived."""
    try:
        yield
    finally:
        states.keep()


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    if file.seekable():
        return iter(file_lines(file))
    return arriving_lines(file.fileno(), monotonic_s=SystemClock().monotonic_s)


def _how_to_go_on(states: StateFile) -> str:
    if states.is_unused:
        return "No event was taken; the same command begins anew."
    if states.path is None:
        return "With --state FILE the same input can be gone on with where it broke off."
    return f"The same command goes on after line {states.state.lines}: {states.path}"


def _poster(client: httpx.Client, target: Target, path: str, states: StateFile) -> Post:
    def post(body: bytes) -> Answer:
        is_refused = False
        try:
            reply = client.post(path, content=body, headers={"content-type": "application/json"})
            is_refused = 400 <= reply.status_code < 500
        except httpx.TransportError as error:
            is_refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            lost = lost_connection(target.url, error)
            if not isinstance(lost, Unavailable):
                raise lost from error
            return Answer(0, lost.message.encode())
        finally:
            if not is_refused:  # the answer may be lost, and the events not
                states.note_doubt()
        return Answer(reply.status_code, reply.content, _seconds(reply.headers))

    return post


def _seconds(headers: httpx.Headers) -> float:
    """``Retry-After`` in seconds; its other form, a date, Weir does not send."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def _tell(counts: SendCounts, *, skipped: int, as_json: bool) -> None:
    rejects = sorted(counts.rejects, key=lambda reject: reject.line)
    if as_json:
        print_json(
            {
                "accepted": counts.accepted,
                "rejected": counts.rejected,
                "requests": counts.requests,
                "retries": counts.retries,
                "skipped": skipped,
                "rejects": [reject._asdict() for reject in rejects],
            }
        )
        return
    for reject in rejects:
        what = f"{reject.field} {reject.message}" if reject.field else reject.message
        click.echo(show(f"line {reject.line}: {what} ({reject.code})"), err=True)
    told = f"accepted {counts.accepted}, rejected {counts.rejected}"
    click.echo(f"{told}, retries {counts.retries}")


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
