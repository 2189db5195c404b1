"""Merged files take the place of their inputs: in the catalog, then in the view, both at once.

The transaction compares all inputs: when one has gone in the meantime, the merged file is dropped.
A replaced file stays until no query can read it any more.
"""

from collections.abc import Sequence

from weir.clock import Clock
from weir.domain.layout import NO_LAYOUT, layout_of
from weir.domain.snapshot import LakeFile
from weir.errors import Conflict
from weir.lake.merge import Merged
from weir.lake.records import Removal, Replacement
from weir.loader.ports import Catalog, LakeStore, is_fenced
from weir.loader.tail.view import View
from weir.loader.upkeep.removals import Removals
from weir.telemetry import COMPACTED_FILES, Happening, emit

REMOVAL_GRACE_S = 60.0
"""What a replaced file outlives the longest query by."""


class FileReplacer:
    """Puts merged files in the place of their inputs."""

    __slots__ = (
        "_catalog",
        "_clock",
        "_epoch",
        "_query_timeout_s",
        "_removals",
        "_store",
        "_view",
    )

    def __init__(
        self,
        *,
        catalog: Catalog,
        store: LakeStore,
        view: View,
        removals: Removals,
        clock: Clock,
        epoch: int,
        query_timeout_s: float,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._view = view
        self._removals = removals
        self._clock = clock
        self._epoch = epoch
        self._query_timeout_s = query_timeout_s

    def replace(self, inputs: Sequence[LakeFile], merged: Merged) -> bool:
        """Whether the merged file stands for its inputs from now on.

        False when an input has gone: then the merged file goes too. Raises ``Conflict``
        (``fenced``) when another loader has taken over.
        """
        replacement = self._replacement(inputs, merged)
        try:
            self._catalog.replace_files(self._epoch, replacement)
        except Conflict as error:
            if is_fenced(error):
                raise
            self._store.remove(merged.path)
            return False
        self._view.replace_files(replacement)
        self._removals.add(replacement.removals)
        COMPACTED_FILES.inc(len(inputs))
        emit(
            Happening.FILES_COMPACTED,
            project=replacement.file.project_id,
            day=replacement.file.day,
            files=len(inputs),
            rows=merged.row_count,
            bytes=merged.byte_count,
        )
        return True

    def _replacement(self, inputs: Sequence[LakeFile], merged: Merged) -> Replacement:
        first = inputs[0]
        layout = layout_of(first.project_id, merged.columns)
        kept_us = int((self._query_timeout_s + REMOVAL_GRACE_S) * 1_000_000)
        due_us = self._clock.now_us() + kept_us
        return Replacement(
            inputs=tuple(file.path for file in inputs),
            file=LakeFile(
                path=merged.path,
                project_id=first.project_id,
                row_count=merged.row_count,
                byte_count=merged.byte_count,
                day=first.day,
                ts_min_us=merged.ts_min_us,
                ts_max_us=merged.ts_max_us,
                sha256=merged.sha256,
                layout=NO_LAYOUT if layout is None else layout.id,
            ),
            layout=layout,
            removals=tuple(
                Removal(file.path, due_us) for file in inputs if file.path != merged.path
            ),
        )
