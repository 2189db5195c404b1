"""The house rules as functions: source in, findings out.

``tests/tidy`` runs them over the tree and tries each on a sample that breaks it. What may differ
from project to project (limits, words, fences) is data, in ``tools/limits.py``.
"""

import ast
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import pairwise
from typing import NamedTuple

from tools.limits import (
    BANNED_NAMES,
    BANNED_WORDS,
    DISK_CALLS,
    FENCES,
    FUNCTION_LINES_MAX,
    IMPOSED_PARAMETERS,
    MAY_TOUCH_THE_WORLD,
    MODULE_LINES_MAX,
    NESTING_MAX,
    PARAMETERS_MAX,
    TEST_MODULE_LINES_MAX,
    WORLD,
)


class Source(NamedTuple):
    """One Python file; ``path`` is relative to the repository, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def in_package(self) -> str | None:
        """The path under src/weir; None outside of it."""
        prefix = "src/weir/"
        return self.path.removeprefix(prefix) if self.path.startswith(prefix) else None


class Finding(NamedTuple):
    """A broken rule: where, and what is wrong."""

    rule: str
    path: str
    name: str
    line: int
    words: str

    @property
    def key(self) -> str:
        """What names it in ``EXCEPTIONS``; holds no line number, so that it lasts."""
        return f"{self.rule} {self.path} {self.name}"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words} [{self.rule}]"


CLIENT = "clients/python/src/weir_client/"
"""A package too; one of its own, that reads the time itself."""

Rule = Callable[[Source], Iterator[Finding]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(path: str, text: str) -> Source:
    """A source from its text; raises ``SyntaxError``."""
    return Source(path, text, ast.parse(text, path))


def modules_are_short(source: Source) -> Iterator[Finding]:
    """A module has at most 500 lines, a test module 800."""
    lines = len(source.text.splitlines())
    limit = TEST_MODULE_LINES_MAX if source.is_test else MODULE_LINES_MAX
    if lines > limit:
        words = f"{lines} lines; the limit is {limit}"
        yield Finding("module-size", source.path, "", 1, words)


def functions_are_short(source: Source) -> Iterator[Finding]:
    """A function has at most 60 lines, its docstring included."""
    for function in _functions(source):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield _about(source, function, "function-size", f"has {lines} lines")


def functions_take_few_parameters(source: Source) -> Iterator[Finding]:
    """A function takes at most 7 parameters; tests may take more fixtures."""
    for function in [] if source.is_test else _functions(source):
        names = [argument.arg for argument in _arguments(function)]
        count = len([name for name in names if name not in {"self", "cls"}])
        if count > PARAMETERS_MAX:
            yield _about(source, function, "parameters", f"takes {count} parameters")


def functions_are_flat(source: Source) -> Iterator[Finding]:
    """Blocks nest at most 4 deep; ``elif`` is no deeper than its ``if``."""
    for function in _functions(source):
        depth = _depth(function.body)
        if depth > NESTING_MAX:
            yield _about(source, function, "nesting", f"nests {depth} deep")


def names_are_telling(source: Source) -> Iterator[Finding]:
    """Nothing is named by a word that says nothing."""
    path = source.path.removesuffix(".py")
    named = [(word, 1) for word in path.split("/")] + list(_bound_names(source))
    for name, line in named:
        if name.startswith("test_"):
            continue
        bare = name.strip("_").lower()
        if bare in BANNED_NAMES or BANNED_WORDS & set(_words(name)):
            yield Finding("name", source.path, name, line, f"'{name}' is a banned name")


def fences_hold(source: Source) -> Iterator[Finding]:
    """Each third-party package is imported only where it belongs, and time only by the clock."""
    inside = source.in_package
    if inside is None:
        return
    for module, line in imports_of(source):
        package = module.partition(".")[0]
        allowed = FENCES.get(package, ("*",))
        if module != "time.sleep" and not any(fnmatch(inside, pattern) for pattern in allowed):
            words = f"imports {package}, which belongs in {', '.join(allowed)}"
            yield Finding("fence", source.path, package, line, words)
    if inside != "clock.py":
        yield from _time_readings(source)


def decisions_touch_nothing(source: Source) -> Iterator[Finding]:
    """A module decides and touches nothing, unless it is listed with its reason."""
    inside = source.in_package
    if inside is None or inside in _LISTED:
        return
    for package, line in _worldly(source):
        words = f"uses {package}, which reaches the world, and is not listed"
        yield Finding("world", source.path, package, line, words)


def touches_the_world(source: Source) -> bool:
    """Whether a module uses what waits, reads the time, rolls dice or reaches outside."""
    return any(True for _ in _worldly(source))


def public_things_are_described(source: Source) -> Iterator[Finding]:
    """Modules, public classes and public functions of a package have a docstring."""
    if source.in_package is None and not source.path.startswith(CLIENT):
        return
    if ast.get_docstring(source.tree) is None:
        yield Finding("docstring", source.path, "", 1, "the module has no docstring")
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_") and ast.get_docstring(node) is None:
            words = f"{node.name} has no docstring"
            yield Finding("docstring", source.path, node.name, node.lineno, words)


def docstrings_stand_alone(source: Source) -> Iterator[Finding]:
    """No docstring begins in the middle of a sentence: of a class, a function, or a name."""
    if source.in_package is None and not source.path.startswith(CLIENT):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            words = ast.get_docstring(node) or ""
            if _LEANING.match(words):
                yield _leaning(source, node.name, node.lineno, words)
    for name, words, line in _described_names(source.tree):
        if _LEANING.match(words):
            yield _leaning(source, name, line, words)


def tests_state_their_claim(source: Source) -> Iterator[Finding]:
    """Each test has a docstring; tests have no ``__init__.py``."""
    if not source.is_test:
        return
    if source.path.endswith("/__init__.py"):
        yield Finding("test", source.path, "", 1, "tests are not packages")
    for function in _functions(source):
        if function.name.startswith("test_") and ast.get_docstring(function) is None:
            yield _about(source, function, "test", "has no docstring")


def packages_are_empty(source: Source) -> Iterator[Finding]:
    """``__init__.py`` holds a docstring only; the version stands in the topmost."""
    inside = source.in_package or ""
    if inside.endswith("/__init__.py") and len(source.tree.body) > 1:
        yield Finding("package", source.path, "", 1, "__init__.py holds more than a docstring")


def blanket_excepts_have_a_reason(source: Source) -> Iterator[Finding]:
    """``except Exception`` has a comment on its line, or raises again."""
    lines = source.text.splitlines()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or not _is_blanket(node):
            continue
        raises = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if not raises and "#" not in lines[node.lineno - 1]:
            words = "a blanket except without a reason on its line"
            yield Finding("except", source.path, str(node.lineno), node.lineno, words)


def silenced_checks_have_a_reason(source: Source) -> Iterator[Finding]:
    """``noqa`` and ``type: ignore`` are followed by a comment that says why."""
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore)(:\s*[A-Z0-9, ]+|\[[\w, -]+\])?(?P<rest>.*)")
    for number, line in enumerate(source.text.splitlines(), 1):
        found = silenced.search(line)
        if found and not re.search(r"\w{2}", found["rest"]):
            words = "a silenced check without a reason"
            yield Finding("silenced", source.path, line.strip(), number, words)


RULES: tuple[Rule, ...] = (
    modules_are_short,
    functions_are_short,
    functions_take_few_parameters,
    functions_are_flat,
    names_are_telling,
    fences_hold,
    decisions_touch_nothing,
    public_things_are_described,
    docstrings_stand_alone,
    tests_state_their_claim,
    packages_are_empty,
    blanket_excepts_have_a_reason,
    silenced_checks_have_a_reason,
)


_LISTED = {path for paths in MAY_TOUCH_THE_WORLD.values() for path in paths}

_LEANING = re.compile(r"(Of|As|The same|Likewise|Ditto)\b(?! all\b)")


def _leaning(source: Source, name: str, line: int, words: str) -> Finding:
    first = words.partition("\n")[0]
    return Finding("leaning", source.path, name, line, f"leans on its neighbour: {first}")


def _described_names(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Names that are bound, with the bare string behind their assignment, which describes them."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for bound, behind in pairwise(body if isinstance(body, list) else []):
            match bound, behind:
                case (
                    ast.AnnAssign(target=name) | ast.Assign(targets=[name]),
                    ast.Expr(value=ast.Constant(value=str(words))),
                ):
                    yield ast.unparse(name), words, behind.lineno


def _worldly(source: Source) -> Iterator[tuple[str, int]]:
    """Imports of ``WORLD`` that are carried out, not only read by a type checker; disk calls."""
    unread = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(source.tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in DISK_CALLS:
                yield node.func.attr, node.lineno
            continue
        for module, line in _names_of(node):
            parts = module.split(".")
            package = parts[0] if parts[0] in WORLD else ".".join(parts[:2])
            if package in WORLD:
                yield package, line


def _about(source: Source, function: Function, rule: str, words: str) -> Finding:
    return Finding(rule, source.path, function.name, function.lineno, f"{function.name} {words}")


def _functions(source: Source) -> list[Function]:
    nodes = ast.walk(source.tree)
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _arguments(function: Function) -> list[ast.arg]:
    given = function.args
    starred = [argument for argument in (given.vararg, given.kwarg) if argument]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]


_BLOCKS = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar,
    ast.Match,
)  # fmt: skip  # one line a kind would say no more


def _depth(body: list[ast.stmt]) -> int:
    return max((_depth_of(statement) for statement in body), default=0)


def _depth_of(statement: ast.stmt) -> int:
    if not isinstance(statement, _BLOCKS):
        return 0
    inner = [_depth(body) for body in _bodies(statement)]
    if isinstance(statement, ast.If) and _is_elif(statement):
        inner[-1] -= 1
    return 1 + max(inner)


def _is_elif(statement: ast.If) -> bool:
    orelse = statement.orelse
    return len(orelse) == 1 and isinstance(orelse[0], ast.If)


def _bodies(statement: ast.stmt) -> list[list[ast.stmt]]:
    cases = [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
    names = ("body", "finalbody", "orelse")
    return [case.body for case in cases] + [getattr(statement, name, []) for name in names]


def _bound_names(source: Source) -> Iterator[tuple[str, int]]:
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name, node.lineno
                for argument in _arguments(node):
                    if (node.name, argument.arg) not in IMPOSED_PARAMETERS:
                        yield argument.arg, argument.lineno
            case ast.ClassDef():
                yield node.name, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


def _words(name: str) -> list[str]:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")


def imports_of(source: Source) -> Iterator[tuple[str, int]]:
    """Dotted names of all imports of a source."""
    for node in ast.walk(source.tree):
        yield from _names_of(node)


def _names_of(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names; for ``from a import b`` that is ``a.b``, whether b is a module or not."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _time_readings(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in {"datetime", "date", "dt"}:
                words = f"{owner}.{node.attr} reads the time; ask a Clock"
                yield Finding("fence", source.path, node.attr, node.lineno, words)


def _is_blanket(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    return caught is None or (
        isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"}
    )
