"""``weir files``: the Parquet files that hold a project's events, as the catalog has them."""

import contextlib

import click

from weir.api.routes.operator.projects import LIST_PROJECTS
from weir.catalog.adapter import SqlCatalog
from weir.cli import options
from weir.cli.command import Command
from weir.cli.node import find_directory
from weir.cli.operator.control import open_node
from weir.cli.output import print_json
from weir.control.records import DEFAULT_SLUG, ProjectFilter, ProjectRecord
from weir.domain.snapshot import LakeFile
from weir.errors import NotFound
from weir.node.directory import Directory
from weir.storage.database import sqlite_url


@click.command(cls=Command)
@click.option(
    "--project", metavar="SLUG", default=DEFAULT_SLUG, show_default=True, help="Whose events."
)
@click.option(
    "--tenant", metavar="SLUG", default=DEFAULT_SLUG, show_default=True, help="Whose project it is."
)
@options.data_dir
@options.as_json
def files(project: str, tenant: str, data_dir: str | None, as_json: bool) -> None:
    """Print the paths of the Parquet files that hold a project's events now.

    All of one moment, oldest day first, each event once; whether the node runs or not. Other files
    below DIR/lake were replaced by merged ones and hold the same events again, so a list is right
    where a glob is not. A file that is listed stays for a minute at least. Events that are not in
    the lake yet (see cut_age_s) are in none.
    """
    with open_node(data_dir) as control:
        found = _project(control.call(LIST_PROJECTS, ProjectFilter(tenant=tenant)), project, tenant)
    directory = Directory(find_directory(data_dir).root.resolve())
    listed = _listed(directory, found.number)
    if as_json:
        print_json(
            [
                {
                    "path": str(directory.root / file.path),
                    "day": file.day,
                    "row_count": file.row_count,
                    "byte_count": file.byte_count,
                }
                for file in listed
            ]
        )
        return
    for file in listed:
        click.echo(directory.root / file.path)


def _project(found: tuple[ProjectRecord, ...], slug: str, tenant: str) -> ProjectRecord:
    for project in found:
        if project.slug == slug:
            return project
    raise NotFound(
        f"Tenant {tenant} has no project {slug}.",
        code="project_not_found",
        hint="weir projects list shows those that there are.",
    )


def _listed(directory: Directory, project_id: int) -> list[LakeFile]:
    if not directory.catalog_db.exists():  # it has never run
        return []
    with contextlib.closing(SqlCatalog.open(sqlite_url(directory.catalog_db))) as catalog:
        return catalog.files_of(project_id)
