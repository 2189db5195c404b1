"""Tables as SQL over what they consist of: one branch per layout of files, one for the tail.

A table becomes a view of its name, which has the schema's columns. Where a query reads properties
there is a second view, ``reads_view``, with a column ``PropertyRead.name`` beside them for each:
in the type that the query wants, from the accelerated column where the layout's files prove that
it answers the same, else from the JSON text.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from weir.domain.layout import Column, ColumnKind, Exact, Read
from weir.domain.sql import list_of, quoted, text_literal
from weir.engine.numbers import number

BRANCHES_MAX: Final = 8
"""Layouts that get a branch of their own; the rows of the others are read as JSON."""

_EXACT: Final = {Read.TEXT: Exact.TEXT, Read.NUMBER: Exact.NUMBER, Read.BOOLEAN: Exact.BOOLEAN}


class Source(msgspec.Struct, frozen=True):
    """Files of one layout: absolute paths, the accelerated columns they have, and their rows."""

    files: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    row_count: int = 0


class PropertyRead(msgspec.Struct, frozen=True):
    """A property that a query reads, and the column of ``reads_view`` that holds it."""

    name: str
    pointer: str
    read: Read


class SessionTable(NamedTuple):
    """A table that a session can read: the columns of its rows, and where the rows are."""

    name: str
    schema: pa.Schema
    sources: Sequence[Source] = ()
    tail: pa.Table | None = None
    reads: Sequence[PropertyRead] = ()
    """The properties that the statement reads through ``reads_view``."""

    @property
    def rows_in_memory(self) -> pa.Table | None:
        """The rows to be registered as ``tail_rows``: the tail, or none where there is nothing."""
        if self.tail is None and not self.sources:
            return self.schema.empty_table()
        return self.tail


def reads_view(table: str) -> str:
    """Returns the name of a table's view with properties; no CTE can be named like it."""
    return f"{table}:reads"


def tail_rows(table: str) -> str:
    """Returns the name under which a table's rows in memory are registered."""
    return f"{table}:tail"


def views(table: SessionTable) -> list[str]:
    """Returns the statements that make the table's views."""
    columns = [quoted(each) for each in table.schema.names]
    parts = [(f"read_parquet({list_of(each.files)})", each) for each in merged(table.sources)]
    if table.rows_in_memory is not None:
        parts.append((quoted(tail_rows(table.name)), Source(())))
    made = [_view(table.name, [_branch(columns, rows) for rows, _ in parts])]
    if table.reads:
        wider = [(rows, [_column(each, source) for each in table.reads]) for rows, source in parts]
        branches = [_branch([*columns, *more], rows) for rows, more in wider]
        made.append(_view(reads_view(table.name), branches))
    return made


def merged(sources: Sequence[Source]) -> list[Source]:
    """Returns the sources with at most ``BRANCHES_MAX`` layouts; the smallest ones lose theirs."""
    wide = sorted((each for each in sources if each.columns), key=lambda each: -each.row_count)
    plain = {each.files for each in wide[BRANCHES_MAX:]}
    return [
        Source(each.files, (), each.row_count) if each.files in plain else each for each in sources
    ]


def _view(name: str, branches: Sequence[str]) -> str:
    return f"CREATE VIEW {quoted(name)} AS " + " UNION ALL ".join(branches)


def _branch(columns: Sequence[str], rows: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {rows}"  # noqa: S608  # quoted above


def _column(read: PropertyRead, source: Source) -> str:
    for column in source.columns:
        if column.choice.pointer == read.pointer and (answer := _answer(column, read.read)):
            return f"{answer} AS {quoted(read.name)}"
    return f"{_cast(_json(read.pointer), read.read)} AS {quoted(read.name)}"


def _answer(column: Column, read: Read) -> str | None:
    """What reads the column in place of the JSON; None where that may differ."""
    value, kind = quoted(column.choice.name), column.choice.kind
    if kind is ColumnKind.TEXT:
        return _cast(value, read)
    if column.exact & _EXACT[read]:
        return f"CAST({value} AS {read.value})"
    if column.exact & Exact.TEXT:
        return _cast(f"CAST({value} AS VARCHAR)", read)
    return None


def _cast(text: str, read: Read) -> str:
    match read:
        case Read.TEXT:
            return text
        case Read.NUMBER:
            return number(text)
        case Read.BOOLEAN:
            return f"TRY_CAST({text} AS BOOLEAN)"


def _json(pointer: str) -> str:
    return f"json_extract_string(properties, {text_literal(pointer)})"
