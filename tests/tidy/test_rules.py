"""The rules of the house over the whole tree, and each rule over a sample that breaks it."""

import pytest

from tools.limits import EXCEPTIONS, EXCEPTIONS_MAX, MAY_TOUCH_THE_WORLD, TOUCHING_MAX
from tools.tidy import RULES, Source, parse, touches_the_world
from tools.tidy_tree import (
    confusable_modules,
    crowded_folders,
    import_cycles,
    repeated_class_names,
)

SAMPLES = {
    "module-size": ("src/weir/a.py", '"""Long."""\n' * 501),
    "function-size": ("src/weir/a.py", "def f():\n" + "    g()\n" * 60),
    "parameters": ("src/weir/a.py", "def f(a, b, c, d, *, e, f, g, h): ..."),
    "nesting": (
        "src/weir/a.py",
        "def f():\n if a:\n  for b in c:\n   with d:\n    while e:\n     if g: h()",
    ),
    "name": ("src/weir/helpers.py", ""),
    "fence": ("src/weir/journal/a.py", "import duckdb"),
    "world": ("src/weir/domain/a.py", "from os import path"),
    "leaning": ("src/weir/a.py", 'def f():\n    """The same of a list."""'),
    "docstring": ("src/weir/a.py", "class Open: ..."),
    "test": ("tests/unit/test_a.py", "def test_it(): ..."),
    "package": ("src/weir/lake/__init__.py", '"""Lake."""\nfrom weir.lake.schema import A'),
    "except": ("src/weir/a.py", "try: f()\nexcept Exception: g()"),
    "silenced": ("src/weir/a.py", "import a  # no" + "qa: F401"),
}

NAMES = [
    "class QueryManager: ...",
    "def f(data): ...",
    "info = 1",
    "self.common_part = 2",
    "from a import b as utils",
]

LEANING = [
    'def f():\n    """As above."""',
    'class A:\n    """Of an object."""',
    'class A:\n    b: int = 0\n    """Of the body, in bytes."""',
    'LIMIT = 3\n"""The same of a list."""',
    'class A:\n    def f(self):\n        self.b = 1\n        """As claimed."""',
]

TIME_READINGS = ["import time", "from time import monotonic", "datetime.now(UTC)", "date.today()"]


def _broken(source: Source) -> set[str]:
    return {finding.rule for rule in RULES for finding in rule(source)}


def test_tree_keeps_every_rule(sources: list[Source]) -> None:
    """No file breaks a rule, but for the listed exceptions."""
    findings = [finding for rule in RULES for source in sources for finding in rule(source)]
    new = [str(finding) for finding in findings if finding.key not in EXCEPTIONS]
    assert not new, "\n".join(new)
    stale = set(EXCEPTIONS) - {finding.key for finding in findings}
    assert not stale, f"exceptions that nothing needs any more: {stale}"


def test_exceptions_only_shrink() -> None:
    """The list of exceptions is exactly as long as its limit, and each has a reason."""
    assert len(EXCEPTIONS) == EXCEPTIONS_MAX
    assert all(EXCEPTIONS.values())


def test_what_touches_the_world_only_shrinks(sources: list[Source]) -> None:
    """The list is exactly as long as its limit; who touches nothing any more is off it."""
    listed = [path for paths in MAY_TOUCH_THE_WORLD.values() for path in paths]
    assert len(listed) == len(set(listed)) == TOUCHING_MAX
    touching = {source.in_package for source in sources if touches_the_world(source)}
    assert set(listed) - touching == set()


def test_no_folder_is_crowded(sources: list[Source]) -> None:
    """A folder holds few modules."""
    assert crowded_folders(sources) == {}


def test_public_class_names_are_said_once_in_a_folder(sources: list[Source]) -> None:
    """One word, one meaning."""
    assert repeated_class_names(sources) == []


