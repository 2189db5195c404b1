"""Rows of many Parquet files in one order, in bounded memory: what does not fit spills to disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from weir.domain.sql import list_of
from weir.errors import Corrupt


class ParquetRows:
    """Reads files of one schema by an engine of its own, which spills what does not fit."""

    __slots__ = ("_connection", "_files")

    def __init__(self, paths: Sequence[Path], *, memory_bytes: int, spill: Path) -> None:
        import duckdb  # not in a process that only plans merges

        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": "1",
            "memory_limit": f"{memory_bytes}B",
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._connection = duckdb.connect(":memory:", config=settings)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._files = (
            f"read_parquet({list_of([str(path) for path in paths])}, file_row_number=true)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def every(self, step: int, column: str) -> pa.ChunkedArray:
        """Returns the column in every ``step``-th row of each file; raises ``Corrupt``."""
        import duckdb

        statement = (
            f'SELECT "{column}" FROM {self._files}'  # noqa: S608  # names of the schema, quoted
            f" WHERE file_row_number % {step:d} = 0 ORDER BY ALL"
        )
        try:
            return self._connection.sql(statement).to_arrow_table()[column]
        except duckdb.Error as error:
            raise _unreadable(error) from error

    def in_order(
        self, names: Sequence[str], order: Sequence[str], *, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows with these columns, by ``order``, nulls last; raises ``Corrupt``."""
        import duckdb

        columns = ", ".join(f'"{name}"' for name in names)
        keys = ", ".join(f'"{name}" NULLS LAST' for name in order)
        statement = f"SELECT {columns} FROM {self._files} ORDER BY {keys}"  # noqa: S608  # as above
        try:
            yield from self._connection.sql(statement).to_arrow_reader(batch_rows)
        except (duckdb.Error, pa.ArrowException) as error:
            raise _unreadable(error) from error


def _unreadable(error: Exception) -> Corrupt:
    return Corrupt(
        f"Lake files cannot be merged: {type(error).__name__}.",
        hint="One of them may be damaged: restore it from a backup.",
    )
