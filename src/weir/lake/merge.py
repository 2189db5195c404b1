"""Merging lake files: many sorted files of one project and day become one.

The result is a function of the inputs' rows alone, whatever their order. It is written under a
temporary name, read back, and gets its place under the hash of its content; the catalog hears of
it afterwards, from whoever asked for it.
"""

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.domain.layout import Accelerated, Column
from weir.engine.sorting import ParquetRows
from weir.errors import Corrupt
from weir.lake.acceleration import ROWS_MIN, Accelerator
from weir.lake.choice import SAMPLE_ROWS
from weir.lake.parquet import ROW_GROUP_ROWS, open_writer
from weir.lake.schema import CANONICAL, SORT_KEY
from weir.storage.local import place_durable, sync_directory

MERGING_SUFFIX = ".merging"
"""Ends the names of files that are being written; nobody needs one that a crash left."""

ORDER = (*SORT_KEY, "event_id")
"""``seq`` may be equal over journals."""


class MergeJob(msgspec.Struct, frozen=True):
    """Paths are relative to ``root``; all inputs lie in one directory."""

    root: str
    spill: str
    inputs: tuple[str, ...]
    sha256: tuple[str, ...]
    """The SHA-256 of each input as it was written."""
    row_count: int
    earlier: tuple[Accelerated, ...]
    columns_max: int
    memory_bytes: int


class Merged(msgspec.Struct, frozen=True, tag="merged"):
    """A file that has its place and is in no catalog yet."""

    path: str
    row_count: int
    byte_count: int
    ts_min_us: int
    ts_max_us: int
    sha256: str
    columns: tuple[Column, ...]


def merge(job: MergeJob) -> Merged:
    """Carries out a job; after an error nothing has its place.

    Raises ``Corrupt`` when an input or the result is not what it should be, and ``OSError`` when
    the disk refuses.
    """
    root = Path(job.root)
    _check_inputs(job)
    directory = (root / job.inputs[0]).parent
    temporary = directory / f".{Path(job.inputs[0]).name}{MERGING_SUFFIX}"
    try:
        columns, range_us = _write(job, temporary)
        _check_rows(temporary, job.row_count)
        with temporary.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        target = directory / f"merged-{digest[:16]}.parquet"
        byte_count = temporary.stat().st_size
        place_durable(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        sync_directory(directory)
        raise
    path = str(target.relative_to(root))
    return Merged(path, job.row_count, byte_count, *range_us, digest, columns)


def _check_inputs(job: MergeJob) -> None:
    """Damage would outlive its file: the engine reads many a wrong bit without noticing."""
    for path, sha256 in zip(job.inputs, job.sha256, strict=True):
        try:
            with (Path(job.root) / path).open("rb") as file:
                found = file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise Corrupt("A lake file is missing.", path=path) from error
        if found != sha256:
            raise Corrupt(f"The lake file {path} is not what was written.", path=path)


def _write(job: MergeJob, path: Path) -> tuple[tuple[Column, ...], tuple[int, int]]:
    inputs = [Path(job.root) / each for each in job.inputs]
    accelerator = Accelerator(columns_max=job.columns_max)
    with ParquetRows(inputs, memory_bytes=job.memory_bytes, spill=Path(job.spill)) as rows:
        choices: tuple[Accelerated, ...] = ()
        if job.row_count >= ROWS_MIN and job.columns_max:
            step = max(1, job.row_count // SAMPLE_ROWS)
            choices = accelerator.choose(rows.every(step, "properties"), job.earlier)
        widening = accelerator.widening(choices)
        writer = None
        least, greatest = 2**63 - 1, -(2**63)
        try:
            for batch in _batches(rows):
                table = widening.widen(batch)
                writer = writer or open_writer(path, table.schema)
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
                range_us = pc.min_max(batch["ts"].cast("int64"))
                least = min(least, range_us["min"].as_py())
                greatest = max(greatest, range_us["max"].as_py())
        finally:
            if writer is not None:
                writer.close()
    return widening.proven(), (least, greatest)


def _batches(rows: ParquetRows) -> Iterator[pa.Table]:
    """Tables of a row group each, but for the last."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in rows.in_order(CANONICAL.names, ORDER, batch_rows=ROW_GROUP_ROWS):
        waiting.append(batch)
        count += batch.num_rows
        if count >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting).cast(CANONICAL)
            yield table.slice(0, ROW_GROUP_ROWS)
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            count -= ROW_GROUP_ROWS
    if count:
        yield pa.Table.from_batches(waiting).cast(CANONICAL)


def _check_rows(path: Path, row_count: int) -> None:
    """Raises ``Corrupt`` unless so many rows really decode."""
    try:
        with pq.ParquetFile(path) as file:
            found = sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError) as error:
        raise Corrupt("A merged file cannot be read back.", path=path.name) from error
    if found != row_count:
        raise Corrupt("A merged file holds other rows than its inputs.", path=path.name)
