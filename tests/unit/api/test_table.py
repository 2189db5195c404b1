"""The table of operations and the routes of the api process are one list, told twice."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from unittest.mock import Mock

from starlette.routing import Route

import weir.api.routes
from weir.api.app import build_app
from weir.api.routes.description import EDGEMQ_PATH, description_routes
from weir.api.routing import route
from weir.api.table import OPERATIONS, RELAYED
from weir.server import api_routes as api_process


def _makers() -> list[Callable[..., list[Route]]]:
    """Every function of a module of ``api/routes`` that makes routes for the app."""
    modules = [
        import_module(f"weir.api.routes.{found.name}")
        for found in iter_modules(weir.api.routes.__path__)
    ]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("_routes") and value is not description_routes
    ]


def _made(maker: Callable[..., list[Route]]) -> list[Route]:
    """Its routes over stand-ins: what they answer is not asked."""
    parts = inspect.signature(maker).parameters.values()
    given = [Mock() for part in parts if part.kind is not part.KEYWORD_ONLY]
    named = {part.name: Mock() for part in parts if part.kind is part.KEYWORD_ONLY}
    return maker(*given, **named)


def _told(routes: list[Route]) -> set[tuple[str, str, str]]:
    return {
        (method, each.path, each.name)
        for each in routes
        for method in (each.methods or set()) - {"HEAD"}
    }


def test_relayed_rows_are_the_routes_of_the_app() -> None:
    """Both ways, but for the second path of the description, which EdgeMQ's clients ask."""
    app = build_app([each for maker in _makers() for each in _made(maker)])
    routes = [each for each in app.routes if isinstance(each, Route) and each.path != EDGEMQ_PATH]
    assert _told(routes) == _told([route(row, Mock()) for row in RELAYED])


def test_api_process_serves_what_makes_routes() -> None:
    """A module of ``api/routes`` that the process does not wire answers nobody."""
    wired = list(vars(api_process).values())
    assert [maker.__name__ for maker in _makers() if maker not in wired] == []


def test_operation_has_a_name_and_a_place_of_its_own() -> None:
    """No two rows are alike, whoever answers them."""
    assert len({row.name for row in OPERATIONS}) == len(OPERATIONS)
    assert len({(row.method, row.path) for row in OPERATIONS}) == len(OPERATIONS)
