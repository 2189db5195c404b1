"""Result batches as bytes: json, ndjson, csv, Arrow stream, Parquet.

Times are UTC, ISO 8601, with ``Z`` when they have a zone and fractions only when needed.
In JSON, integers beyond 2^53 and decimals that a double would change are texts, NaN and
infinities null, blobs base64, JSON values themselves. CSV is RFC 4180.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from weir.query.job import Meta
from weir.query.request import Format
from weir.query.values import is_plain, json_values

FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\0")

_JSON: Final = pa.json_(pa.string())
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


def writer_for(kind: Format, schema: pa.Schema, *, safe: bool, with_meta: bool) -> ResultWriter:
    """Returns the writer of a format for results of a schema whose names are unique."""
    match kind:
        case Format.JSON:
            return _JsonWriter(schema)
        case Format.NDJSON:
            return _NdjsonWriter(schema, with_meta=with_meta)
        case Format.CSV:
            return _CsvWriter(schema, safe=safe)
        case Format.ARROW:
            return _ArrowWriter(schema)
        case Format.PARQUET:
            return _ParquetWriter(schema)


class ResultShape:
    """Makes batches of an engine's result fit for writing: unique names, JSON as JSON."""

    __slots__ = ("_is_json", "schema")

    def __init__(
        self,
        schema: pa.Schema,
        kinds: Sequence[str],
        names: Sequence[str | None] | None = None,
    ) -> None:
        self._is_json = [
            kind == "JSON" and field.type == pa.string()
            for kind, field in zip(kinds, schema, strict=True)
        ]
        given = names or [None] * len(schema)
        names = unique_names(
            [name or field.name for name, field in zip(given, schema, strict=True)]
        )
        types = [
            _JSON if is_json else field.type
            for is_json, field in zip(self._is_json, schema, strict=True)
        ]
        self.schema = pa.schema(list(zip(names, types, strict=True)))

    def fit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns the rows of a batch under the shape's schema."""
        columns = [
            pa.ExtensionArray.from_storage(_JSON, column) if is_json else column
            for is_json, column in zip(self._is_json, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


class _JsonWriter:
    """``{"columns":[…],"rows":[[…]],"meta":{…}}``."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = schema.names
        self._any_rows = False

    def head(self) -> bytes:
        return b'{"columns":' + _encoder.encode(self._columns) + b',"rows":['

    def rows(self, batch: pa.RecordBatch) -> bytes:
        if not batch.num_rows:
            return b""
        rows = _encoder.encode(list(zip(*_columns_of(batch), strict=True)))[1:-1]
        separator = b"," if self._any_rows else b""
        self._any_rows = True
        return separator + rows

    def ending(self, meta: Meta) -> bytes:
        return b'],"meta":' + _encoder.encode(meta) + b"}\n"


class _NdjsonWriter:
    """One object a row; a last line ``{"meta": …}`` when asked for."""

    def __init__(self, schema: pa.Schema, *, with_meta: bool) -> None:
        self._names = schema.names
        self._with_meta = with_meta

    def head(self) -> bytes:
        return b""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        names = self._names
        return _encoder.encode_lines(
            [dict(zip(names, row, strict=True)) for row in zip(*_columns_of(batch), strict=True)]
        )

    def ending(self, meta: Meta) -> bytes:
        return _encoder.encode({"meta": meta}) + b"\n" if self._with_meta else b""


class _CsvWriter:
    """A header and rows; null is empty; lists, structs and maps are JSON."""

    def __init__(self, schema: pa.Schema, *, safe: bool) -> None:
        self._names = schema.names
        self._safe = safe

    def head(self) -> bytes:
        return self._encode([[self._cell(name) for name in self._names]])

    def rows(self, batch: pa.RecordBatch) -> bytes:
        columns = [[self._cell(value) for value in column] for column in _columns_of(batch)]
        return self._encode(zip(*columns, strict=True))

    def ending(self, meta: Meta) -> bytes:  # CSV has no place for it
        return b""

    def _cell(self, value: Any) -> str | int | float:
        match value:
            case None:
                return ""
            case bool():
                return "true" if value else "false"
            case str():
                unsafe = self._safe and value.startswith(FORMULA_SIGNS)
                return f"'{value}" if unsafe else value
            case int():
                return value
            case float():
                return value if np.isfinite(value) else ""
            case _:
                encoded = _encoder.encode(value)
                if encoded.startswith(b'"'):
                    return self._cell(msgspec.json.decode(encoded, type=str))
                return encoded.decode()

    def _encode(self, rows: Any) -> bytes:
        page = io.StringIO()
        csv.writer(page, lineterminator="\r\n").writerows(rows)
        return page.getvalue().encode()


class _ArrowWriter:
    """An Arrow IPC stream."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._stream = pa.ipc.new_stream(self._sink.file, schema)

    def head(self) -> bytes:
        return self._sink.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._stream.write_batch(batch)
        return self._sink.take()

    def ending(self, meta: Meta) -> bytes:  # the stream's end is its own
        self._stream.close()
        return self._sink.take()


class _ParquetWriter:
    """A Parquet file, a row group for each 16 batches or so."""

    _BATCHES_IN_GROUP = 16

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._schema = pa.schema([_parquet_field(field) for field in schema])
        self._file = pq.ParquetWriter(self._sink.file, self._schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []

    def head(self) -> bytes:
        return self._sink.take()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._waiting.append(self._without_intervals(batch))
        if len(self._waiting) >= self._BATCHES_IN_GROUP:
            self._write_group()
        return self._sink.take()

    def ending(self, meta: Meta) -> bytes:  # the file's footer is its own
        self._write_group()
        self._file.close()
        return self._sink.take()

    def _without_intervals(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            pa.array(json_values(column), pa.string())
            if pa.types.is_interval(column.type)
            else column
            for column in batch.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _write_group(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting.clear()


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


def _parquet_field(field: pa.Field) -> pa.Field:
    """Parquet has no type for intervals of months, days and time: they are texts there."""
    return field.with_type(pa.string()) if pa.types.is_interval(field.type) else field


def _columns_of(batch: pa.RecordBatch) -> Iterator[Sequence[Any]]:
    for column in batch.columns:
        yield column.to_pylist() if is_plain(column) else json_values(column)
