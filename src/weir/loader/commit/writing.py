"""Writing a commit: every file is durable and read back before the catalog hears of it.

    lake/<tenant>/<project>/dt=YYYY-MM-DD/<commit>-<sha16>.parquet
    raw/<tenant>/<project>/<commit>-<sha16>.frames.zst
    dedup/<commit>-<sha16>.ids

``<sha16>`` is the start of the SHA-256 of the content. Repeating a commit writes the same bytes
under the same names. Tenants and projects are named by their numeric ids, which never change.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from weir.domain.layout import NO_LAYOUT, Layout, layout_of
from weir.domain.snapshot import LakeFile
from weir.domain.times import DAY_US
from weir.errors import Corrupt
from weir.lake.acceleration import Accelerator
from weir.lake.parquet import check_rows, encode_rows
from weir.lake.raw import count_raw, encode_raw
from weir.lake.records import Commit, DeadLetter, Intent, RawFile, SidecarFile
from weir.lake.sidecar import Ids, decode_sidecar, encode_sidecar
from weir.lake.sidecar_merge import merged_sidecar
from weir.loader.commit.render import (
    CutRows,
    FileRows,
    ProjectFrames,
    count_outcomes,
    count_usage,
    raw_files,
)
from weir.loader.commit.rules import plan_sidecars
from weir.loader.ports import Catalog, LakeStore
from weir.loader.tail.tail import Contents
from weir.loader.tail.view import Sidecar, View

RAW_REMOVALS_MAX = 1000
"""Expired raw files that one commit retires."""


class _Written(NamedTuple):
    path: str
    sha256: str
    byte_count: int
    content: bytes
    """The bytes that were read back."""


class _Files(NamedTuple):
    """The files of one commit on their way to the store."""

    store: LakeStore
    commit_id: int

    def write(self, directory: str, suffix: str, content: bytes | memoryview) -> _Written:
        digest = sha256(content).hexdigest()
        path = f"{directory}/{self.commit_id:08d}-{digest[:16]}{suffix}"
        self.store.write(path, content)
        found = self.store.read(path)
        if sha256(found).hexdigest() != digest:
            raise Corrupt("A file reads back other than it was written.", path=path)
        return _Written(path, digest, len(found), found)

    def write_large(
        self, directory: str, suffix: str, content: bytes | memoryview
    ) -> tuple[str, str]:
        """Path and hash of what may be too large to be held a second time."""
        digest = sha256(content).hexdigest()
        path = f"{directory}/{self.commit_id:08d}-{digest[:16]}{suffix}"
        self.store.write(path, content)
        if self.store.digest(path) != digest:
            raise Corrupt("A file reads back other than it was written.", path=path)
        return path, digest


class CommitWriter:
    """Renders cuts and writes their files. For one thread.

    Raw payload files are retired ``raw_kept_us`` after their newest frame.
    """

    __slots__ = ("_accelerator", "_catalog", "_raw_kept_us", "_store", "_view")

    def __init__(
        self,
        *,
        store: LakeStore,
        catalog: Catalog,
        view: View,
        accelerator: Accelerator,
        raw_kept_us: int,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._view = view
        self._accelerator = accelerator
        self._raw_kept_us = raw_kept_us

    def write(self, intent: Intent, contents: Contents, *, committed_at_us: int) -> Commit:
        """Writes everything that the cut covers; the catalog has not heard of it yet.

        Raises ``OSError`` when the disk refuses and ``Corrupt`` when a file reads back wrong; then
        the whole may be called again.
        """
        written = _Files(self._store, intent.commit_id)
        sidecars = self._view.sidecars
        indexes = [sidecar.ids for sidecar in sidecars]
        cut_rows = CutRows(contents, indexes, window_us=intent.dedup_window_us)
        files, layouts = self._write_rows(written, cut_rows)
        raw, dead_letters = [], []
        for project in raw_files(contents):
            raw.append(_write_raw(written, project))
            dead_letters += _dead_letters(project, raw[-1].path)
        new_sidecars, retired = _write_sidecars(written, intent, cut_rows.stored_ids(), sidecars)
        return Commit(
            intent=intent,
            committed_at_us=committed_at_us,
            files=tuple(files),
            layouts=layouts,
            raw_files=tuple(raw),
            sidecars=tuple(new_sidecars),
            dead_letters=tuple(dead_letters),
            ledger=tuple(count_outcomes(intent, contents, cut_rows)),
            usage=tuple(count_usage(contents, cut_rows)),
            spans=dict(contents.spans),
            retired=(*retired, *self._expired_raw(intent)),
            replayed=tuple(letter for replay in contents.replays for letter in replay.letters),
        )

    def _write_rows(
        self, written: _Files, cut_rows: CutRows
    ) -> tuple[list[LakeFile], tuple[Layout, ...]]:
        files = []
        layouts: dict[int, Layout] = {}
        for each in cut_rows.files():
            wide = self._accelerator.widen(each.rows, self._view.choice(each.project_id))
            layout = layout_of(each.project_id, wide.columns)
            files.append(_write_file(written, each, wide.rows, layout))
            if layout is not None:
                layouts[layout.id] = layout
        return files, tuple(layouts.values())

    def _expired_raw(self, intent: Intent) -> Sequence[str]:
        before_us = intent.decided_at_us - self._raw_kept_us
        return self._catalog.expired_raw(before_us=before_us, limit=RAW_REMOVALS_MAX)


def _write_file(files: _Files, each: FileRows, rows: pa.Table, layout: Layout | None) -> LakeFile:
    """Writes ``rows``, which are those of ``each`` with the accelerated columns of the layout."""
    day = datetime.fromtimestamp(each.day * DAY_US // 1_000_000, UTC).strftime("%Y-%m-%d")
    directory = f"lake/{each.tenant_id}/{each.project_id}/dt={day}"
    written = files.write(directory, ".parquet", encode_rows(rows))
    check_rows(written.content, rows)
    range_us = pc.min_max(each.rows["ts"].cast("int64"))
    return LakeFile(
        path=written.path,
        project_id=each.project_id,
        row_count=each.rows.num_rows,
        byte_count=written.byte_count,
        day=day,
        ts_min_us=range_us["min"].as_py(),
        ts_max_us=range_us["max"].as_py(),
        sha256=written.sha256,
        layout=NO_LAYOUT if layout is None else layout.id,
    )


def _write_raw(files: _Files, project: ProjectFrames) -> RawFile:
    directory = f"raw/{project.tenant_id}/{project.project_id}"
    written = files.write(directory, ".frames.zst", encode_raw(project.frames))
    if count_raw(written.content) != len(project.frames):
        raise Corrupt("A raw file holds other frames than were written.", path=written.path)
    return RawFile(
        path=written.path,
        project_id=project.project_id,
        frame_count=len(project.frames),
        byte_count=written.byte_count,
        received_max_us=max(frame.received_at_us for frame in project.frames),
        sha256=written.sha256,
    )


def _dead_letters(project: ProjectFrames, raw_path: str) -> list[DeadLetter]:
    return [
        DeadLetter(
            project_id=project.project_id,
            key_id=frame.place.key_id,
            received_at_us=frame.received_at_us,
            reason=reason,
            journal_id=frame.journal_id,
            position=frame.position,
            event_count=frame.event_count,
            raw_path=raw_path,
        )
        for frame, reason in project.dead
    ]


def _write_sidecars(
    files: _Files, intent: Intent, stored: Ids, sidecars: Sequence[Sidecar]
) -> tuple[list[SidecarFile], list[str]]:
    """The commit's own sidecar and merged ones, and the paths that they replace."""
    window_us, horizon_us = intent.dedup_window_us, intent.horizon_us
    plan = plan_sidecars(
        [sidecar.file for sidecar in sidecars], horizon_us=horizon_us, window_us=window_us
    )
    columns = {sidecar.file.path: sidecar.ids for sidecar in sidecars}
    written = [_write_sidecar(files, encode_sidecar(stored))] if len(stored) else []
    for group in plan.merges:
        parts = [columns[file.path] for file in group]
        content = merged_sidecar(parts, received_after_us=horizon_us - window_us)
        if len(decode_sidecar(content)):
            written.append(_write_sidecar(files, content))
    replaced = [file.path for group in plan.merges for file in group]
    return written, [*replaced, *(file.path for file in plan.expired)]


def _write_sidecar(files: _Files, content: bytes | memoryview) -> SidecarFile:
    ids = decode_sidecar(content)
    path, digest = files.write_large("dedup", ".ids", content)
    return SidecarFile(
        path=path,
        id_count=len(ids),
        byte_count=len(content),
        received_min_us=int(ids.received_us.min()),
        received_max_us=int(ids.received_us.max()),
        sha256=digest,
    )
