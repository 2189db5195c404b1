"""Reads of properties that accelerated columns can answer.

After the gate has rewritten a query, a property stands in it as an extraction from JSON. Where an
extraction surely means the ``properties`` of ``events`` itself, it becomes a column of a view
that has the same rows and the property beside them (``engine/sources.py``). Where that is not
sure, or the place could tell the two tables apart (``*`` with changes, a row as a whole, NATURAL
joins), the extraction stays: slower, and the same answer.
"""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from sqlglot import exp

from weir.domain.layout import Read
from weir.engine.sources import READS, PropertyRead
from weir.lake.schema import CANONICAL
from weir.query.scopes import events_of, nodes_of, sources_of

PROPERTIES: Final = "properties"
_EXTRACT: Final = "json_extract_string"
_CASTS: Final = {exp.DataType.Type.DOUBLE: Read.NUMBER, exp.DataType.Type.BOOLEAN: Read.BOOLEAN}
_COUNTS: Final = frozenset({"count", "count_star"})


class _Extraction(NamedTuple):
    node: exp.Expr
    """The call, or the cast around it."""
    column: exp.Column
    pointer: str
    read: Read


def accelerate(tree: exp.Expr, pointers: Collection[str]) -> tuple[PropertyRead, ...]:
    """Changes the tree in place; what its view must give. ``pointers`` are those of columns."""
    if not pointers:
        return ()
    reads: dict[tuple[str, Read], PropertyRead] = {}
    for select in list(tree.find_all(exp.Select)):
        tables = events_of(select)
        if not tables or not _is_plain(select, tables):
            continue
        found = [
            each
            for each in _extractions(select)
            if each.pointer in pointers and _source(each.column, select, tables) is not None
        ]
        if found:
            _change(select, tables, found, reads)
    return tuple(reads.values())


def _is_plain(select: exp.Select, tables: dict[str, exp.Table]) -> bool:
    """Whether nothing in the SELECT could see that its tables have more columns."""
    if any(alias.alias.lower() == PROPERTIES for alias in select.find_all(exp.Alias)):
        return False
    if any(_has_details(table) for table in tables.values()):
        return False
    if any(join.args.get("method") == "NATURAL" for join in select.args.get("joins") or ()):
        return False
    for node in nodes_of(select):
        match node:
            case exp.Column() if not node.table and node.name.lower() in tables:
                return False
            case exp.Star() if not _is_harmless(node, select):
                return False
            case _:
                pass
    return True


def _has_details(table: exp.Table) -> bool:
    alias = table.args.get("alias")
    return bool(table.args.get("joins") or (alias is not None and alias.args.get("columns")))


def _is_harmless(star: exp.Star, select: exp.Select) -> bool:
    """``count(*)``, and a plain ``*`` whose columns can be written out."""
    if any(star.args.values()):
        return False
    parent = star.parent
    if isinstance(parent, exp.Anonymous):
        return parent.name.lower() in _COUNTS
    if isinstance(parent, exp.Column):
        return parent.parent is select
    return parent is select and len(sources_of(select)) == 1


def _extractions(select: exp.Select) -> Iterator[_Extraction]:
    for node in nodes_of(select):
        if not isinstance(node, exp.Anonymous) or node.name.lower() != _EXTRACT:
            continue
        match node.expressions:
            case [exp.Column() as column, exp.Literal(is_string=True) as literal]:
                pass
            case _:
                continue
        if column.name.lower() != PROPERTIES:
            continue
        cast = node.parent
        read = _CASTS.get(cast.to.this) if type(cast) is exp.TryCast else None
        if read is None:
            yield _Extraction(node, column, str(literal.this), Read.TEXT)
        else:
            assert cast is not None
            yield _Extraction(cast, column, str(literal.this), read)


def _source(
    column: exp.Column, select: exp.Select, tables: dict[str, exp.Table]
) -> exp.Table | None:
    """The table of ``events`` that the column is of; None where it may be another's."""
    if len(column.parts) == 1:
        return next(iter(tables.values())) if len(sources_of(select)) == 1 else None
    return tables.get(column.table.lower()) if len(column.parts) == 2 else None


def _change(
    select: exp.Select,
    tables: dict[str, exp.Table],
    found: list[_Extraction],
    reads: dict[tuple[str, Read], PropertyRead],
) -> None:
    _write_out_stars(select, tables)
    as_text = {each.pointer for each in found if each.read is Read.TEXT}
    for each in found:
        node, read = each.node, each.read
        if each.pointer in as_text and read is not Read.TEXT:
            # A text that is grouped by may be cast; another column may not stand beside it.
            node, read = node.this, Read.TEXT
        key = (each.pointer, read)
        known = reads.setdefault(key, PropertyRead(f"weir_{len(reads)}", each.pointer, read))
        identifier = exp.to_identifier(known.name, quoted=True)
        node.replace(exp.Column(this=identifier, table=each.column.args.get("table")))
    for name, table in tables.items():
        if not table.args.get("alias"):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
        table.set("this", exp.to_identifier(READS, quoted=True))


def _write_out_stars(select: exp.Select, tables: dict[str, exp.Table]) -> None:
    """``*`` and ``events.*`` become the columns that they mean without the view's further ones."""
    projections: list[exp.Expr] = []
    for projection in select.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        qualifier = projection.args.get("table")
        if not isinstance(star, exp.Star) or (qualifier and qualifier.name.lower() not in tables):
            projections.append(projection)
            continue
        projections += [
            exp.Column(this=exp.to_identifier(name), table=qualifier and qualifier.copy())
            for name in CANONICAL.names
        ]
    select.set("expressions", projections)
