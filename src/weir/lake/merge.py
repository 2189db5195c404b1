"""Merging lake files: many sorted files of one project and day become one.

The result is a function of the inputs' rows alone, whatever their order. It is written under a
temporary name, read back, and gets its place under the hash of its content; the catalog hears of
it afterwards, from whoever asked for it.
"""

from collections.abc import Callable
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.domain.layout import Accelerated, Column
from weir.errors import Corrupt
from weir.lake.acceleration import ROWS_MIN, Accelerator, Widening
from weir.lake.choice import SAMPLE_ROWS
from weir.lake.parquet import PROOF, ROW_GROUP_ROWS, open_writer
from weir.lake.runs import merged_groups, sample_every
from weir.storage.local import place_durable, sync_directory

MERGING_SUFFIX = ".merging"
"""Ends the names of files that are being written; nobody needs one that a crash left."""

GROUP_SHARE = 8
"""The part of a merge's memory that the JSON of a row group may take: one in so many."""


class MergeJob(msgspec.Struct, frozen=True):
    """Paths are relative to ``root``; all inputs lie in one directory."""

    root: str
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


class _Hashed:
    """A file that is being written, and the hash of what the writer meant to write."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self.closed = False

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        return self._file.write(content)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Left to whoever opened the file."""
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _Written(msgspec.Struct):
    """What was written so far, as it must be found again."""

    digest: str = ""
    columns: tuple[Column, ...] = ()
    ts_min_us: int = 2**63 - 1
    ts_max_us: int = -(2**63)
    row_count: int = 0
    proofs: list[bytes] = []

    def add(self, rows: pa.Table) -> None:
        """Notes the rows of the next row group."""
        range_us = pc.min_max(rows["ts"].cast("int64"))
        self.ts_min_us = min(self.ts_min_us, range_us["min"].as_py())
        self.ts_max_us = max(self.ts_max_us, range_us["max"].as_py())
        self.row_count += len(rows)
        self.proofs.append(_proof(rows))


def merge(job: MergeJob, *, between: Callable[[], None] = lambda: None) -> Merged:
    """Carries out a job; after an error nothing has its place.

    Calls ``between`` now and then, for what is not to wait until the end. Raises ``Corrupt`` when
    an input or the result is not what it should be, and ``OSError`` when the disk refuses.
    """
    root = Path(job.root)
    _check_inputs(job)
    directory = (root / job.inputs[0]).parent
    temporary = directory / f".{Path(job.inputs[0]).name}{MERGING_SUFFIX}"
    try:
        written = _write(job, temporary, between)
        _check(temporary, written, job.row_count)
        target = directory / f"merged-{written.digest[:16]}.parquet"
        byte_count = temporary.stat().st_size
        place_durable(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        sync_directory(directory)
        raise
    return Merged(
        path=str(target.relative_to(root)),
        row_count=job.row_count,
        byte_count=byte_count,
        ts_min_us=written.ts_min_us,
        ts_max_us=written.ts_max_us,
        sha256=written.digest,
        columns=written.columns,
    )


def _check_inputs(job: MergeJob) -> None:
    """Damage would outlive its file: many a wrong bit is read without being noticed."""
    for path, expected in zip(job.inputs, job.sha256, strict=True):
        try:
            with (Path(job.root) / path).open("rb") as file:
                found = file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise Corrupt("A lake file is missing.", path=path) from error
        if found != expected:
            raise Corrupt(f"The lake file {path} is not what was written.", path=path)


def _write(job: MergeJob, path: Path, between: Callable[[], None]) -> _Written:
    inputs = [Path(job.root) / each for each in job.inputs]
    groups = merged_groups(
        inputs,
        memory_bytes=job.memory_bytes,
        group_rows=ROW_GROUP_ROWS,
        group_bytes_max=job.memory_bytes // GROUP_SHARE,
    )
    widening = _widening(job, inputs)
    written = _Written(proofs=[])
    with path.open("wb") as file:
        sink = _Hashed(file)
        writer: pq.ParquetWriter | None = None
        try:
            for rows in groups:
                table = widening.widen(rows)
                writer = writer or open_writer(pa.PythonFile(sink, "w"), table.schema)
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
                written.add(rows)
                del rows, table
                between()
        finally:
            if writer is not None:
                writer.close()
    written.digest, written.columns = sink.hexdigest(), widening.proven()
    return written


def _widening(job: MergeJob, inputs: list[Path]) -> Widening:
    accelerator = Accelerator(columns_max=job.columns_max)
    if job.row_count < ROWS_MIN or not job.columns_max:
        return accelerator.widening(())
    step = max(1, job.row_count // SAMPLE_ROWS)
    return accelerator.widening(
        accelerator.choose(sample_every(inputs, step, "properties"), job.earlier)
    )


def _check(path: Path, written: _Written, row_count: int) -> None:
    """Raises ``Corrupt`` unless the file is what was written, and its rows decode."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if digest != written.digest:
        raise Corrupt("A merged file reads back other than it was written.", path=path.name)
    try:
        with pq.ParquetFile(path) as parquet:
            groups = range(parquet.metadata.num_row_groups)
            proofs = [_proof(parquet.read_row_group(each, list(PROOF))) for each in groups]
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Corrupt("A merged file cannot be read back.", path=path.name) from error
    if proofs != written.proofs or written.row_count != row_count:
        raise Corrupt("A merged file holds other rows than its inputs.", path=path.name)


def _proof(rows: pa.Table) -> bytes:
    """A hash of the columns by which rows are known again."""
    digest = sha256()
    for name in PROOF:
        column = rows[name].cast(pa.int64())
        digest.update(column.is_null().to_numpy().tobytes())
        digest.update(column.fill_null(0).to_numpy().tobytes())
    return digest.digest()
