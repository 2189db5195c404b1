"""``weir projects``: streams of events inside a tenant."""

import click

from weir.api.routes.operator.projects import CREATE_PROJECT, LIST_PROJECTS
from weir.cli import options
from weir.cli.command import CommandGroup
from weir.cli.operator.control import open_node, open_or_make_node
from weir.cli.output import print_json, print_table
from weir.control.checks import check_slug
from weir.control.records import ProjectFilter, ProjectRequest


@click.group(cls=CommandGroup)
def projects() -> None:
    """Create and list projects."""


@projects.command()
@click.argument("slug")
@click.option("--tenant", default="default", show_default=True, help="Whose project it is.")
@options.data_dir
@options.as_json
def create(slug: str, tenant: str, data_dir: str | None, as_json: bool) -> None:
    """Create a project with its default endpoint."""
    check_slug(slug)
    with open_or_make_node(data_dir) as control:
        made = control.call(CREATE_PROJECT, ProjectRequest(slug=slug, tenant=tenant))
    if as_json:
        print_json(made)
        return
    click.echo(f"Project {made.slug} of tenant {made.tenant}. Next: weir keys create "
               f"--tenant {made.tenant} --project {made.slug}")  # fmt: skip


@projects.command(name="list")
@click.option("--tenant", help="Only this tenant's.")
@options.data_dir
@options.as_json
def list_projects(tenant: str | None, data_dir: str | None, as_json: bool) -> None:
    """List projects, oldest first."""
    with open_node(data_dir) as control:
        found = control.call(LIST_PROJECTS, ProjectFilter(tenant=tenant))
    if as_json:
        print_json(found)
        return
    rows = [(item.slug, item.tenant, item.endpoint, item.created_at) for item in found]
    print_table(("project", "tenant", "endpoint", "created"), rows)
