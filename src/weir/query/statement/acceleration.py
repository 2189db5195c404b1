"""Reads of properties that accelerated columns can answer.

After the gate has rewritten a query, a property stands in it as an extraction from JSON. Where an
extraction surely means the ``properties`` of one table, it becomes a column of that table's other
view, which has the same rows and the property beside them (``engine/sources.py``). Where that is
not sure, or the place could tell the two views apart (``*`` with changes, a row as a whole,
NATURAL joins), the extraction stays: slower, and the same answer.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sqlglot import exp

from weir.domain.layout import Read
from weir.engine.sources import PropertyRead, reads_view
from weir.query.statement.scopes import Shapes, name_of, nodes_of, sources_of, tables_of

PROPERTIES: Final = "properties"
_EXTRACT: Final = "json_extract_string"
_CASTS: Final = {exp.DataType.Type.DOUBLE: Read.NUMBER, exp.DataType.Type.BOOLEAN: Read.BOOLEAN}
_COUNTS: Final = frozenset({"count", "count_star"})


class _Extraction(NamedTuple):
    """A read of a property that a column of its table may answer."""

    node: exp.Expr
    """The call, or the cast around it."""
    column: exp.Column
    pointer: str
    read: Read


_Reads = dict[str, dict[tuple[str, Read], PropertyRead]]
"""By table, then by pointer and type."""


def accelerate(tree: exp.Expr, shapes: Shapes) -> Mapping[str, tuple[PropertyRead, ...]]:
    """Lets columns answer in the tree, in place; returns by table what its other view must have."""
    reads: _Reads = {name: {} for name, shape in shapes.items() if shape.pointers}
    for select in list(tree.find_all(exp.Select)) if reads else ():
        tables = tables_of(select, shapes)
        if tables and _is_plain(select, tables):
            _accelerate_select(select, tables, shapes, reads)
    return {name: tuple(found.values()) for name, found in reads.items() if found}


def _accelerate_select(
    select: exp.Select, tables: dict[str, exp.Table], shapes: Shapes, reads: _Reads
) -> None:
    names = {alias: str(name_of(table, shapes)) for alias, table in tables.items()}
    found: dict[str, list[_Extraction]] = {}
    for each in _extractions(select):
        alias = _alias_of(each.column, select, tables)
        if alias is not None and each.pointer in shapes[names[alias]].pointers:
            found.setdefault(alias, []).append(each)
    if not found:
        return
    _write_out_stars(select, {alias: shapes[names[alias]].columns for alias in found})
    for alias, extractions in found.items():
        _answer_by_columns(extractions, reads[names[alias]])
        _read_other_view(tables[alias], alias, reads_view(names[alias]))


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


def _alias_of(column: exp.Column, select: exp.Select, tables: dict[str, exp.Table]) -> str | None:
    """The name of the table that the column is of; None where it may be another's."""
    if len(column.parts) == 1:
        return next(iter(tables)) if len(sources_of(select)) == 1 else None
    alias = column.table.lower()
    return alias if len(column.parts) == 2 and alias in tables else None


def _write_out_stars(select: exp.Select, columns: Mapping[str, tuple[str, ...]]) -> None:
    """Writes out ``*`` and ``t.*`` of these tables, as what they mean without further columns."""
    projections: list[exp.Expr] = []
    for projection in select.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        qualifier = projection.args.get("table")
        # A star without a table's name stands only beside a single table.
        alias = qualifier.name.lower() if qualifier else next(iter(columns))
        if not isinstance(star, exp.Star) or alias not in columns:
            projections.append(projection)
            continue
        projections += [
            exp.Column(this=exp.to_identifier(name), table=qualifier and qualifier.copy())
            for name in columns[alias]
        ]
    select.set("expressions", projections)


def _answer_by_columns(
    found: list[_Extraction], reads: dict[tuple[str, Read], PropertyRead]
) -> None:
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


def _read_other_view(table: exp.Table, alias: str, view: str) -> None:
    if not table.args.get("alias"):
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    table.set("this", exp.to_identifier(view, quoted=True))
