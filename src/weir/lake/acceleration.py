"""Accelerated columns for the rows of a lake file: chosen, extracted, proven."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from weir.domain.layout import Accelerated, Column, Exact
from weir.engine.extract import Extractor
from weir.errors import Unavailable
from weir.lake.choice import choose_columns, sample_rows
from weir.telemetry import Happening, emit

ROWS_MIN = 4096
"""Smaller files get no columns: reading their JSON is quick, and compaction makes them larger."""


class Widened(NamedTuple):
    """Rows with accelerated columns behind the canonical ones, and what those prove."""

    rows: pa.Table
    columns: tuple[Column, ...]


class Accelerator:
    """Widens rows. Holds an engine once the first columns were asked for; for one thread."""

    __slots__ = ("_columns_max", "_extractor")

    def __init__(self, *, columns_max: int) -> None:
        self._columns_max = columns_max
        self._extractor: Extractor | None = None

    def widen(self, rows: pa.Table, earlier: Sequence[Accelerated]) -> Widened:
        """The canonical ``rows`` with columns; the same rows and choice give the same result.

        A property whose column may answer nothing in these rows gets none.
        """
        if rows.num_rows < ROWS_MIN or not self._columns_max:
            return Widened(rows, ())
        sample = sample_rows(rows["properties"])
        choices = choose_columns(sample, earlier, columns_max=self._columns_max)
        if not choices:
            return Widened(rows, ())
        if self._extractor is None:
            self._extractor = Extractor()
        try:
            extracted = self._extractor.extract(rows["properties"], choices)
        except Unavailable as error:  # the columns are a convenience, the rows are not
            emit(Happening.ACCELERATION_FAILED, rows=rows.num_rows, kind=error.context["kind"])
            return Widened(rows, ())
        columns = []
        for choice, values, exact in zip(choices, extracted.columns, extracted.exact, strict=True):
            if exact is Exact.NONE:
                continue
            rows = rows.append_column(choice.name, values)
            columns.append(Column(choice, exact))
        return Widened(rows, tuple(columns))
