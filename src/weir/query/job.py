"""A query's job: all that a worker learns about it, and the trust that its answer carries.

Paths are absolute, times of the process are monotonic. Tails are Arrow streams in memory files,
whose descriptors travel beside the job; a table names its own by its index among them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from weir.domain.layout import Column
from weir.domain.snapshot import LakeFile, Snapshot
from weir.query.ranges import Range, Window, day_range
from weir.query.request import Format, Parameter


class TableSnapshot(NamedTuple):
    """A table of a query: its name in SQL, in lower case, and what is in it at one moment.

    The descriptor of the tail, if it has one, is its owner's to close.
    """

    name: str
    snapshot: Snapshot
    tail_fd: int | None


class JobFile(msgspec.Struct, frozen=True, array_like=True):
    """A file that the job may read, and the bounds of its rows' times."""

    path: str
    row_count: int
    byte_count: int
    held: Window


class JobLayout(msgspec.Struct, frozen=True):
    """The files of a table that have the same accelerated columns."""

    files: tuple[JobFile, ...]
    columns: tuple[Column, ...]


class JobTail(msgspec.Struct, frozen=True):
    """The rows of a table that are in no file yet; ``descriptor`` counts the job's from 0."""

    row_count: int
    byte_count: int
    descriptor: int


class JobTable(msgspec.Struct, frozen=True):
    """A table that the statement may name, and exactly the rows that it has for this query."""

    name: str
    """In lower case."""
    layouts: tuple[JobLayout, ...]
    tail: JobTail | None
    watermark_us: int
    """Every row received before it is in the table."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One query as its worker receives it."""

    sql: str
    parameters: dict[str, Parameter]
    sql_bytes_max: int
    format: Format
    row_limit: int
    safe: bool
    with_meta: bool
    tables: tuple[JobTable, ...]
    started_s: float


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The trust of an answer. Scanned: the files and the tails that the query had to read."""

    elapsed_ms: int
    rows: int
    truncated: bool
    rows_scanned: int
    bytes_scanned: int
    watermark: str
    notes: tuple[str, ...] = ()
    """What a reader has to know of how the statement was read; left out without any."""


class JobTables(NamedTuple):
    """The tables of a job, and the descriptors that travel beside it."""

    tables: tuple[JobTable, ...]
    descriptors: list[int]


def job_tables(snapshots: Sequence[TableSnapshot], root: Path) -> JobTables:
    """Returns the tables as a worker reads them; ``root`` is the node's directory."""
    tables: list[JobTable] = []
    descriptors: list[int] = []
    for name, snapshot, tail_fd in snapshots:
        tail = None
        if tail_fd is not None and snapshot.tail_byte_count:
            tail = JobTail(snapshot.tail_row_count, snapshot.tail_byte_count, len(descriptors))
            descriptors.append(tail_fd)
        tables.append(JobTable(name, _layouts(snapshot, root), tail, snapshot.watermark_us))
    return JobTables(tuple(tables), descriptors)


def _layouts(snapshot: Snapshot, root: Path) -> tuple[JobLayout, ...]:
    """The snapshot's files by layout, in their order."""
    columns = {layout.id: layout.columns for layout in snapshot.layouts}
    files: dict[int, list[JobFile]] = {}
    for file in snapshot.files:
        files.setdefault(file.layout, []).append(_job_file(file, root))
    return tuple(JobLayout(tuple(each), columns.get(layout, ())) for layout, each in files.items())


def _job_file(file: LakeFile, root: Path) -> JobFile:
    held = Window(Range(file.ts_min_us, file.ts_max_us), day_range(file.day))
    return JobFile(f"{root}/{file.path}", file.row_count, file.byte_count, held)
