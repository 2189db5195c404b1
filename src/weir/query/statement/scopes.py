"""Which table a name means: CTEs that are visible from a place, and the scope of a SELECT."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from sqlglot import exp


class TableShape(NamedTuple):
    """What the gate knows of a table: its columns, in the order of ``*``, and accelerated ones."""

    columns: tuple[str, ...]
    pointers: frozenset[str] = frozenset()
    """JSON pointers of the properties that have columns in some of its files."""


Shapes = Mapping[str, TableShape]
"""The tables that a statement may read, by their names in lower case."""


def visible_ctes(table: exp.Table) -> set[str]:
    """Returns the CTEs that the table may mean: those of its ancestors, earlier ones only."""
    names: set[str] = set()
    child: exp.Expr = table
    parent = table.parent
    while parent is not None:
        if isinstance(parent, exp.With):
            names.update(_names_before(parent, child))
        elif not isinstance(child, exp.With) and (clause := parent.args.get("with_")):
            names.update(_names_before(clause, None))
        child, parent = parent, parent.parent
    return names


def nodes_of(select: exp.Select) -> Iterator[exp.Expr]:
    """Yields the nodes of a SELECT that are not inside another query or a lambda."""
    waiting: list[exp.Expr] = list(select.iter_expressions())
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Query | exp.Lambda | exp.With):
            continue
        yield node
        waiting += node.iter_expressions()


def name_of(table: exp.Table, names: Collection[str]) -> str | None:
    """Returns which of the tables named ``names`` it is; None for anything else."""
    name = table.name.lower()
    if not isinstance(table.this, exp.Identifier) or name not in names:
        return None
    return None if name in visible_ctes(table) else name


def tables_of(select: exp.Select, names: Collection[str]) -> dict[str, exp.Table]:
    """Returns the SELECT's own tables of these names, by the name that their columns carry."""
    return {
        table.alias_or_name.lower(): table
        for table in (source.this for source in sources_of(select))
        if isinstance(table, exp.Table) and name_of(table, names)
    }


def sources_of(select: exp.Select) -> list[exp.Expr]:
    """Returns FROM, JOINs and LATERALs, each of which holds a table."""
    source = select.args.get("from_")
    rest = [*(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]
    return [] if source is None else [source, *rest]


def _names_before(clause: exp.With, end: exp.Expr | None) -> list[str]:
    names = []
    for cte in clause.expressions:
        if cte is end:
            break
        names.append(cte.alias.lower())
    return names
