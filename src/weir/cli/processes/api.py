"""``weir api``: the api process, alone or under the supervisor."""

import click

from weir.cli import options
from weir.cli.command import Command
from weir.cli.node import find_settings


@click.command(cls=Command, hidden=True)
@options.data_dir
@options.lifeline
@click.pass_context
def api(ctx: click.Context, /, data_dir: str | None, lifeline_fd: int | None) -> None:
    """Run the api process: queries, ledger, control."""
    from weir.server.api import run_api

    ctx.exit(run_api(find_settings(data_dir=data_dir).settings, lifeline_fd=lifeline_fd))
