"""What a query reads: committed files and the tail, taken at one moment by the loader."""

import msgspec

from weir.domain.layout import NO_LAYOUT, Layout


class LakeFile(msgspec.Struct, frozen=True):
    """One committed Parquet file of one project. ``path`` is relative to the node's directory."""

    path: str
    project_id: int
    row_count: int
    byte_count: int
    day: str
    """UTC day of ``received_at``, ``YYYY-MM-DD``."""
    ts_min_us: int
    ts_max_us: int
    sha256: str
    layout: int = NO_LAYOUT
    """Which accelerated columns the file has."""


class Snapshot(msgspec.Struct, frozen=True):
    """A consistent view of one project: no row twice, none missing below the watermark.

    The tail's rows are an Arrow IPC stream of ``tail_byte_count`` bytes in a memory file whose
    descriptor travels beside this message; with no tail there is no descriptor.
    """

    project_id: int
    files: tuple[LakeFile, ...]
    layouts: tuple[Layout, ...]
    """Those that the files have."""
    tail_row_count: int
    tail_byte_count: int
    watermark_us: int
    """Every event received before it is in the snapshot."""
    commit_id: int
