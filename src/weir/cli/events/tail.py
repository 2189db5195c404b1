"""``weir tail``: events as they become visible."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from time import sleep

import click
import httpx
import msgspec

from weir.cli import options
from weir.cli.command import Command, tell
from weir.cli.events.following import ROWS_MAX, Following, Page, Row
from weir.cli.http import connect, error_of, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import show
from weir.clock import SystemClock
from weir.domain.times import to_datetime, to_us
from weir.errors import LimitExceeded, Unavailable
from weir.query.statement.follow import follow_statement

POLL_S = 0.5
RETRY_S = 1.0
TIMEOUT_S = 60

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
@click.option("--ids", is_flag=True, help="Show each event_id, for weir trace.")
@options.node_url
@options.api_key
@options.cacert
@options.data_dir
@options.as_json
def tail(
    events: tuple[str, ...], since: int, ids: bool, as_json: bool, **where: str | None
) -> None:
    """Print events as they become visible, until Ctrl-C.

    Every event is printed once. A node that is away is waited for. With --json, a JSON object a
    line. Times are UTC. The key needs the scope query.
    """
    clock = SystemClock()
    target = find_target(**where)
    with contextlib.suppress(KeyboardInterrupt), connect(target, timeout_s=TIMEOUT_S) as client:
        now_us = _ask(client, target, "SELECT 1 WHERE false").watermark_us
        following = Following(from_us=now_us - since * 1_000_000)
        for row in _follow(client, target, following, events):
            today = datetime.fromtimestamp(clock.now_us() // 1_000_000, UTC).date()
            line = _as_json(row) if as_json else as_line(row, today=today, with_id=ids)
            sys.stdout.write(line)
            sys.stdout.flush()


def _follow(
    client: httpx.Client, target: Target, following: Following, events: Sequence[str]
) -> Iterator[Row]:
    is_away = False
    while True:
        try:
            page = _ask(client, target, follow_statement(from_us=following.from_us, events=events))
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
    watermark_us = to_us(answer.meta.watermark)
    return Page(answer.rows, answer.meta.truncated, watermark_us)


def as_line(row: Row, *, today: date, with_id: bool) -> str:
    """An event for a person, in UTC; the day stands there when it is not ``today``."""
    moment = _moment(row)
    day = "" if moment.date() == today else f"{moment:%Y-%m-%d} "
    cells = [
        f"{day}{moment:%H:%M:%S.%f}"[:-3],
        *([show(row.event_id)] if with_id else []),
        show(row.event),
        show(row.user_id or row.anonymous_id) or "-",
        show(row.properties),
    ]
    return "  ".join(cells) + "\n"


def _as_json(row: Row) -> str:
    told = {
        "received_at": _moment(row),
        "event_id": row.event_id,
        "event": row.event,
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "properties": msgspec.Raw(row.properties.encode()),
    }
    return msgspec.json.encode(told).decode() + "\n"


def _moment(row: Row) -> datetime:
    return to_datetime(row.received_at_us)
