"""Canonical Parquet: how the rows of one project and UTC day become one file.

Written so that the same rows give the same bytes: names carry a hash of the content, and a
commit that is repeated after a crash must find its own names again. See docs/formats/lake.md.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from weir.errors import Corrupt
from weir.lake.schema import CANONICAL, SORT_KEY

ROW_GROUP_ROWS = 122_880
"""The engine's own unit of work; smaller groups cost it, larger ones do not help."""

_LEVEL = 3
_DICTIONARY = [
    "event",
    "user_id",
    "anonymous_id",
    "session_id",
    "ts_source",
    "endpoint",
    "dialect",
    "topic",
]
"""Texts that repeat."""

_DELTA = ["ts", "client_ts", "sent_at", "received_at", "seq"]
"""Columns whose neighbours are close."""

PROOF = ("user_key", "ts", "seq")
"""Columns by which rows are known again: whose, when, and which of all."""

_STATISTICS = [*_DICTIONARY, *_DELTA, "user_key", "event_id", "schema_version"]
"""Everything but the JSON texts, whose least and greatest value help nobody."""


def encode_rows(rows: pa.Table) -> memoryview:
    """The bytes of a file; ``rows`` are sorted by SORT_KEY.

    Their columns are CANONICAL, then accelerated ones, of which all have statistics.
    """
    sink = pa.BufferOutputStream()
    with open_writer(sink, rows.schema) as writer:
        writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
    return memoryview(sink.getvalue())


def open_writer(sink: pa.NativeFile | Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of a lake file with this schema, for tables that go on in the same order."""
    added = schema.names[len(CANONICAL) :]
    texts = [name for name in added if pa.types.is_string(schema.field(name).type)]
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=[*_DICTIONARY, "schema_version", *texts],
        column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
        write_statistics=[*_STATISTICS, *added],
        sorting_columns=pq.SortingColumn.from_ordering(
            schema, [(name, "ascending") for name in SORT_KEY], null_placement="at_end"
        ),
    )


def check_rows(content: bytes | memoryview, rows: pa.Table) -> None:
    """Raises ``Corrupt`` unless the bytes are a file of such columns with these rows.

    Rows are told by ``PROOF``, which is decoded. The other columns are not: for them it counts
    that the bytes are those that the writer made.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            has_columns = file.schema_arrow.names == rows.schema.names
            found = file.read(list(PROOF), use_threads=False)
    except MemoryError:  # Arrow's own is an ArrowException too; it says nothing of the file
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged() from error
    if not has_columns or not found.equals(rows.select(PROOF)):
        raise _damaged()


def _damaged() -> Corrupt:
    return Corrupt("A lake file is not what was written.", hint="Restore the file from a backup.")
