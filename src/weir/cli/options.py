"""Options that several commands take, spelt and explained alike."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

from weir.control.records import set_fields
from weir.domain.keys import Scope
from weir.settings import SPECS

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

cacert = click.option(
    "--cacert",
    envvar="WEIR_CACERT",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM certificates to trust for https, instead of the machine's. Default: WEIR_CACERT.",
)

api_key = click.option(
    "--key",
    envvar="WEIR_KEY",
    metavar="KEY",
    help="API key. Default: WEIR_KEY, else the key of the first run in DIR.",
)


Kind = TypeVar("Kind", bound=msgspec.Struct)


class Limit(click.ParamType[int | str | None]):
    """A number of at least 1, ``none`` for no limit, or one of ``words``, kept as it is."""

    name = "limit"

    def __init__(self, *words: str) -> None:
        self._words = words

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str | None:
        """The number, None or a word; anything else ends the command."""
        if value == "none":
            return None
        if value in self._words:
            return str(value)
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            words = "".join(f", nor {word!r}" for word in ("none", *self._words))
            self.fail(f"{value!r} is not a number of at least 1{words}.", param, ctx)
        return number

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What help shows for the value."""
        return "|".join(("N", "none", *self._words))


class End(click.ParamType[datetime | None]):
    """A second in UTC, or ``none`` for no end."""

    name = "end"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | None:
        """The aware time or None; anything else ends the command."""
        if value == "none" or value is None:
            return None
        end: datetime = click.DateTime().convert(value, param, ctx)
        return end.replace(tzinfo=UTC)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What help shows for the value."""
        return "YYYY-MM-DD[THH:MM:SS]|none"


def scopes(
    _ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[Scope, ...] | None:
    """A callback: names of scopes with commas or spaces between."""
    if value is None:
        return None
    names = value.replace(",", " ").split()
    unknown = sorted(set(names) - set(Scope))
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: a scope is one of {', '.join(Scope)}.", param=param
        )
    return tuple(map(Scope, names))


def all_or_none(
    _ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """A callback of an option that may be repeated: ``none`` alone is the empty list."""
    if "none" not in value:
        return value
    if len(value) > 1:
        raise click.BadParameter("'none' stands alone.", param=param)
    return ()


def limits(*words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options for the limits of plans and tenants, each a ``Limit(*words)``."""
    texts = {
        "--events-per-month": "Events taken per month.",
        "--events-per-minute": "Events taken per minute.",
        "--requests-per-minute": "Requests per minute of each key that has no limit of its own.",
    }

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name, text in texts.items():
            command = click.option(name, type=Limit(*words), help=text)(command)
        return command

    return add


def in_bounds(setting: str) -> click.IntRange:
    """The type of an option that gives a setting: whole numbers within its bounds."""
    spec = SPECS[setting]
    return click.IntRange(
        None if spec.minimum is None else int(spec.minimum),
        None if spec.maximum is None else int(spec.maximum),
    )


def given_as(ctx: click.Context, kind: type[Kind]) -> Kind:
    """What stands on the command line as a ``kind``; the rest has that kind's defaults."""
    given = {
        name: ctx.params[name]
        for name in kind.__struct_fields__
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    return msgspec.convert(given, kind)


def given_change(ctx: click.Context, kind: type[Kind]) -> Kind:
    """A change of what the command line names; ends the command when it says no change."""
    change = given_as(ctx, kind)
    if not set_fields(change):
        raise click.UsageError("Say what to change with an option.", ctx)
    return change
