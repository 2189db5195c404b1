"""``weir keys``: API keys. A key's text is shown once, when it is made."""

import sys
from collections.abc import Callable
from datetime import datetime

import click
import msgspec

from weir.api.routes.operator.keys import (
    CHANGE_KEY,
    CREATE_KEY,
    IMPORT_KEY,
    LIST_KEYS,
    REVOKE_KEY,
)
from weir.cli import options
from weir.cli.command import CommandGroup, read_text
from weir.cli.operator.control import open_node, open_or_make_node
from weir.cli.output import print_json, print_table, show
from weir.clock import SystemClock
from weir.control.checks import check_key_change, check_key_request, check_key_text
from weir.control.records import (
    AS_TENANT,
    KEY_LIMITS,
    KeyChange,
    KeyFilter,
    KeyId,
    KeyImport,
    KeyLimit,
    KeyRecord,
    KeyRequest,
)
from weir.domain.keys import KEY_CHARS_MAX, Scope
from weir.domain.times import to_datetime
from weir.errors import InvalidInput

_IN_LIST = (
    *("id", "name", "kind", "last_four", "tenant", "project", "scopes"),
    *("networks", "origins", *KEY_LIMITS, "state"),
)
_NETWORK_HELP = "Address or network that may use it; behind trusted_proxies, the client's."
_ORIGIN_HELP = "Web origin that may use it, without a wildcard; requests without one may."
_ENDPOINT_HELP = "Where its events go. Default: the project's endpoint."
_EXPIRES_HELP = "The second when it ends, in UTC; none: never."
_LIMIT_HELP = {
    "events_per_minute": "Events taken with it per minute, counted apart from other keys'.",
    "requests_per_minute": "Its requests per minute.",
}


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, import, change, list and revoke API keys."""


def _request_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--expires", "expires_at", type=options.End(), help=_EXPIRES_HELP),
        *(
            click.option(
                f"--{limit.replace('_', '-')}",
                type=options.Limit(AS_TENANT),
                default=AS_TENANT,
                show_default=True,
                help=text,
            )
            for limit, text in _LIMIT_HELP.items()
        ),
        click.option("--origin", "origins", multiple=True, help=_ORIGIN_HELP),
        click.option("--network", "networks", multiple=True, help=_NETWORK_HELP),
        click.option("--endpoint", help=_ENDPOINT_HELP),
        click.option(
            "--scopes",
            default="ingest",
            show_default=True,
            callback=options.scopes,
            help=f"Of {', '.join(Scope)}.",
        ),
        click.option("--name", default="", help="What a person calls it."),
        click.option("--project", default="default", show_default=True, help="Its project."),
        click.option("--tenant", default="default", show_default=True, help="Its tenant."),
    ):
        command = option(command)
    return command


@keys.command()
@_request_options
@click.option("--public", is_flag=True, help="A key that may stand in a web page: ingest only.")
@click.option("--test", is_flag=True, help="Mark it as a key for tests.")
@options.data_dir
@options.as_json
def create(public: bool, test: bool, data_dir: str | None, as_json: bool, **wanted: object) -> None:
    """Create a key and print it: the only time that it is shown.

    Works whether the node runs or not; a running node knows the key at once. A new directory
    becomes a node.
    """
    request = _request(wanted, public=public, mode="test" if test else "live")
    _check(request)
    with open_or_make_node(data_dir) as control:
        made = control.call(CREATE_KEY, request)
    if as_json:
        print_json({"key": made.text} | msgspec.to_builtins(made.key))
        return
    click.echo(made.text)
    click.echo(f"Keep it: it is not shown again. Its id is {made.key.id}.", err=True)


@keys.command(name="import")
@_request_options
@options.data_dir
@options.as_json
def import_key(data_dir: str | None, as_json: bool, **wanted: object) -> None:
    """Take in a key made elsewhere, so that SDKs in the field go on working.

    Its text (16 to 512 printable characters, such as nm_live_..., tm_live_... or ak_...) is read
    from standard input, never from the command line, which other users of the machine can see.

    What sends needs the scope 'ingest'. NovaMesh's own key asks /v1/query too: --scopes
    ingest,query. What stands in a page, a body or a URL must have 'ingest' alone. A mistake can be
    mended with weir keys change.
    """
    request = _request(wanted)
    text = _read_secret()
    check_key_text(text)
    _check(request, text=text)
    with open_or_make_node(data_dir) as control:
        taken = control.call(IMPORT_KEY, KeyImport(text=text, key=request))
    if as_json:
        print_json(taken)
        return
    click.echo(f"Imported the key that ends in {taken.last_four}. Its id is {taken.id}.")


@keys.command(name="list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--project", help="Only this project's.")
@options.data_dir
@options.as_json
def list_keys(tenant: str | None, project: str | None, data_dir: str | None, as_json: bool) -> None:
    """List keys, oldest first; of each text only the last four characters are known.

    A limit that is left empty is its tenant's; 'none' is no limit.
    """
    with open_node(data_dir) as control:
        found = control.call(LIST_KEYS, KeyFilter(tenant=tenant, project=project))
    if as_json:
        print_json(found)
        return
    now = to_datetime(SystemClock().now_us())
    print_table(_IN_LIST, [_row(key, now=now) for key in found])


@keys.command()
@click.argument("id", metavar="ID")
@click.option("--name", help="What a person calls it; '' takes it away.")
@click.option(
    "--scopes", callback=options.scopes, help=f"All that it shall have, of {', '.join(Scope)}."
)
@click.option(
    "--endpoint",
    metavar="UUID|default",
    callback=lambda _ctx, _param, value: None if value == "default" else value,
    help="Where its events go; default: the project's.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NETWORK|none",
    callback=options.all_or_none,
    help="All that may use it; none: any address.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN|none",
    callback=options.all_or_none,
    help="All web origins that may use it; none: any.",
)
@click.option(
    "--requests-per-minute",
    type=options.Limit(AS_TENANT),
    help="Its requests per minute; tenant: as its tenant says.",
)
@click.option(
    "--events-per-minute",
    type=options.Limit(AS_TENANT),
    help="Events taken with it per minute; tenant: it counts among its tenant's.",
)
@click.option("--expires", "expires_at", type=options.End(), help=_EXPIRES_HELP)
@options.data_dir
@options.as_json
@click.pass_context
def change(ctx: click.Context, /, data_dir: str | None, as_json: bool, **_: object) -> None:
    """Change what a key may do; a running node does so from the next request on.

    What is not given stays; a list that is given replaces the one before. The key's text, its
    project and its tenant stay too. A public key stays with ingest alone, a revoked key revoked.
    """
    asked = options.given_change(ctx, KeyChange)
    check_key_change(asked, now_us=SystemClock().now_us())
    with open_node(data_dir) as control:
        changed = control.call(CHANGE_KEY, asked)
    if as_json:
        print_json(changed)
        return
    now = to_datetime(SystemClock().now_us())
    click.echo(f"Key {changed.id}, which ends in {changed.last_four}, has now:")
    for column, cell in zip(_IN_LIST, _row(changed, now=now), strict=True):
        if cell and column not in ("id", "last_four"):
            click.echo(f"  {column}: {show(cell)}")


@keys.command()
@click.argument("key_id", metavar="ID")
@options.data_dir
@options.as_json
def revoke(key_id: str, data_dir: str | None, as_json: bool) -> None:
    """End a key for ever; once this returns, no request with it is taken."""
    with open_node(data_dir) as control:
        ended = control.call(REVOKE_KEY, KeyId(id=key_id))
    if as_json:
        print_json(ended)
        return
    click.echo(f"Revoked {ended.id}, which ended in {ended.last_four}.")


def _request(wanted: dict[str, object], **more: object) -> KeyRequest:
    return msgspec.convert(wanted | more, KeyRequest)


def _check(request: KeyRequest, *, text: str = "") -> None:
    """Refuses what control would refuse, before a directory becomes a node for it."""
    check_key_request(request, text=text, now_us=SystemClock().now_us())


def _read_secret() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        prompted: str = click.prompt("Key", hide_input=True)
        return prompted
    text = read_text(KEY_CHARS_MAX + 2).rstrip("\r\n")
    if "\n" in text:
        raise InvalidInput(
            "Standard input has more than one line.", hint="Import one key with each call."
        )
    return text


def _row(key: KeyRecord, *, now: datetime) -> tuple[object, ...]:
    lists = (" ".join(texts) for texts in (key.scopes, key.networks, key.origins))
    numbers = (_limit(getattr(key, limit)) for limit in KEY_LIMITS)
    told = (key.id, key.name, key.kind, key.last_four, key.tenant, key.project)
    return (*told, *lists, *numbers, _state(key, now=now))


def _limit(limit: KeyLimit) -> object:
    """A limit's cell: empty where the key says nothing."""
    if limit is None:
        return "none"
    return "" if limit == AS_TENANT else limit


def _state(key: KeyRecord, *, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at is None:
        return "live"
    when = f"{key.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"live until {when}" if now < key.expires_at else f"expired {when}"
