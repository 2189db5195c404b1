"""``weir plans``: limits that many tenants share."""

import click

from weir.api.routes.operator.plans import CHANGE_PLAN, CREATE_PLAN, LIST_PLANS
from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.operator.control import open_node, open_or_make_node
from weir.cli.output import print_json, print_table
from weir.control.checks import check_slug
from weir.control.records import LIMITS, PlanChange, PlanRequest


@click.group(cls=CommandGroup)
def plans() -> None:
    """Create, list and change plans."""


@plans.command()
@click.argument("slug")
@options.limits()
@options.data_dir
@options.as_json
@click.pass_context
def create(ctx: click.Context, /, data_dir: str | None, as_json: bool, **_: object) -> None:
    """Create a plan.

    What is not given, or is 'none', has no limit but the node's own settings: see weir config.
    """
    request = options.given_as(ctx, PlanRequest)
    check_slug(request.slug)
    with open_or_make_node(data_dir) as control:
        made = control.call(CREATE_PLAN, request)
    if as_json:
        print_json(made)
        return
    click.echo(f"Plan {made.slug}. Next: weir tenants change SLUG --plan {made.slug}")


@plans.command(name="list")
@options.data_dir
@options.as_json
def list_plans(data_dir: str | None, as_json: bool) -> None:
    """List plans, oldest first."""
    with open_node(data_dir) as control:
        found = control.call(LIST_PLANS, None)
    if as_json:
        print_json(found)
        return
    rows = [
        (item.slug, *(getattr(item, limit) for limit in LIMITS), item.created_at) for item in found
    ]
    print_table(("plan", *LIMITS, "created"), rows)


@plans.command()
@click.argument("slug")
@options.limits()
@options.data_dir
@options.as_json
@click.pass_context
def change(ctx: click.Context, /, data_dir: str | None, as_json: bool, **_: object) -> None:
    """Set a plan's limits; what is not given stays.

    They hold at once for every tenant of the plan that has no limit of its own there.
    """
    asked = options.given_change(ctx, PlanChange)
    with open_node(data_dir) as control:
        changed = control.call(CHANGE_PLAN, asked)
    if as_json:
        print_json(changed)
        return
    click.echo(f"Plan {changed.slug} is changed.")
