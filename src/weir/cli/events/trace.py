"""``weir trace``: what became of one event."""

from urllib.parse import quote

import click
import httpx
import msgspec

from weir.cli import options
from weir.cli.command import Command
from weir.cli.http import connect, error_of, lost_connection
from weir.cli.node import Target, find_target
from weir.cli.output import print_json, show

TIMEOUT_S = 90


@click.command(cls=Command)
@click.argument("event_id")
@options.node_url
@options.api_key
@options.cacert
@options.data_dir
@options.as_json
def trace(event_id: str, as_json: bool, **where: str | None) -> None:
    """Show what became of one event, and every time it was sent.

    The key needs the scope metrics, and its project is looked at. An event may take a second to be
    known.
    """
    if not event_id:
        raise click.BadParameter("An event_id is not empty.", param_hint="EVENT_ID")
    story = _ask(find_target(**where), event_id)
    if as_json:
        print_json(story)
        return
    margin = max(map(len, story))
    for name, value in story.items():
        if value not in (None, [], True):
            click.echo(f"{name:<{margin}}  {show(value)}")


def _ask(target: Target, event_id: str) -> dict[str, object]:
    # Dots too: a client resolves a segment that is one or two of them (RFC 3986, 5.2.4).
    segment = quote(event_id, safe="").replace(".", "%2E")
    path = f"/v1/events/{segment}/trace"
    try:
        with connect(target, timeout_s=TIMEOUT_S) as client:
            reply = client.get(path)
    except httpx.TransportError as error:
        raise lost_connection(target.url, error) from error
    if reply.status_code != 200:
        raise error_of(reply.status_code, reply.content)
    return msgspec.json.decode(reply.content, type=dict[str, object])
