"""The operator's verbs of projects."""

from weir.api.operation import Verb
from weir.control.records import ProjectFilter, ProjectRecord, ProjectRequest

CREATE_PROJECT = Verb(
    method="POST",
    path="/projects",
    name="create_project",
    summary="Make a project with its default endpoint.",
    request=ProjectRequest,
    returns=ProjectRecord,
    run=lambda control, asked: control.projects.create(asked),
)

LIST_PROJECTS = Verb(
    method="GET",
    path="/projects",
    name="list_projects",
    summary="List the projects of a tenant, or all.",
    request=ProjectFilter,
    returns=tuple[ProjectRecord, ...],
    run=lambda control, asked: control.projects.list(asked),
)
