"""The engine's own reading of SQL: text to a tree and back, and the words of a text.

The tree is what ``json_serialize_sql`` gives, as JSON; literals are texts in it, as they were
written. ``json_deserialize_sql`` writes it back. Both are scalar functions: they touch no table
and no file. The format is the pinned version's; ``query/statement/nodes.py`` knows every part of
it that may occur.
Source: docs/decisions/0012-the-engines-own-tree.md
"""

from collections.abc import Collection
from typing import Final, NamedTuple

import duckdb

_READ: Final = (
    "SELECT json_serialize_sql("
    "$1::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"
)
_WRITE: Final = "SELECT json_deserialize_sql($1::JSON)"
_COMMENT: Final = duckdb.token_type.comment


class Token(NamedTuple):
    """A word or a sign; ``start`` and ``end`` count bytes of the text in UTF-8."""

    start: int
    end: int
    text: str


class UnreadableTree(Exception):  # the gate says it in its own words
    """What the engine cannot read, or cannot write as SQL."""


class Syntax:
    """Reads and writes statements on a connection, which has nothing else under way."""

    __slots__ = ("_connection", "names")

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: Collection[str] = ()) -> None:
        self._connection = connection
        self.names = names
        """The functions, tables and views that the engine brings, in lower case."""

    def read(self, sql: str) -> str:
        """Returns the tree as JSON; for what is no SQL an object that says ``error``."""
        return self._one(_READ, sql)

    def write(self, tree: str) -> str:
        """Returns the tree's SQL. Raises ``UnreadableTree``."""
        return self._one(_WRITE, tree)

    @staticmethod
    def tokens(sql: str) -> list[Token]:
        """Returns the words and signs of any text, comments left out."""
        encoded = sql.encode()
        found = duckdb.tokenize(sql)
        ends = [start for start, _ in found[1:]]
        tokens: list[Token] = []
        for (start, kind), end in zip(found, [*ends, len(encoded)], strict=False):
            if kind != _COMMENT:
                text = encoded[start:end].decode(errors="ignore").rstrip(" \t\n\r\f\v")
                if text:
                    tokens.append(Token(start, start + len(text.encode()), text))
        return tokens

    def _one(self, statement: str, value: str) -> str:
        try:
            (row,) = self._connection.execute(statement, [value]).fetchall()
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise UnreadableTree(type(error).__name__) from None
        return str(row[0])
