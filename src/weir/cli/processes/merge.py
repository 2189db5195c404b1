"""``weir merge``: the loader's child that merges lake files."""

import sys

import click

from weir.cli.command import Command


@click.command(cls=Command, hidden=True)
@click.option("--parent", type=int, required=True, help="Process id of the loader.")
def merge(parent: int) -> None:
    """Merge lake files as told on standard input."""
    from weir.loader.upkeep.merge_process import run_jobs

    run_jobs(sys.stdin.buffer, sys.stdout.buffer, parent=parent)
