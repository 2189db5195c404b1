"""``weir tokens``: the keys that sign access tokens."""

from datetime import datetime

import click

from weir.api.routes.operator.token_keys import LIST_TOKEN_KEYS, ROTATE_TOKEN_KEYS
from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.operator.control import open_node
from weir.cli.output import print_json, print_table
from weir.control.records import TokenKeyRecord, TokenKeyRotation
from weir.tokens.claims import TTL_S_MAX

_COLUMNS = ("id", "signs", "created", "ends")


@click.group(cls=CommandGroup)
def tokens() -> None:
    """List and rotate the keys that sign access tokens."""


@tokens.command(name="list")
@options.data_dir
@options.as_json
def list_keys(data_dir: str | None, as_json: bool) -> None:
    """List the keys that sign or verify tokens, oldest first; none before the first token."""
    with open_node(data_dir) as control:
        found = control.call(LIST_TOKEN_KEYS, None)
    _print(found, as_json=as_json)


@tokens.command()
@click.option("--at-once", is_flag=True, help="Refuse every token that was issued before.")
@options.data_dir
@options.as_json
def rotate(at_once: bool, data_dir: str | None, as_json: bool) -> None:
    """Let a new key sign tokens from now on, and list the keys.

    Tokens that were issued before stay good until they end, which is within 24 hours; then their
    key goes. With --at-once they are refused from now on: for a key that may be in wrong hands.
    """
    asked = TokenKeyRotation(overlap_s=0 if at_once else TTL_S_MAX)
    with open_node(data_dir) as control:
        left = control.call(ROTATE_TOKEN_KEYS, asked)
    _print(left, as_json=as_json)


def _print(keys: tuple[TokenKeyRecord, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(keys)
        return
    rows: list[tuple[str, bool, datetime, datetime | None]] = [
        (key.id, key.signs, key.created_at, key.ends_at) for key in keys
    ]
    print_table(_COLUMNS, rows)
