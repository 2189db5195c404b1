"""What queries see: committed files and the tail, changed in one step.

One lock guards it all, held for short moments only: adding a round, taking a snapshot (which
writes the project's new rows into its memory file), and the switch after a commit, when files
come in and the committed generation goes out.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from weir.domain.frame import Frame
from weir.domain.layout import NO_LAYOUT, Accelerated
from weir.domain.outcome import LedgerRow
from weir.domain.snapshot import LakeFile, Snapshot
from weir.errors import Unavailable
from weir.lake.records import CatalogState, Commit, JournalMark, Replacement, SidecarFile
from weir.lake.sidecar import Ids, MappedSidecar
from weir.loader.read.rounds import Round
from weir.loader.read.rows import Block
from weir.loader.tail.dedup import Verdict
from weir.loader.tail.replay import Replay
from weir.loader.tail.tail import Generation, TailFile, pieces_of
from weir.loader.values import SharedSnapshot

TAIL_FILES_MAX = 256
"""Projects whose tail stands ready in a memory file; the least recently asked for gives way."""


TOUCHED_BYTES_MAX = 64 * 1024 * 1024
"""Sidecars of this size together are left in memory as far as lookups have touched them: of an
entry's 32 bytes mostly 8."""


class Sidecar(NamedTuple):
    """A committed sidecar and its mapped columns."""

    file: SidecarFile
    mapped: MappedSidecar

    @property
    def ids(self) -> Ids:
        """Its entries."""
        return self.mapped.ids


