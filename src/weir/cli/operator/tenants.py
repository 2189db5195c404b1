"""``weir tenants``: isolated customers, their plans and their own limits."""

import click

from weir.api.routes.operator.tenants import CHANGE_TENANT, CREATE_TENANT, LIST_TENANTS
from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.operator.control import open_node, open_or_make_node
from weir.cli.output import print_json, print_table
from weir.control.checks import check_slug
from weir.control.records import AS_PLAN, LIMITS, TenantChange, TenantRequest


@click.group(cls=CommandGroup)
def tenants() -> None:
    """Create, list and change tenants."""


@tenants.command()
@click.argument("slug")
@click.option("--plan", metavar="SLUG", help="Its plan. Default: the plan 'default'.")
@options.limits(AS_PLAN)
@options.data_dir
@options.as_json
@click.pass_context
def create(ctx: click.Context, /, data_dir: str | None, as_json: bool, **_: object) -> None:
    """Create a tenant. A limit that is not given is that of its plan."""
    request = options.given_as(ctx, TenantRequest)
    check_slug(request.slug)
    with open_or_make_node(data_dir) as control:
        made = control.call(CREATE_TENANT, request)
    if as_json:
        print_json(made)
        return
    click.echo(f"Tenant {made.slug}. Next: weir projects create SLUG --tenant {made.slug}")


@tenants.command(name="list")
@options.data_dir
@options.as_json
def list_tenants(data_dir: str | None, as_json: bool) -> None:
    """List tenants, oldest first, with the limits in force and what they used this month.

    What is used is without duplicates, up to the last lake commit (see cut_age_s).
    """
    with open_node(data_dir) as control:
        found = control.call(LIST_TENANTS, None)
    if as_json:
        print_json(found)
        return
    columns = ("tenant", "active", "plan", *LIMITS, "events_this_month", "overrides", "created")
    rows = [
        (
            item.slug,
            item.active,
            item.plan,
            *(getattr(item, limit) for limit in LIMITS),
            item.events_this_month,
            " ".join(item.overrides),
            item.created_at,
        )
        for item in found
    ]
    print_table(columns, rows)


@tenants.command()
@click.argument("slug")
@click.option("--active/--inactive", default=None, help="Whether its keys are taken.")
@click.option("--plan", metavar="SLUG", help="Its plan.")
@options.limits(AS_PLAN)
@options.data_dir
@options.as_json
@click.pass_context
def change(ctx: click.Context, /, data_dir: str | None, as_json: bool, **_: object) -> None:
    """Switch a tenant off or on, or set its plan and limits.

    What is not given stays. A limit of the tenant's own, 'none' included, goes before its plan's;
    'plan' takes it away again.
    """
    asked = options.given_change(ctx, TenantChange)
    with open_node(data_dir) as control:
        changed = control.call(CHANGE_TENANT, asked)
    if as_json:
        print_json(changed)
        return
    state = "active" if changed.active else "inactive"
    click.echo(f"Tenant {changed.slug} is {state} and has the plan {changed.plan}. In force:")
    for limit in LIMITS:
        number = getattr(changed, limit)
        own = " (its own)" if limit in changed.overrides else ""
        click.echo(f"  {limit}: {'no limit' if number is None else number}{own}")
    click.echo(f"  events_this_month: {changed.events_this_month}")
