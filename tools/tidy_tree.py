"""The house rules that no file keeps alone: folders, names beside one another, import cycles."""

import ast
from collections import Counter, defaultdict
from itertools import combinations

from tools.limits import FOLDER_MODULES_MAX
from tools.tidy import Source, imports_of


def crowded_folders(sources: list[Source]) -> dict[str, int]:
    """Folders of the package with more modules than one folder may hold, and how many."""
    counts = Counter(
        source.path.rpartition("/")[0]
        for source in sources
        if source.in_package is not None and not source.path.endswith("/__init__.py")
    )
    return {folder: count for folder, count in counts.items() if count > FOLDER_MODULES_MAX}


def repeated_class_names(sources: list[Source]) -> list[str]:
    """Public classes whose name stands for another one too in their folder."""
    seen: dict[tuple[str, str], str] = {}
    repeated = []
    for source in sources:
        folder = source.path.rpartition("/")[0]
        for node in source.tree.body if source.in_package is not None else []:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            other = seen.setdefault((folder, node.name), source.path)
            if other != source.path:
                repeated.append(f"{node.name}: {other} and {source.path}")
    return repeated


def confusable_modules(sources: list[Source]) -> list[str]:
    """Modules of one folder whose names differ by a letter or an ending."""
    folders: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        folder, _, name = source.path.removesuffix(".py").rpartition("/")
        if source.in_package is not None:
            folders[folder].append(name)
    return [
        f"{folder}: {one} and {other}"
        for folder, names in folders.items()
        for one, other in combinations(sorted(names), 2)
        if _are_alike(one, other)
    ]


def import_cycles(sources: list[Source]) -> list[list[str]]:
    """Groups of modules of the package that import one another, imports in functions included."""
    modules = {_module_name(source.path): source for source in sources if source.in_package}
    graph = {
        name: {
            target
            for module, _ in imports_of(source)
            if (target := _nearest(module, modules)) and target != name
        }
        for name, source in modules.items()
    }
    reach = {name: _reachable(name, graph) for name in graph}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return sorted(list(group) for group in groups)


def _are_alike(one: str, other: str) -> bool:
    """Whether two names differ by one letter, or one is the other with an ending."""
    if other.startswith(one):
        return other[len(one) :] in {"s", "r", "er", "ed", "d", "ing", "or", "ion"}
    if len(one) != len(other):
        return False
    return sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _module_name(path: str) -> str:
    dotted = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
    return dotted.removesuffix(".__init__")


def _nearest(name: str, modules: dict[str, Source]) -> str | None:
    """The module that a dotted name leads to: itself, or the one that holds it."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found
