"""The table ``events`` as SQL over its parts: one branch per layout, one for the tail.

Two views: ``events`` has the schema's columns. ``PropertyRead.name`` columns stand beside them in
the view ``READS``: each property that the query reads, in the type it wants, from the accelerated
column where the layout's files prove that it answers the same, else from the JSON text.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from weir.domain.layout import Column, Exact, Kind, Read

TABLE: Final = "events"
READS: Final = "weir_reads"
TAIL: Final = "weir_tail"

BRANCHES_MAX: Final = 8
"""Layouts that get a branch of their own; the rows of the others are read as JSON."""

_EXACT: Final = {Read.TEXT: Exact.TEXT, Read.NUMBER: Exact.NUMBER, Read.BOOLEAN: Exact.BOOLEAN}


class Source(msgspec.Struct, frozen=True):
    """Files of one layout: absolute paths, the columns they have, and their rows in all."""

    files: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    row_count: int = 0


class PropertyRead(msgspec.Struct, frozen=True):
    """A property that a query reads, and the name of the view's column that gives it."""

    name: str
    pointer: str
    read: Read


def views(
    sources: Sequence[Source], names: Sequence[str], reads: Sequence[PropertyRead], *, tail: bool
) -> list[str]:
    """The statements that make the views; ``names`` are the schema's columns."""
    columns = [_name(each) for each in names]
    parts = [(f"read_parquet({list_of(source.files)})", source) for source in merged(sources)]
    if tail or not parts:
        parts.append((TAIL, Source(())))
    made = [_view(TABLE, [_branch(columns, rows) for rows, _ in parts])]
    if reads:
        wider = [(rows, [_column(each, source) for each in reads]) for rows, source in parts]
        made.append(_view(READS, [_branch([*columns, *more], rows) for rows, more in wider]))
    return made


def merged(sources: Sequence[Source]) -> list[Source]:
    """The sources with at most ``BRANCHES_MAX`` layouts; the smallest ones lose theirs."""
    wide = sorted((each for each in sources if each.columns), key=lambda each: -each.row_count)
    plain = {each.files for each in wide[BRANCHES_MAX:]}
    return [
        Source(each.files, (), each.row_count) if each.files in plain else each for each in sources
    ]


def list_of(texts: Sequence[str]) -> str:
    """A SQL list of texts; statements that define views and settings take no parameters."""
    return "[" + ", ".join(_text(each) for each in texts) + "]"


def _view(name: str, branches: Sequence[str]) -> str:
    return f"CREATE VIEW {name} AS " + " UNION ALL ".join(branches)


def _branch(columns: Sequence[str], rows: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {rows}"  # noqa: S608  # quoted above


def _column(read: PropertyRead, source: Source) -> str:
    for column in source.columns:
        if column.choice.pointer == read.pointer and (answer := _answer(column, read.read)):
            return f"{answer} AS {_name(read.name)}"
    return f"{_cast(_json(read.pointer), read.read)} AS {_name(read.name)}"


def _answer(column: Column, read: Read) -> str | None:
    """What reads the column in place of the JSON; None where that may differ."""
    value, kind = _name(column.choice.name), column.choice.kind
    if kind is Kind.TEXT:
        return _cast(value, read)
    if column.exact & _EXACT[read]:
        return f"CAST({value} AS {read.value})"
    if column.exact & Exact.TEXT:
        return _cast(f"CAST({value} AS VARCHAR)", read)
    return None


def _cast(text: str, read: Read) -> str:
    return text if read is Read.TEXT else f"TRY_CAST({text} AS {read.value})"


def _json(pointer: str) -> str:
    return f"json_extract_string(properties, {_text(pointer)})"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
