"""Looking for one event in lake files."""

from collections.abc import Iterable
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
