"""Which table a name means: CTEs that are visible from a place, and the scope of a SELECT."""

from collections.abc import Iterator

from sqlglot import exp

from weir.engine.sources import TABLE


def visible_ctes(table: exp.Table) -> set[str]:
    """Names of the CTEs that the table may mean: those of its ancestors, earlier ones only."""
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
    """The nodes of a SELECT that are not inside another query or a lambda."""
    waiting: list[exp.Expr] = list(select.iter_expressions())
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Query | exp.Lambda | exp.With):
            continue
        yield node
        waiting += node.iter_expressions()


def is_events(table: exp.Table) -> bool:
    """Whether the table is ``events`` itself, not a CTE of that name."""
    return (
        isinstance(table.this, exp.Identifier)
        and table.name.lower() == TABLE
        and TABLE not in visible_ctes(table)
    )


def events_of(select: exp.Select) -> dict[str, exp.Table]:
    """The SELECT's own ``events``, by the name that its columns carry."""
    return {
        table.alias_or_name.lower(): table
        for table in (source.this for source in sources_of(select))
        if isinstance(table, exp.Table) and is_events(table)
    }


def sources_of(select: exp.Select) -> list[exp.Expr]:
    """FROM, JOINs and LATERALs, each of which holds a table."""
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
