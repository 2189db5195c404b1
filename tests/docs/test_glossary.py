"""The glossary and the architecture page speak of what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/weir"
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
ROWS = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| `([^`]+)` \|$", GLOSSARY, re.MULTILINE)
WORDS_MAX = 1400
"""What one page holds, which the architecture is."""

PAGES = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")),
]
IN_A_NODE = re.compile(r"(run|raw|dedup|quarantine|journal/(EPOCH-)?NN)/")
"""Paths of a node's own directory, not of the repository."""


def test_words_stand_once_and_in_order() -> None:
    """Somebody looks a word up."""
    words = [word.partition(",")[0] for word, _, _ in ROWS]
    assert len(words) > 40
    assert words == sorted(set(words))


@pytest.mark.parametrize(("word", "home"), [(word, home) for word, _, home in ROWS])
def test_word_is_used_where_it_is_at_home(word: str, home: str) -> None:
    """Its module exists and says it: in a name or in words."""
    path = PACKAGE / home if (PACKAGE / home).exists() else ROOT / home
    text = path.read_text().lower().replace("_", " ")
    said = [form.strip() for form in word.lower().split(",")]
    assert any(form in text for form in said), f"{home} does not say {word!r}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_a_page_names_are_there(page: str) -> None:
    """A module or folder below the package, with or without its name before, or of the root."""
    named = set(re.findall(r"`((?:[\w-]+/)+(?:[\w.-]+)?)`", (ROOT / page).read_text()))
    assert {name for name in named if _is_ours(name) and not _exists(name)} == set()


def _is_ours(name: str) -> bool:
    is_path = name.endswith(("/", ".py", ".md")) or name.startswith(("weir/", "src/weir/"))
    return is_path and not IN_A_NODE.match(name)


def _exists(name: str) -> bool:
    in_package = name.removeprefix("src/").removeprefix("weir/")
    return (PACKAGE / in_package).exists() or (ROOT / name).exists()


def test_every_folder_of_the_package_is_on_the_code_map() -> None:
    """A stranger finds each folder."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    code_map = ARCHITECTURE.partition("## Code map")[2].partition("## ")[0]
    assert folders - set(re.findall(r"`(\w+)/`", code_map)) == set()


def test_architecture_is_one_page() -> None:
    """What does not fit belongs to the pages of the folders."""
    assert len(ARCHITECTURE.split()) <= WORDS_MAX
