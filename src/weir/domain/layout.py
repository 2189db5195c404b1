"""Layouts: which properties stand in typed columns of a lake file beside their JSON text.

A column is an index, never the truth: it may answer a read only where the file proves that it
gives, row for row, what the JSON text gives. See docs/formats/lake.md.
"""

from enum import IntFlag, StrEnum
from hashlib import blake2b

import msgspec

PREFIX = "p_"


class ColumnKind(StrEnum):
    """What an accelerated column holds."""

    TEXT = "text"
    """What ``properties->>'key'`` returns, whatever the value was."""
    INTEGER = "i64"
    FLOAT = "f64"
    BOOLEAN = "bool"


class Read(StrEnum):
    """The SQL type that a query reads a property as."""

    TEXT = "VARCHAR"
    NUMBER = "DOUBLE"
    BOOLEAN = "BOOLEAN"


class Exact(IntFlag):
    """The reads for which a column says the same as the JSON in every row of its file."""

    NONE = 0
    TEXT = 1
    BOOLEAN = 4
    NUMBER = 8
    """Bit 2 is what files proved while NaN and ``1_000`` were numbers: it proves nothing."""


class Accelerated(msgspec.Struct, frozen=True, order=True):
    """A property that is chosen for a column. ``pointer`` is a JSON pointer (RFC 6901)."""

    pointer: str
    kind: ColumnKind

    @property
    def name(self) -> str:
        """The column's name in a file: ``p_price__f64``, ``p_address/city__text``."""
        return f"{PREFIX}{self.pointer[1:]}__{self.kind.value}"


class Column(msgspec.Struct, frozen=True):
    """An accelerated column of a file, and what was proven of it there."""

    choice: Accelerated
    exact: Exact


class Layout(msgspec.Struct, frozen=True):
    """The accelerated columns that some files of a project have in common."""

    id: int
    project_id: int
    columns: tuple[Column, ...]

    @property
    def choices(self) -> tuple[Accelerated, ...]:
        """The columns without their proofs."""
        return tuple(column.choice for column in self.columns)


NO_LAYOUT = 0
"""The id of files without accelerated columns; there is no ``Layout`` for it."""


def layout_of(project_id: int, columns: tuple[Column, ...]) -> Layout | None:
    """The layout with these columns; None without any. Its id is made from its content."""
    if not columns:
        return None
    content = msgspec.msgpack.encode((project_id, columns))
    digest = blake2b(content, digest_size=8).digest()
    return Layout((int.from_bytes(digest, "big") >> 1) or 1, project_id, columns)
