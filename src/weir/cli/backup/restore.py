"""``weir restore``: a node out of a backup."""

import secrets
from pathlib import Path

import click

from weir.backup.restore import restore_backup
from weir.cli.backup.copy_progress import shown_progress
from weir.cli.command import Command, going_on
from weir.cli.output import print_json
from weir.node.directory import Directory


@click.command(cls=Command)
@click.argument(
    "source", metavar="DIR", type=click.Path(file_okay=False, readable=False, path_type=Path)
)
@click.option(
    "--data",
    "data_dir",
    metavar="NEW",
    required=True,
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    help="Directory of the new node: one that is empty or not there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def restore(source: Path, data_dir: Path, as_json: bool) -> None:
    """Make a node out of the backup in DIR.

    Every file is checked on its way, and nothing is overwritten. The new node has every event
    that the backup has, and goes on in journals of its own, so that it can never be confused with
    the node that the backup was made of. The same command goes on with a restore that broke off.
    """
    directory = Directory(data_dir.resolve())
    with going_on(), shown_progress() as progress:
        manifest = restore_backup(source, directory, random=secrets.token_bytes, progress=progress)
    if as_json:
        told = {
            "directory": str(directory.root),
            "files": len(manifest.entries),
            "bytes": manifest.byte_count,
        }
        print_json(told)
        return
    click.echo(f"{len(manifest.entries)} files, {manifest.byte_count} bytes: {directory.root}")
    click.echo(f"Start it with: weir serve --data {data_dir}")
