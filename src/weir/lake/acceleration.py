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


class Widening:
    """The columns of one file, whose rows come in parts; what is proven holds for all of them."""

    __slots__ = ("_choices", "_exact", "_extractor")

    def __init__(self, choices: Sequence[Accelerated], extractor: Extractor | None) -> None:
        self._choices = choices
        self._exact = [Exact.TEXT | Exact.NUMBER | Exact.BOOLEAN] * len(choices)
        self._extractor = extractor

    def widen(self, rows: pa.Table) -> pa.Table:
        """The rows with all columns. Raises ``Unavailable`` when the engine cannot."""
        if self._extractor is None:
            return rows
        extracted = self._extractor.extract(rows["properties"], self._choices)
        for choice, values in zip(self._choices, extracted.columns, strict=True):
            rows = rows.append_column(choice.name, values)
        self._exact = [a & b for a, b in zip(self._exact, extracted.exact, strict=True)]
        return rows

    def proven(self) -> tuple[Column, ...]:
        """The columns that may answer something."""
        return tuple(
            Column(choice, exact)
            for choice, exact in zip(self._choices, self._exact, strict=True)
            if exact is not Exact.NONE
        )


class Accelerator:
    """Widens rows. Holds an engine once the first columns were asked for; for one thread."""

    __slots__ = ("_columns_max", "_extractor")

    def __init__(self, *, columns_max: int) -> None:
        self._columns_max = columns_max
        self._extractor: Extractor | None = None

    def widen(self, rows: pa.Table, earlier: Sequence[Accelerated]) -> Widened:
        """The canonical ``rows`` with columns; the same rows and choice give the same result."""
        if rows.num_rows < ROWS_MIN or not self._columns_max:
            return Widened(rows, ())
        widening = self.widening(self.choose(rows["properties"], earlier))
        try:
            wide = widening.widen(rows)
        except Unavailable as error:  # the columns are a convenience, the rows are not
            emit(Happening.ACCELERATION_FAILED, rows=rows.num_rows, kind=error.context["kind"])
            return Widened(rows, ())
        return Widened(wide, widening.proven())

    def choose(
        self, properties: pa.ChunkedArray, earlier: Sequence[Accelerated]
    ) -> tuple[Accelerated, ...]:
        """The columns that rows with such properties should have."""
        return choose_columns(sample_rows(properties), earlier, columns_max=self._columns_max)

    def widening(self, choices: Sequence[Accelerated]) -> Widening:
        """Begins the columns of one file; the rows stay as they are when nothing was chosen."""
        if choices and self._extractor is None:
            self._extractor = Extractor()
        return Widening(choices, self._extractor if choices else None)
