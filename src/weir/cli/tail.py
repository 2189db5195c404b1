"""``weir tail``: events as they become visible."""

import contextlib
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import sleep

import click
import httpx
import msgspec

from weir.cli import options
from weir.cli.command import Command, tell
from weir.cli.http import connect, error_of, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import show
from weir.cli.tail_following import ROWS_MAX, Following, Page, Row
from weir.errors import LimitExceeded, Unavailable

POLL_S = 0.5
RETRY_S = 1.0
TIMEOUT_S = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = re.compile(r"(\d{1,6})([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Meta(msgspec.Struct):
    truncated: bool
    watermark: datetime


class _Answer(msgspec.Struct):
    rows: list[Row]
    meta: _Meta


class _Span(click.ParamType[int]):
    """A number and s, m, h or d, as seconds."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Seconds; anything else ends the command."""
        found = _SPAN.match(str(value))
        if found is None:
            self.fail(f"{value!r} is not a time like 30s, 10m, 2h or 1d.", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


@click.command(cls=Command)
@click.option("--event", "events", multiple=True, metavar="NAME", help="Only events of this name.")
@click.option(
    "--since",
    type=_Span(),
    default="0s",
    metavar="TIME",
    help="Begin so long ago: a number and s, m, h or d, as 30s or 2h.",
)
@options.node_url
@options.api_key
@options.cacert
@options.data_dir
@options.as_json
def tail(events: tuple[str, ...], since: int, as_json: bool, **where: str | None) -> None:
    """Print events as they become visible, until Ctrl-C.

    Every event is printed once. A node that is away is waited for. With --json, a JSON object a
    line. The key needs the scope query.
    """
    target = find_target(**where)
    with contextlib.suppress(KeyboardInterrupt), connect(target, timeout_s=TIMEOUT_S) as client:
        now_us = _ask(client, target, "SELECT 1 WHERE false").watermark_us
        following = Following(from_us=now_us - since * 1_000_000, events=events)
        for row in _follow(client, target, following):
            sys.stdout.write(_as_json(row) if as_json else _as_line(row))
            sys.stdout.flush()


def _follow(client: httpx.Client, target: Target, following: Following) -> Iterator[Row]:
    is_away = False
    while True:
        try:
            page = _ask(client, target, following.question())
        except (Unavailable, LimitExceeded) as error:
            if not is_away:
                tell(f"{error.message} Waiting.")
            is_away = True
            sleep(error.retry_after_s or RETRY_S)
            continue
        if is_away:
            tell("It answers again.")
        is_away = False
        yield from following.fresh(page)
        if not page.truncated:
            sleep(POLL_S)


def _ask(client: httpx.Client, target: Target, sql: str) -> Page:
    try:
        reply = client.post("/v1/query", json={"q": sql, "limit": ROWS_MAX})
    except httpx.TransportError as error:
        raise lost_connection(target.url, error) from error
    if reply.status_code != 200:
        raise error_of(reply.status_code, reply.content)
    answer = msgspec.json.decode(reply.content, type=_Answer)
    watermark_us = (answer.meta.watermark - _EPOCH) // timedelta(microseconds=1)
    return Page(answer.rows, answer.meta.truncated, watermark_us)


def _as_line(row: Row) -> str:
    moment = _moment(row).strftime("%H:%M:%S.%f")[:-3]
    cells = [moment, show(row.event), show(row.user) or "-", show(row.properties)]
    return "  ".join(cells) + "\n"


def _as_json(row: Row) -> str:
    told = {
        "received_at": _moment(row),
        "event_id": row.event_id,
        "event": row.event,
        "user": row.user,
        "properties": msgspec.Raw(row.properties.encode()),
    }
    return msgspec.json.encode(told).decode() + "\n"


def _moment(row: Row) -> datetime:
    return _EPOCH + timedelta(microseconds=row.received_at_us)