class View:
    """The state that queries, the ledger and the commit share."""

    __slots__ = (
        "_committing",
        "_damaged",
        "_files",
        "_growing",
        "_layouts",
        "_locate",
        "_lock",
        "_tail_files",
        "commit_id",
        "committed",
        "committed_at_us",
        "sidecars",
        "watermark_us",
    )

    def __init__(self, state: CatalogState, locate: Callable[[str], Path]) -> None:
        self._lock = threading.Lock()
        self._locate = locate
        self._damaged: frozenset[str] = frozenset()
        self._files: dict[int, tuple[LakeFile, ...]] = {}
        self._layouts = {layout.id: layout for layout in state.layouts}
        self._committing: Generation | None = None
        self._growing = Generation(state.intent.endpoints if state.intent else None)
        self._tail_files: OrderedDict[int, TailFile] = OrderedDict()
        self.commit_id = state.commit_id
        self.committed_at_us = state.committed_at_us
        self.committed: dict[str, JournalMark] = dict(state.journals)
        self.sidecars = tuple(self._open(file) for file in state.sidecars)
        self.watermark_us = 0
        self._add_files(state.files)

    @property
    def growing(self) -> Generation:
        """The generation that the reading thread adds to; only it may ask."""
        return self._growing

    @property
    def is_committing(self) -> bool:
        """Whether a closed generation is not in the lake yet."""
        return self._committing is not None

    @property
    def holds_rows(self) -> bool:
        """Whether anything is in memory that is not in the lake yet."""
        return self.is_committing or self._growing.since_s is not None

    @property
    def byte_count(self) -> int:
        """Bytes of rows and frames in memory, over both generations."""
        with self._lock:
            return sum(generation.byte_count for generation in self._generations())

    def indexes(self) -> list[Ids]:
        """Every sorted index of stored or visible ids."""
        with self._lock:
            runs = [run for each in self._generations() for run in each.ids.indexes()]
            return [sidecar.ids for sidecar in self.sidecars] + runs

    def let_go_of_indexes(self) -> None:
        """Gives back the memory of the sidecars that lookups have touched, where it is much."""
        sidecars = self.sidecars
        if sum(sidecar.file.byte_count for sidecar in sidecars) > TOUCHED_BYTES_MAX:
            for sidecar in sidecars:
                sidecar.mapped.let_go()

    def add(
        self, found: Round, block: Block, verdict: Verdict, *, now_s: float, minute: int
    ) -> None:
        """Makes a portion of a round visible."""
        with self._lock:
            self._growing.add(found, block, verdict, now_s=now_s, minute=minute)

    def add_replay(self, replay: Replay, verdict: Verdict, *, now_s: float) -> None:
        """Makes dead letters that became rows visible."""
        with self._lock:
            self._growing.add_replay(replay, verdict, now_s=now_s)

    def replayed(self) -> set[tuple[str, int]]:
        """Journals and positions of letters whose rows are not in the lake yet."""
        with self._lock:
            return {
                (letter.journal_id, letter.position)
                for generation in self._generations()
                for replay in generation.replays
                for letter in replay.letters
            }

    def begin_commit(self) -> Generation:
        """Closes the growing generation; its rows stay visible until ``end_commit``."""
        with self._lock:
            assert self._committing is None
            self._committing, self._growing = self._growing, Generation()
            return self._committing

    def end_commit(self, commit: Commit, marks: Mapping[str, JournalMark]) -> None:
        """The switch: the commit's files come in, its rows go out of the tail."""
        retired = set(commit.retired)
        kept = [sidecar for sidecar in self.sidecars if sidecar.file.path not in retired]
        opened = [self._open(file) for file in commit.sidecars]
        with self._lock:
            self.sidecars = (*kept, *opened)
            self.committed = {**self.committed, **marks}
            self._layouts |= {layout.id: layout for layout in commit.layouts}
            self._add_files(commit.files)
            self._committing = None
            self.commit_id = commit.intent.commit_id
            self.committed_at_us = commit.committed_at_us
            for tail_file in self._tail_files.values():
                tail_file.close()
            self._tail_files.clear()

    def snapshot(self, project_id: int) -> SharedSnapshot:
        """Files and tail of one project at one moment.

        ``Unavailable`` (``events_damaged``) when one of the files is known to be damaged.
        """
        with self._lock:
            files = self._files.get(project_id, ())
            if self._damaged and any(file.path in self._damaged for file in files):
                raise Unavailable(
                    "Stored events are damaged: they are not served until they are restored.",
                    code="events_damaged",
                )
            layouts = tuple(
                self._layouts[each]
                for each in sorted({file.layout for file in files} - {NO_LAYOUT})
            )
            pieces = pieces_of(self._generations(), project_id)
            if not pieces:
                return SharedSnapshot(
                    Snapshot(project_id, files, layouts, 0, 0, self.watermark_us, self.commit_id),
                    None,
                )
            tail = self._tail_file(project_id)
            try:
                byte_count = tail.extend(pieces)
            except BaseException:  # half a batch may stand in it: the next asker starts anew
                self._tail_files.pop(project_id).close()
                raise
            snapshot = Snapshot(
                *(project_id, files, layouts, tail.row_count, byte_count),
                watermark_us=self.watermark_us,
                commit_id=self.commit_id,
            )
            return SharedSnapshot(snapshot, tail.share())

    def frames(self, project_id: int) -> list[tuple[Frame, str | None]]:
        """One project's frames that are not in the lake yet, with the reason of the dead ones."""
        with self._lock:
            return [each for one in self._generations() for each in one.frames_of(project_id)]

    def files(self) -> list[LakeFile]:
        """Every committed file."""
        with self._lock:
            return [file for files in self._files.values() for file in files]

    def refuse_damaged(self, paths: frozenset[str]) -> None:
        """Refuses snapshots that hold one of these files, from now on."""
        with self._lock:
            self._damaged = paths

    def replace_files(self, replacement: Replacement) -> None:
        """The switch after a merge: snapshots hold the inputs or the merged file, never both."""
        gone = set(replacement.inputs)
        project_id = replacement.file.project_id
        with self._lock:
            if replacement.layout is not None:
                self._layouts[replacement.layout.id] = replacement.layout
            kept = [file for file in self._files[project_id] if file.path not in gone]
            self._files[project_id] = (replacement.file, *kept)

    def choice(self, project_id: int) -> tuple[Accelerated, ...]:
        """The accelerated columns of the project's newest file that has some."""
        with self._lock:
            for file in reversed(self._files.get(project_id, ())):
                if file.layout != NO_LAYOUT:
                    return self._layouts[file.layout].choices
            return ()

    def in_flight(self) -> list[LedgerRow]:
        """Ledger rows of everything that is not yet committed."""
        with self._lock:
            return [row for each in self._generations() for row in each.counts.rows()]

    def close(self) -> None:
        """Closes the memory files; there are no snapshots after that."""
        with self._lock:
            for tail_file in self._tail_files.values():
                tail_file.close()
            self._tail_files.clear()

    def _generations(self) -> Iterable[Generation]:
        return (self._committing, self._growing) if self._committing else (self._growing,)

    def _tail_file(self, project_id: int) -> TailFile:
        found = self._tail_files.get(project_id)
        if found is None:
            found = self._tail_files[project_id] = TailFile(project_id)
        self._tail_files.move_to_end(project_id)
        if len(self._tail_files) > TAIL_FILES_MAX:
            self._tail_files.popitem(last=False)[1].close()
        return found

    def _add_files(self, files: Iterable[LakeFile]) -> None:
        added: dict[int, list[LakeFile]] = {}
        for file in files:
            added.setdefault(file.project_id, []).append(file)
        for project_id, more in added.items():
            self._files[project_id] = (*self._files.get(project_id, ()), *more)

    def _open(self, file: SidecarFile) -> Sidecar:
        return Sidecar(file, MappedSidecar(self._locate(file.path)))
