"""``weir keys``: API keys. A key's text is shown once, when it is made."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec

from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.control import open_node, open_or_make_node
from weir.cli.output import print_json, print_table
from weir.clock import SystemClock
from weir.control.checks import check_key_request, check_key_text
from weir.control.records import KeyRecord, KeyRequest, to_time
from weir.domain.keys import KEY_CHARS_MAX, Scope
from weir.errors import InvalidInput

_IN_LIST = ("id", "name", "kind", "last_four", "tenant", "project", "scopes", "state")
_NETWORK_HELP = "Address or network that may use it; behind trusted_proxies, the client's."


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, list, revoke and import API keys."""


def _request_options(command: Callable[..., None]) -> Callable[..., None]:
    scopes = ", ".join(Scope)
    for option in (
        click.option(
            "--expires",
            "expires_at",
            type=click.DateTime(),
            help="The second when it ends, in UTC.",
        ),
        click.option("--events-per-minute", type=options.Limit(), help="Default: its tenant's."),
        click.option("--requests-per-minute", type=options.Limit(), help="Default: its tenant's."),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            help="Web origin that may use it; requests without one may.",
        ),
        click.option("--network", "networks", multiple=True, help=_NETWORK_HELP),
        click.option("--endpoint", help="Where its events go. Default: the project's endpoint."),
        click.option("--scopes", default="ingest", show_default=True, help=f"Of {scopes}."),
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
        made = control.create_key(request)
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
    """
    request = _request(wanted)
    text = _read_secret()
    check_key_text(text)
    _check(request, text=text)
    with open_or_make_node(data_dir) as control:
        taken = control.import_key(text, request)
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
    """List keys, oldest first; of each text only the last four characters are known."""
    with open_node(data_dir) as control:
        found = control.list_keys(tenant=tenant, project=project)
    if as_json:
        print_json(found)
        return
    now = to_time(SystemClock().now_us())
    print_table(_IN_LIST, [_row(key, now=now) for key in found])


@keys.command()
@click.argument("key_id", metavar="ID")
@options.data_dir
@options.as_json
def revoke(key_id: str, data_dir: str | None, as_json: bool) -> None:
    """End a key for ever; once this returns, no request with it is taken."""
    with open_node(data_dir) as control:
        ended = control.revoke_key(key_id)
    if as_json:
        print_json(ended)
        return
    click.echo(f"Revoked {ended.id}, which ended in {ended.last_four}.")


def _request(wanted: dict[str, object], **more: object) -> KeyRequest:
    expires = wanted.pop("expires_at")
    texts = str(wanted.pop("scopes")).replace(",", " ").split()
    unknown = sorted(set(texts) - set(Scope))
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: a scope is one of {', '.join(Scope)}.", param_hint="--scopes"
        )
    expires_at = expires.replace(tzinfo=UTC) if isinstance(expires, datetime) else None
    return msgspec.convert(wanted | more | {"scopes": texts, "expires_at": expires_at}, KeyRequest)


def _check(request: KeyRequest, *, text: str = "") -> None:
    """Refuses what control would refuse, before a directory becomes a node for it."""
    check_key_request(request, text=text, now_us=SystemClock().now_us())


def _read_secret() -> str:
    if sys.stdin.isatty():
        prompted: str = click.prompt("Key", hide_input=True)
        return prompted
    text = sys.stdin.read(KEY_CHARS_MAX + 2).rstrip("\r\n")
    if "\n" in text:
        raise InvalidInput(
            "Standard input has more than one line.", hint="Import one key with each call."
        )
    return text


def _row(key: KeyRecord, *, now: datetime) -> tuple[object, ...]:
    scopes, state = " ".join(key.scopes), _state(key, now=now)
    return (key.id, key.name, key.kind, key.last_four, key.tenant, key.project, scopes, state)


def _state(key: KeyRecord, *, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at is None:
        return "live"
    when = f"{key.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"until {when}" if now < key.expires_at else f"expired {when}"
