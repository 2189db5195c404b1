"""``weir loader``: the loader, alone or under the supervisor."""

import click

from weir.cli import options
from weir.cli.command import Command
from weir.cli.node import find_settings


@click.command(cls=Command, hidden=True)
@options.data_dir
@options.lifeline
@click.pass_context
def loader(ctx: click.Context, /, data_dir: str | None, lifeline_fd: int | None) -> None:
    """Run the loader: tail, lake commits, expiry."""
    from weir.server.loader import run_loader

    ctx.exit(run_loader(find_settings(data_dir=data_dir).settings, lifeline_fd=lifeline_fd))
