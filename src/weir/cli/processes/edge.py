"""``weir edge``: one edge worker, alone or under the supervisor."""

import click

from weir.cli import options
from weir.cli.command import Command
from weir.cli.node import find_settings


@click.command(cls=Command, hidden=True)
@options.data_dir
@options.lifeline
@click.option("--worker", type=int, default=0, show_default=True, help="Number of the worker.")
@click.option("--listen-fd", type=int, help="An inherited listening socket.")
@click.pass_context
def edge(
    ctx: click.Context,
    /,
    data_dir: str | None,
    worker: int,
    listen_fd: int | None,
    lifeline_fd: int | None,
) -> None:
    """Run one edge worker: the door and its journal."""
    from weir.server.edge import run_edge

    settings = find_settings(data_dir=data_dir).settings
    ctx.exit(run_edge(settings, worker=worker, listen_fd=listen_fd, lifeline_fd=lifeline_fd))
