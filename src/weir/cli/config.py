"""``weir config``: every setting, its value, and where that came from."""

from pathlib import Path

import click

from weir.cli import options
from weir.cli.command import Command, tell
from weir.cli.node import find_settings
from weir.cli.output import print_json, print_table
from weir.settings import written


@click.command(cls=Command)
@options.data_dir
@options.as_json
def config(data_dir: str | None, as_json: bool) -> None:
    """Show every setting, its value and where that came from.

    A setting comes from a flag, else the environment (WEIR_ and its name in capitals), else
    weir.toml, else its default. Mistakes in any of them are told all at once.
    """
    found = find_settings(data_dir=data_dir)
    for warning in found.warnings:
        tell(f"Warning: {warning}")
    tell(f"The directory of the node is {Path(found.settings.data_dir).absolute()}.")
    tell(f"Read {found.file}." if found.file else "No weir.toml is here; none was read.")
    values = {name: getattr(found.settings, name) for name in found.sources}
    if as_json:
        told = {
            name: {"value": values[name], "source": source}
            for name, source in found.sources.items()
        }
        print_json(told)
        return
    rows = [(name, written(name, values[name]), source) for name, source in found.sources.items()]
    print_table(("setting", "value", "source"), rows)
