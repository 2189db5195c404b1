"""The guides name what is there: settings, metrics, happenings, columns, pages."""

import re
from pathlib import Path

import msgspec
import pytest

from tools.reference import FOLDER as REFERENCE
from tools.reference import ROOT
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.domain.event_time import TsSource
from weir.domain.outcome import LedgerRow
from weir.settings import load_settings

GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))


def test_the_example_of_a_settings_file_is_understood(tmp_path: Path) -> None:
    """Every name and value of the weir.toml in the page on operations is taken as it stands."""
    block = re.search(r"```toml\n(.*?)```", (GUIDE / "operations.md").read_text(), re.DOTALL)
    assert block is not None
    path = tmp_path / "weir.toml"
    path.write_text(block[1])
    found = load_settings({}, {"WEIR_CONFIG": str(path)})
    assert not found.warnings
    assert found.sources["docs_url"] == "file"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_guide_names_exists(page: Path) -> None:
    """A name that begins with weir_ stands in the reference of metrics."""
    known = (REFERENCE / "metrics.md").read_text()
    named = set(re.findall(r"`(weir_\w+)`", page.read_text()))
    assert {name for name in named if f"`{name}`" not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_that_a_guide_quotes_exists(page: Path) -> None:
    """A quoted word of several parts is known to the code or to another page."""
    folders = [ROOT / "src", ROOT / "clients" / "python" / "src"]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    sources += REFERENCE.glob("*.md")
    known = "\n".join(source.read_text() for source in sources)
    quoted = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?: = [^`]*)?`", page.read_text()))
    assert {name for name in quoted if not re.search(rf"\b{name}\b", known)} == set()


def test_the_page_on_sending_names_every_field_and_source_of_time() -> None:
    """Nothing that a sender may write, or may find in ts_source, is left out."""
    text = (GUIDE / "sending.md").read_text()
    names = {*native.FIELDS, *novamesh.FIELDS, *TsSource}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_page_on_sending_names_the_greatest_numbers_of_events() -> None:
    """The limits that are no settings are those of the code."""
    text = (GUIDE / "sending.md").read_text()
    limits = f"| {native.EVENTS_MAX}; `/v1/batch`: {novamesh.BATCH_EVENTS_MAX} |"
    assert limits in text


def test_the_page_on_the_ledger_names_every_column() -> None:
    """Each field of a row, and the balance."""
    text = (GUIDE / "ledger.md").read_text()
    columns = [*(field.name for field in msgspec.structs.fields(LedgerRow)), "balance"]
    assert [name for name in columns if f"`{name}`" not in text] == []


def test_the_index_links_every_page() -> None:
    """Guides and references can be found from docs/README.md."""
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [*PAGES, *REFERENCE.glob("*.md")]
    assert [page.name for page in pages if f"({page.parent.name}/{page.name})" not in index] == []


def test_every_linked_heading_exists() -> None:
    """A link to a part of a page leads to a heading of that page."""
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        found = re.findall(r"\]\((?!https?:)([^)#\s]*)#([\w-]+)\)", page.read_text())
        for target, anchor in found:
            text = (page.parent / target if target else page).read_text()
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            if anchor not in {_anchor(heading) for heading in headings}:
                broken.append(f"{page.name}: {target}#{anchor}")
    assert not broken


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
