"""Looking for one event in lake files."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weir.domain.snapshot import LakeFile


def file_with_id(root: Path, files: Iterable[LakeFile], event_id: str) -> str | None:
    """The path of the first file with a row of this id; files that have gone are left out."""
    wanted = pa.scalar(event_id)
    for file in files:
        try:
            ids = pq.read_table(root / file.path, columns=["event_id"], partitioning=None)
        except FileNotFoundError:  # merged away, and nobody has asked for it for so long
            continue
        if pc.any(pc.equal(ids["event_id"], wanted)).as_py():
            return file.path
    return None


def received_of_ids(paths: Iterable[str], event_ids: Collection[str]) -> list[tuple[str, int]]:
    """Rows of these ids in some files, each with its ``received_at`` in microseconds."""
    wanted = pa.array(sorted(event_ids), pa.string())
    found: list[tuple[str, int]] = []
    for path in paths:
        try:
            file = pq.ParquetFile(path)
        except FileNotFoundError:  # merged away meanwhile
            continue
        with file:
            for batch in file.iter_batches(columns=["event_id", "received_at"]):
                rows = batch.filter(pc.is_in(batch["event_id"], wanted))
                times = rows["received_at"].cast(pa.int64()).to_pylist()
                found += zip(rows["event_id"].to_pylist(), times, strict=True)
    return found
