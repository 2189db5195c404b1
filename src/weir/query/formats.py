"""Result batches as bytes: json, ndjson, csv, Arrow stream, Parquet.

What becomes of each type: ``values`` for JSON, ``cells`` for CSV, ``arrow_forms`` for the typed
ones; a writer decides it once, by the types of the columns. CSV is RFC 4180.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from weir.engine.column_types import ColumnType
from weir.query.arrow_forms import Form, arrow_form, parquet_form
from weir.query.cells import cell_converter, disarmed
from weir.query.job import Meta
from weir.query.request import Format
from weir.query.values import Converter, json_converter

PIECE_BYTES_MAX: Final = 1 << 20
"""So much of a batch becomes Python's values at a time, or else one row."""

_encoder = msgspec.json.Encoder()


class ResultWriter(Protocol):
    """Writes one result: ``head``, ``rows`` for each batch, ``ending`` once all is known."""

    def head(self) -> bytes: ...
    def rows(self, batch: pa.RecordBatch) -> bytes: ...
    def ending(self, meta: Meta) -> bytes: ...


def unique_names(names: Sequence[str]) -> list[str]:
    """Returns the names with repeated ones numbered: ``count``, ``count_2``; none comes twice."""
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        chosen, number = name, 1
        while chosen in seen or (number > 1 and chosen in taken):
            number += 1
            chosen = f"{name}_{number}"
        seen.add(chosen)
        unique.append(chosen)
    return unique


class ResultShape(NamedTuple):
    """The columns of a result: unique names, the engine's types, and how Arrow has them."""

    names: list[str]
    types: Sequence[ColumnType]
    given: Sequence[pa.DataType]

    @classmethod
    def of(
        cls,
        schema: pa.Schema,
        types: Sequence[ColumnType],
        names: Sequence[str | None] | None = None,
    ) -> Self:
        """Returns the shape of an engine's batches of a schema, with names in place of its own."""
        given = names or [None] * len(schema)
        told = [name or own for name, own in zip(given, schema.names, strict=True)]
        return cls(unique_names(told), types, schema.types)


def writer_for(kind: Format, shape: ResultShape, *, safe: bool, with_meta: bool) -> ResultWriter:
    """Returns the writer of a format; raises ``InvalidInput`` for a type that it cannot hold."""
    match kind:
        case Format.JSON:
            return _JsonWriter(shape)
        case Format.NDJSON:
            return _NdjsonWriter(shape, with_meta=with_meta)
        case Format.CSV:
            return _CsvWriter(shape, safe=safe)
        case Format.ARROW:
            return _ArrowWriter(shape)
        case Format.PARQUET:
            return _ParquetWriter(shape)


