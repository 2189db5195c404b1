"""Accelerated columns out of JSON text, by the engine that reads the text otherwise.

The same function extracts here and in a query without the column, so a text column is exact by
definition. Of a typed column every row is held against the text: as what it may be read is told
by ``Exact``.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from weir.domain.layout import Accelerated, ColumnKind, Exact
from weir.engine.numbers import number
from weir.errors import Unavailable

MEMORY_BYTES: Final = 512 * 1024 * 1024
BATCH_ROWS: Final = 30_720
"""Rows that are extracted at once: bounds what the texts take beside the rows."""

_ROWS = "rows_to_extract"
_TYPED: Final[dict[ColumnKind, str]] = {
    ColumnKind.TEXT: "{text}",
    ColumnKind.INTEGER: "TRY_CAST({text} AS BIGINT)",
    ColumnKind.FLOAT: number("{text}"),
    ColumnKind.BOOLEAN: "CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END",
}
_ALL_EXACT: Final = Exact.TEXT | Exact.NUMBER | Exact.BOOLEAN


class Extracted(NamedTuple):
    """Extracted columns of equal length, in the order asked for, and as what each may be read."""

    columns: list[pa.ChunkedArray]
    exact: list[Exact]


class Extractor:
    """Extracts columns by an engine of its own, over rows in memory; for one thread."""

    __slots__ = ("_connection",)

    def __init__(self) -> None:
        import duckdb  # takes a tenth of a second and 50 MB: not for a loader without large files

        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": "1",
            "memory_limit": f"{MEMORY_BYTES}B",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._connection = duckdb.connect(":memory:", config=settings)
        self._connection.execute("SET temp_directory = ''")
        self._connection.execute("SET enable_external_access = false")

    def extract(self, properties: pa.ChunkedArray, choices: Sequence[Accelerated]) -> Extracted:
        """Returns the columns of ``choices`` from a column of JSON objects.

        Raises ``Unavailable`` when the engine cannot, for want of memory above all.
        """
        pieces: list[list[pa.ChunkedArray]] = [[] for _ in choices]
        exact = [_ALL_EXACT] * len(choices)
        statement = _statement(choices)
        for start in range(0, len(properties), BATCH_ROWS):
            batch = self._run(statement, properties.slice(start, BATCH_ROWS), choices)
            for place in range(len(choices)):
                pieces[place].append(batch.column(place))
                exact[place] &= _proven(batch, place, choices[place].kind)
        columns = [
            pa.chunked_array([chunk for piece in found for chunk in piece.chunks])
            for found in pieces
        ]
        return Extracted(columns, exact)

    def close(self) -> None:
        """Gives the engine's memory back."""
        self._connection.close()

    def _run(
        self, statement: str, properties: pa.ChunkedArray, choices: Sequence[Accelerated]
    ) -> pa.Table:
        import duckdb

        rows = pa.table({"properties": properties})
        self._connection.register(_ROWS, rows)
        try:
            pointers = [choice.pointer for choice in choices]
            return self._connection.sql(statement, params=[pointers]).to_arrow_table()
        except (duckdb.Error, pa.ArrowException) as error:
            raise Unavailable(
                "The engine could not extract properties.", kind=type(error).__name__
            ) from error
        finally:
            self._connection.unregister(_ROWS)


def _statement(choices: Sequence[Accelerated]) -> str:
    """One pass: all texts, then per choice its value and whether it gives the text's reads."""
    values, proofs = [], []
    for place, choice in enumerate(choices):
        text = f"texts[{place + 1}]"
        values.append(f"{_TYPED[choice.kind].format(text=text)} AS v{place}")
        if choice.kind is ColumnKind.TEXT:
            continue
        value = f"v{place}"
        proofs += [
            f"{_text_proof(value, text)} AS t{place}",
            f"{_number_proof(choice.kind, value, text)} AS n{place}",
            f"{_boolean_proof(choice.kind, value, text)} AS b{place}",
        ]
    given = ", ".join([f"v{place}" for place in range(len(choices))] + proofs)
    return (
        f"WITH extracted AS MATERIALIZED"  # noqa: S608  # numbers and words of this module
        f" (SELECT json_extract_string(properties, ?) AS texts FROM {_ROWS}),"
        f" typed AS (SELECT texts, {', '.join(values)} FROM extracted) SELECT {given} FROM typed"
    )


def _text_proof(value: str, text: str) -> str:
    return f"{text} IS NOT DISTINCT FROM CAST({value} AS VARCHAR)"


def _number_proof(kind: ColumnKind, value: str, text: str) -> str:
    match kind:
        case ColumnKind.FLOAT:
            return "true"
        case (
            ColumnKind.INTEGER
        ):  # -0.0 equals 0 and is written otherwise; who gives the text, gives all
            read = number(text)
            sign = f"coalesce({value} <> 0 OR NOT signbit({read}), true)"
            same = f"{read} IS NOT DISTINCT FROM CAST({value} AS DOUBLE)"
            return f"CASE WHEN {_text_proof(value, text)} THEN true ELSE {same} AND {sign} END"
        case _:
            return "false"


def _boolean_proof(kind: ColumnKind, value: str, text: str) -> str:
    if kind is ColumnKind.BOOLEAN:
        return f"TRY_CAST({text} AS BOOLEAN) IS NOT DISTINCT FROM {value}"
    return "false"


def _proven(batch: pa.Table, place: int, kind: ColumnKind) -> Exact:
    if kind is ColumnKind.TEXT:
        return _ALL_EXACT
    proven = Exact.NONE
    for letter, read in (("t", Exact.TEXT), ("n", Exact.NUMBER), ("b", Exact.BOOLEAN)):
        if pc.all(batch[f"{letter}{place}"], min_count=0).as_py():
            proven |= read
    if kind is ColumnKind.FLOAT and not proven & Exact.NUMBER:
        return Exact.NONE
    return proven
