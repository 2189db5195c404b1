"""The reference is what the code says: nothing is undocumented, nothing documented is gone."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.error_words import ERROR_WORDS
from tools.reference import FOLDER, PAGES, ROOT, command_helps, error_codes
from weir.api.table import OPERATIONS
from weir.cli.main import COMMANDS
from weir.clock import SystemClock
from weir.dialects.table import HEALTH_ROUTES, ROUTES
from weir.ingest.http.local import local_routes
from weir.node.board import Board
from weir.settings import SPECS
from weir.telemetry import Happening


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    """Run ``make docs`` after changing a setting, metric, happening, route, command or code."""
    assert (FOLDER / name).read_text() == PAGES[name](), f"run: make docs ({name} is out of date)"


def test_every_error_code_is_explained() -> None:
    """A code in the source has words in tools/error_words.py, and the other way round."""
    found = set(error_codes())
    assert found - set(ERROR_WORDS) == set(), "add words to tools/error_words.py"
    assert set(ERROR_WORDS) - found == set(), "no code raises these any more"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("settings.md", list(SPECS)),
        ("metrics.md", [item.label for item in Happening]),
        ("errors.md", list(ERROR_WORDS)),
        ("cli.md", [f"weir {name}" for name in COMMANDS]),
    ],
)
def test_page_names_everything(page: str, names: list[str]) -> None:
    """The generator itself forgets nothing."""
    text = (FOLDER / page).read_text()
    assert [name for name in names if name not in text] == []


def test_error_code_scan_finds_each_way_of_giving_one() -> None:
    """A keyword, a class's default, and a problem of a field."""
    found = error_codes()
    assert found["slug_taken"] == {409}
    assert found["rate_limited"] == {429}
    assert found["method_not_allowed"] == {405}
    assert found["validation.required"] == set()


def test_every_route_of_the_door_is_described(tmp_path: Path) -> None:
    """A path that the door answers is one of the operations."""
    board = Board.create(tmp_path / "board")
    local = local_routes(board, SystemClock(), HEALTH_ROUTES, node="", region="")
    answered = {*(route.path.encode() for route in ROUTES), *local}
    described = {operation.path.encode() for operation in OPERATIONS}
    assert answered - described == set()


def test_every_command_is_in_the_reference() -> None:
    """Groups and their commands, but for the hidden ones."""
    names = [name for name, _ in command_helps()]
    assert len(names) == len(set(names))
    assert {"weir serve", "weir keys create", "weir query"} <= set(names)


def _dependencies() -> Mapping[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    wanted += project["project"]["optional-dependencies"]["dev"]
    return {re.split(r"[><=!~; \[]", text)[0]: text for text in wanted}


def test_every_dependency_has_its_reason() -> None:
    """One line in the table for each dependency, and none for what is gone."""
    text = (FOLDER / "dependencies.md").read_text()
    listed = re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(_dependencies())


def test_every_relative_link_leads_somewhere() -> None:
    """Links between the pages of the repository hold."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_every_test_that_the_readme_cites_exists() -> None:
    """A promise that names its test names one that is there."""
    cited = re.findall(r"\[(test_\w+)\]\((tests/[\w/]+\.py)\)", (ROOT / "README.md").read_text())
    assert cited
    missing = [name for name, path in cited if f"def {name}(" not in (ROOT / path).read_text()]
    assert not missing