def test_module_names_of_a_folder_are_told_apart(sources: list[Source]) -> None:
    """Nobody has to look twice at which of two he is in."""
    assert confusable_modules(sources) == []


def test_package_has_no_import_cycle(sources: list[Source]) -> None:
    """No module of the package imports, by whatever way, itself."""
    assert import_cycles(sources) == []


@pytest.mark.parametrize("rule", SAMPLES)
def test_rule_finds_its_sample(rule: str) -> None:
    """Each rule notices a file that breaks it."""
    path, text = SAMPLES[rule]
    assert rule in _broken(parse(path, text))


@pytest.mark.parametrize("text", NAMES)
def test_banned_name_is_found_wherever_it_is_bound(text: str) -> None:
    """Classes, parameters, variables, attributes and aliases are names too."""
    assert "name" in _broken(parse("src/weir/a.py", text))


@pytest.mark.parametrize("text", LEANING)
def test_leaning_docstring_is_found_wherever_it_stands(text: str) -> None:
    """Classes, functions, constants and attributes are each described by a whole sentence."""
    assert "leaning" in _broken(parse("src/weir/a.py", text))
    assert "leaning" not in _broken(parse("src/weir/a.py", 'A = 1\n"""Of all bodies."""'))


@pytest.mark.parametrize("text", TIME_READINGS)
def test_reading_the_time_is_found(text: str) -> None:
    """Only the clock reads the time."""
    assert "fence" in _broken(parse("src/weir/a.py", text))
    assert "fence" not in _broken(parse("src/weir/clock.py", "import time"))


def test_elif_chain_is_flat() -> None:
    """A chain of elif branches nests once, however long it is."""
    text = "def f():\n if a: b()\n" + " elif c: d()\n" * 9 + " else: e()\n"
    assert "nesting" not in _broken(parse("tools/a.py", text))


def test_cycle_through_a_function_is_found() -> None:
    """An import inside a function counts."""
    texts = {
        "src/weir/a.py": "from weir.b import c",
        "src/weir/b.py": "def f():\n    import weir.d",
        "src/weir/d.py": "from weir import a",
        "src/weir/e.py": "import weir.a",
    }
    sources = [parse(path, text) for path, text in texts.items()]
    assert import_cycles(sources) == [["weir.a", "weir.b", "weir.d"]]


def test_what_only_a_type_checker_imports_touches_nothing() -> None:
    """Annotations may name what a module does not use."""
    text = "if TYPE_CHECKING:\n    import asyncio\n    import weir.a\n"
    assert not touches_the_world(parse("src/weir/a.py", text))
    assert touches_the_world(parse("src/weir/a.py", "def f():\n    import urllib.request"))
    assert touches_the_world(parse("src/weir/a.py", "def f(path): return path.read_bytes()"))


def test_sixteen_modules_are_a_crowd() -> None:
    """The package's docstring aside."""
    names = ["__init__", *(f"m{number}" for number in range(15))]
    sources = [parse(f"src/weir/a/{name}.py", "") for name in names]
    assert crowded_folders(sources) == {}
    assert crowded_folders([*sources, parse("src/weir/a/m15.py", "")]) == {"src/weir/a": 16}


def test_repeated_class_name_is_found() -> None:
    """In the same folder; elsewhere, and for private ones, it is another matter."""
    one, two = (parse(f"src/weir/a/{name}.py", "class Batch: ...\nclass _B: ...") for name in "xy")
    other = parse("src/weir/b/x.py", "class Batch: ...")
    assert len(repeated_class_names([one, two, other])) == 1


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("replay", "replays"), 1),
        (("commit", "committer"), 0),
        (("tail", "tall"), 1),
        (("a", "b"), 1),
    ],
)
def test_names_that_are_nearly_the_same_are_found(names: tuple[str, str], found: int) -> None:
    """A letter, or an ending."""
    sources = [parse(f"src/weir/a/{name}.py", "") for name in names]
    assert len(confusable_modules(sources)) == found
