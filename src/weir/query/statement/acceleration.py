"""Reads of properties that accelerated columns can answer.

The rewriting tells where it put extractions from JSON. Where one surely means the ``properties``
of one table, it becomes a column of that table's other view, which has the same rows and the
property beside them (``engine/sources.py``). Where that is not sure, or the place could tell the
two views apart (``*`` with changes, a row as a whole, NATURAL joins), the extraction stays:
slower, and the same answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from weir.domain.layout import Read
from weir.engine.sources import PropertyRead, reads_view
from weir.query.statement.nodes import Node, column, is_expression, orders_of, replaced
from weir.query.statement.rewrite import Extraction
from weir.query.statement.scopes import (
    Mention,
    Scopes,
    Shapes,
    joins_of,
    nodes_of,
    sources_of,
)

PROPERTIES: Final = "properties"

_Reads = dict[str, dict[tuple[str, Read], PropertyRead]]
"""By table, then by pointer and type."""


def accelerate(
    scopes: Scopes, shapes: Shapes, extractions: Sequence[Extraction]
) -> Mapping[str, tuple[PropertyRead, ...]]:
    """Lets columns answer in the tree, in place; returns by table what its other view must have."""
    reads: _Reads = {name: {} for name, shape in shapes.items() if shape.pointers}
    by_select: dict[int, list[Extraction]] = {}
    for each in extractions if reads else ():
        by_select.setdefault(id(each.select), []).append(each)
    for select in (scope.select for scope in scopes.selects):
        mine = by_select.get(id(select))
        tables = scopes.tables(select) if mine else {}
        if mine and tables and _is_plain(select, tables):
            _accelerate_select(select, tables, shapes, reads, mine)
    return {name: tuple(found.values()) for name, found in reads.items() if found}


def _accelerate_select(
    select: Node,
    tables: Mapping[str, Mention],
    shapes: Shapes,
    reads: _Reads,
    extractions: Iterable[Extraction],
) -> None:
    found: dict[str, list[Extraction]] = {}
    for each in extractions:
        alias = _alias_of(each.column, select, tables)
        if alias is not None and each.pointer in shapes[tables[alias].name].pointers:
            found.setdefault(alias, []).append(each)
    if not found:
        return
    _write_out_stars(select, {alias: shapes[tables[alias].name].columns for alias in found})
    for alias, mine in found.items():
        _answer_by_columns(mine, reads[tables[alias].name])
        _read_other_view(tables[alias].table, alias, reads_view(tables[alias].name))


def _is_plain(select: Node, tables: Mapping[str, Mention]) -> bool:
    """Whether nothing in the SELECT could see that its tables have more columns."""
    if any(join.get("ref_type") == "NATURAL" for join in joins_of(select)):
        return False
    if any(mention.table.get("column_name_alias") for mention in tables.values()):
        return False
    sorting = {id(order["expression"]) for order in orders_of(select)}
    for node in nodes_of(select):
        if str(node.get("alias", "")).lower() == PROPERTIES:
            return False
        if is_expression(node, "COLUMN_REF"):
            names = node["column_names"]
            if len(names) == 1 and names[0].lower() in tables:
                return False
        if is_expression(node, "STAR") and not _is_harmless(node, select, sorting):
            return False
    return True


def _is_harmless(star: Node, select: Node, sorting: set[int]) -> bool:
    """A plain ``*`` whose columns can be written out, and ORDER BY ALL."""
    if id(star) in sorting:
        return True
    if set(star) - {"class", "type", "query_location", "query_location_length", "relation_name"}:
        return False
    if not any(star is item for item in select["select_list"]):
        return False
    return "relation_name" in star or len(sources_of(select)) == 1


def _alias_of(names: tuple[str, ...], select: Node, tables: Mapping[str, Mention]) -> str | None:
    """The name of the table that a column is of; None where it may be another's."""
    if names[-1].lower() != PROPERTIES:
        return None
    if len(names) == 1:
        return next(iter(tables)) if len(sources_of(select)) == 1 else None
    return names[0].lower() if names[0].lower() in tables else None


def _write_out_stars(select: Node, columns: Mapping[str, tuple[str, ...]]) -> None:
    """Writes out ``*`` and ``t.*`` of these tables, as what they mean without further columns."""
    items: list[Node] = []
    for item in select["select_list"]:
        qualifier = item.get("relation_name")
        # A star without a table's name stands only beside a single table.
        alias = qualifier.lower() if qualifier else next(iter(columns))
        if not is_expression(item, "STAR") or alias not in columns:
            items.append(item)
            continue
        items += [column(*([qualifier] if qualifier else []), name) for name in columns[alias]]
    select["select_list"] = items


def _answer_by_columns(
    found: list[Extraction], reads: dict[tuple[str, Read], PropertyRead]
) -> None:
    # A text that is grouped by may be cast; another column may not stand beside it.
    as_text = {each.pointer for each in found if each.read in (None, Read.TEXT)}
    for each in found:
        read = Read.TEXT if each.pointer in as_text or each.read is None else each.read
        key = (each.pointer, read)
        known = reads.setdefault(key, PropertyRead(f"weir_{len(reads)}", each.pointer, read))
        answer = column(*each.column[:-1], known.name)
        for node in each.texts if read is Read.TEXT else [each.node]:
            replaced(node, answer)


def _read_other_view(table: Node, alias: str, view: str) -> None:
    if not table.get("alias"):
        table["alias"] = alias
    table["table_name"] = view
    table["qualified_name"] = {"path": [view]}
