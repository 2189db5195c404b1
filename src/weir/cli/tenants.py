"""``weir tenants``: isolated customers and their limits."""

import click
import msgspec

from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.control import open_node
from weir.cli.output import print_json, print_table


@click.group(cls=CommandGroup)
def tenants() -> None:
    """Create, list and change tenants."""


@tenants.command()
@click.argument("slug")
@click.option("--events-per-minute", type=options.Limit(), help="Events taken per minute.")
@click.option("--events-per-month", type=options.Limit(), help="Events taken per month.")
@options.data_dir
@options.as_json
def create(
    slug: str,
    events_per_minute: int | None,
    events_per_month: int | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """Create a tenant."""
    from weir.control.records import TenantRequest

    request = TenantRequest(
        slug=slug, events_per_minute=events_per_minute, events_per_month=events_per_month
    )
    with open_node(data_dir) as control:
        made = control.create_tenant(request)
    if as_json:
        print_json(made)
        return
    click.echo(f"Tenant {made.slug}. Next: weir projects create SLUG --tenant {made.slug}")


@tenants.command(name="list")
@options.data_dir
@options.as_json
def list_tenants(data_dir: str | None, as_json: bool) -> None:
    """List tenants, oldest first."""
    with open_node(data_dir) as control:
        found = control.list_tenants()
    if as_json:
        print_json(found)
        return
    columns = ("tenant", "active", "events_per_minute", "events_per_month", "created")
    rows = [
        (item.slug, item.active, item.events_per_minute, item.events_per_month, item.created_at)
        for item in found
    ]
    print_table(columns, rows)


@tenants.command()
@click.argument("slug")
@click.option("--active/--inactive", default=None, help="Whether its keys are taken.")
@click.option("--events-per-minute", type=options.Limit(), help="Events taken per minute.")
@click.option("--events-per-month", type=options.Limit(), help="Events taken per month.")
@options.data_dir
@options.as_json
@click.pass_context
def change(
    ctx: click.Context, /, slug: str, data_dir: str | None, as_json: bool, **_: object
) -> None:
    """Switch a tenant off or on, or set its limits; what is not given stays."""
    from weir.control.records import TenantChange

    given = {
        name: ctx.params[name]
        for name in TenantChange.__struct_fields__
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    with open_node(data_dir) as control:
        changed = control.change_tenant(slug, msgspec.convert(given, TenantChange))
    if as_json:
        print_json(changed)
        return
    click.echo(f"Tenant {changed.slug} is {'active' if changed.active else 'inactive'}.")
