"""Options that several commands take, spelt and explained alike."""

from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

data_dir = click.option(
    "--data",
    "data_dir",
    metavar="DIR",
    help="Directory of the node. Default: the setting data_dir.",
)

lifeline = click.option(
    "--lifeline-fd", type=int, help="A pipe that the supervisor holds open while it lives."
)

node_url = click.option(
    "--url",
    envvar="WEIR_URL",
    metavar="URL",
    help="Address of the node. Default: WEIR_URL, else the node that runs in DIR.",
)

api_key = click.option(
    "--key",
    envvar="WEIR_KEY",
    metavar="KEY",
    help="API key. Default: WEIR_KEY, else the key of the first run in DIR.",
)


class Limit(click.ParamType[int | None]):
    """A number of at least 1, or ``none`` for no limit."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """The number, or None; anything else ends the command."""
        if value == "none":
            return None
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r} is not a number of at least 1, nor 'none'.", param, ctx)
        return number

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What help shows for the value."""
        return "N|none"
