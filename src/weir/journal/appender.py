"""The end of a journal: batches of frames get their place and time here and go to disk.

Knows files and frames, nothing of threads and waiters; those are ``journal.writer``'s.
"""

from collections.abc import Sequence
from pathlib import Path

from weir.clock import Clock
from weir.domain.frame import Draft
from weir.journal.disk import Disk
from weir.journal.file import HEADER_AREA_BYTES, FileHeader, start_file
from weir.journal.frame import Mark, encode_frames, received_times, seed_checksum
from weir.journal.recovery import Recovered


class Appender:
    """The active file. After an error it can only be abandoned."""

    __slots__ = (
        "_checksum",
        "_clock",
        "_descriptor",
        "_directory",
        "_disk",
        "_end",
        "_file_bytes",
        "_header",
        "_received_floor_us",
    )

    def __init__(
        self, directory: Path, recovered: Recovered, *, disk: Disk, clock: Clock, file_bytes: int
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._clock = clock
        self._file_bytes = file_bytes
        self._header = recovered.header
        self._checksum = seed_checksum(recovered.header.seed)
        self._descriptor = recovered.descriptor
        self._end = recovered.end
        self._received_floor_us = recovered.received_floor_us

    @property
    def end(self) -> Mark:
        """The durable end of the journal."""
        return self._end

    @property
    def received_floor_us(self) -> int:
        """The next frame is not received before this."""
        return self._received_floor_us

    def append(self, drafts: Sequence[Draft], now_us: int) -> list[int]:
        """Makes a batch durable with one sync; returns each frame's ``received_at``.

        Raises ``OSError``, and then none of the batch may be taken as durable.
        """
        times, self._received_floor_us = received_times(
            [draft.event_count for draft in drafts], now_us=now_us, floor_us=self._received_floor_us
        )
        parts, end = encode_frames(drafts, times, self._checksum, start=self._end)
        self._disk.write(self._descriptor, parts, self._place_of_end())
        self._disk.sync(self._descriptor)
        self._end = end
        return times

    def change_file_if_full(self) -> None:
        """Goes on in a fresh file when this one has its size. Raises ``OSError``."""
        if self._place_of_end() < self._file_bytes:
            return
        header = FileHeader(
            journal_id=self._header.journal_id,
            seed=self._disk.random_seed(),
            start=self._end,
            received_floor_us=self._received_floor_us,
            created_at_us=self._clock.now_us(),
        )
        self._give_back_reserve()
        descriptor = start_file(self._disk, self._directory, header, file_bytes=self._file_bytes)
        self.abandon()
        self._header = header
        self._checksum = seed_checksum(header.seed)
        self._descriptor = descriptor

    def close(self) -> None:
        """Ends the file at the durable end of the journal. Raises ``OSError``."""
        self._give_back_reserve()
        self.abandon()

    def abandon(self) -> None:
        """Lets go of the file as it is; doing it again is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._disk.close(descriptor)

    def _give_back_reserve(self) -> None:
        self._disk.truncate(self._descriptor, self._place_of_end())
        self._disk.sync(self._descriptor)

    def _place_of_end(self) -> int:
        return HEADER_AREA_BYTES + self._end.position - self._header.start.position