def pieces_of(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yields a batch's rows in parts of ``PIECE_BYTES_MAX`` or so, in their order."""
    count = max(1, batch.num_rows * PIECE_BYTES_MAX // max(batch.nbytes, 1))
    for start in range(0, batch.num_rows, count):
        yield batch.slice(start, count)


class _JsonWriter:
    """``{"columns":[…],"rows":[[…]],"meta":{…}}``."""

    def __init__(self, shape: ResultShape) -> None:
        self._names = shape.names
        self._converters = [json_converter(each) for each in shape.types]
        self._any_rows = False

    def head(self) -> bytes:
        return b'{"columns":' + _encoder.encode(self._names) + b',"rows":['

    def rows(self, batch: pa.RecordBatch) -> bytes:
        if not batch.num_rows:
            return b""
        rows = _encoder.encode(list(_rows_of(batch, self._converters)))[1:-1]
        separator = b"," if self._any_rows else b""
        self._any_rows = True
        return separator + rows

    def ending(self, meta: Meta) -> bytes:
        return b'],"meta":' + _encoder.encode(meta) + b"}\n"


class _NdjsonWriter:
    """One object a row; a last line ``{"meta": …}`` when asked for."""

    def __init__(self, shape: ResultShape, *, with_meta: bool) -> None:
        self._names = shape.names
        self._converters = [json_converter(each) for each in shape.types]
        self._with_meta = with_meta

    def head(self) -> bytes:
        return b""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        names = self._names
        rows = _rows_of(batch, self._converters)
        return _encoder.encode_lines([dict(zip(names, row, strict=True)) for row in rows])

    def ending(self, meta: Meta) -> bytes:
        return _encoder.encode({"meta": meta}) + b"\n" if self._with_meta else b""


class _CsvWriter:
    """A header and rows."""

    def __init__(self, shape: ResultShape, *, safe: bool) -> None:
        self._names = [disarmed(name) for name in shape.names] if safe else shape.names
        self._converters = [cell_converter(each, safe=safe) for each in shape.types]

    def head(self) -> bytes:
        return self._encode([self._names])

    def rows(self, batch: pa.RecordBatch) -> bytes:
        return self._encode(_rows_of(batch, self._converters))

    def ending(self, meta: Meta) -> bytes:  # CSV has no place for it
        return b""

    def _encode(self, rows: Iterable[Sequence[Any]]) -> bytes:
        page = io.StringIO()
        csv.writer(page, lineterminator="\r\n").writerows(rows)
        return page.getvalue().encode()


class _ArrowWriter:
    """An Arrow IPC stream."""

    def __init__(self, shape: ResultShape) -> None:
        self._forms = [arrow_form(*each) for each in zip(shape.types, shape.given, strict=True)]
        self._schema = _schema_of(shape.names, self._forms)
        self._sink = _Sink()
        self._stream = pa.ipc.new_stream(self._sink.file, self._schema)

    def head(self) -> bytes:
        return self._sink.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._stream.write_batch(_formed(batch, self._forms, self._schema))
        return self._sink.take()

    def ending(self, meta: Meta) -> bytes:  # the stream's end is its own
        self._stream.close()
        return self._sink.take()


class _ParquetWriter:
    """A Parquet file, a row group for each 16 batches or so, of less rows where they are wide."""

    _ROWS_IN_GROUP = 16 * 2048
    _BYTES_IN_GROUP = 16 << 20

    def __init__(self, shape: ResultShape) -> None:
        self._forms = [parquet_form(*each) for each in zip(shape.types, shape.given, strict=True)]
        self._schema = _schema_of(shape.names, self._forms)
        self._sink = _Sink()
        self._file = pq.ParquetWriter(self._sink.file, self._schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._row_count = 0
        self._byte_count = 0

    def head(self) -> bytes:
        return self._sink.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._waiting.append(_formed(batch, self._forms, self._schema))
        self._row_count += batch.num_rows
        self._byte_count += batch.nbytes
        if self._row_count >= self._ROWS_IN_GROUP or self._byte_count >= self._BYTES_IN_GROUP:
            self._write_group()
        return self._sink.take()

    def ending(self, meta: Meta) -> bytes:  # the file's footer is its own
        self._write_group()
        self._file.close()
        return self._sink.take()

    def _write_group(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting.clear()
            self._row_count = self._byte_count = 0


class _Sink:
    """Where Arrow writes; what was written since the last ``take`` is taken from it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.closed = False
        self.file = pa.PythonFile(self, mode="w")

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _rows_of(batch: pa.RecordBatch, converters: Sequence[Converter]) -> Iterator[tuple[Any, ...]]:
    columns = [convert(column) for convert, column in zip(converters, batch.columns, strict=True)]
    return zip(*columns, strict=True)


def _schema_of(names: Sequence[str], forms: Sequence[Form]) -> pa.Schema:
    return pa.schema([(name, form.type) for name, form in zip(names, forms, strict=True)])


def _formed(batch: pa.RecordBatch, forms: Sequence[Form], schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column if form.change is None else form.change(column)
        for form, column in zip(forms, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
