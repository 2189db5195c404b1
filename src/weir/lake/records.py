"""What the catalog keeps: cuts, files, sidecars, dead letters, and what one commit adds.

Shared by the loader, which makes these, and by the catalog's adapters, which store them. Paths
are relative to the node's directory. Described for operators in docs/formats/catalog.md.
"""

from collections.abc import Mapping

import msgspec

from weir.domain.layout import Layout
from weir.domain.outcome import LedgerRow
from weir.domain.snapshot import LakeFile


class Span(msgspec.Struct, frozen=True):
    """The part of one journal that a cut covers: positions are half-open, offsets likewise."""

    from_position: int
    to_position: int
    from_offset: int
    to_offset: int

    @property
    def event_count(self) -> int:
        """Events that the journal says it holds here, readable or not."""
        return self.to_offset - self.from_offset


class Intent(msgspec.Struct, frozen=True):
    """A cut that was decided: everything that rendering it depends on besides the journals.

    ``endpoints`` are the names that rows carry, by endpoint id: the registry may know others by
    the time a crash makes the commit start again. No event older than ``horizon_us`` can come any
    more; deduplication need not remember what is older than that by ``dedup_window_us``.
    """

    commit_id: int
    decided_at_us: int
    dedup_window_us: int
    horizon_us: int
    spans: dict[str, Span]
    endpoints: dict[int, str]
    replays: "tuple[DeadLetter, ...]" = ()
    """Letters whose frames the cut covers beside the spans."""


class RawFile(msgspec.Struct, frozen=True):
    """The frames of one project in one commit; see ``lake/raw.py``."""

    path: str
    project_id: int
    frame_count: int
    byte_count: int
    received_max_us: int
    sha256: str


class SidecarFile(msgspec.Struct, frozen=True):
    """A sorted file of id hashes; see ``lake/sidecar.py``."""

    path: str
    id_count: int
    byte_count: int
    received_min_us: int
    received_max_us: int
    sha256: str


class DeadLetter(msgspec.Struct, frozen=True):
    """A frame that could not become rows; its bytes are in the raw file."""

    project_id: int
    key_id: int
    received_at_us: int
    reason: str
    journal_id: str
    position: int
    event_count: int
    raw_path: str


class UsageRow(msgspec.Struct, frozen=True):
    """Events of a tenant that one journal took in one month, and how many were duplicates.

    ``month`` counts months since January 1970 in UTC, by ``received_at``. What was used is
    ``accepted`` less ``duplicate``.
    """

    journal_id: str
    tenant_id: int
    month: int
    accepted: int
    duplicate: int


class Commit(msgspec.Struct, frozen=True):
    """One lake commit: what the catalog takes in a single transaction.

    ``retired`` are files that are no longer needed: out of the catalog with this transaction, on
    the list of removals until somebody has deleted them.
    """

    intent: Intent
    committed_at_us: int
    files: tuple[LakeFile, ...]
    layouts: tuple[Layout, ...]
    """Those of the files, whether known already or not."""
    raw_files: tuple[RawFile, ...]
    sidecars: tuple[SidecarFile, ...]
    dead_letters: tuple[DeadLetter, ...]
    ledger: tuple[LedgerRow, ...]
    usage: tuple[UsageRow, ...]
    spans: dict[str, Span]
    """What was read: offsets may be lower than the intent's when damage was found only later."""
    retired: tuple[str, ...]
    replayed: tuple[DeadLetter, ...] = ()
    """Letters that became rows, and are letters no more."""

    @property
    def row_count(self) -> int:
        return sum(file.row_count for file in self.files)


class Removal(msgspec.Struct, frozen=True):
    """A retired file, and from when on nobody reads it any more."""

    path: str
    due_us: int = 0


class Replacement(msgspec.Struct, frozen=True):
    """One merge: ``file`` stands for the inputs from one moment on."""

    inputs: tuple[str, ...]
    file: LakeFile
    layout: Layout | None
    removals: tuple[Removal, ...]


class JournalMark(msgspec.Struct, frozen=True):
    """Up to where a journal is in the lake."""

    position: int = 0
    offset: int = 0


class CatalogState(msgspec.Struct, frozen=True):
    """What a loader must know at its start.

    ``explained`` is the sum of all final outcomes in the ledger; ``intent`` the cut that a crash
    left unfinished; ``removals`` files that were retired and may still be there.
    """

    commit_id: int
    committed_at_us: int
    journals: Mapping[str, JournalMark]
    files: tuple[LakeFile, ...]
    layouts: tuple[Layout, ...]
    sidecars: tuple[SidecarFile, ...]
    intent: Intent | None
    removals: tuple[Removal, ...]
    explained: int
