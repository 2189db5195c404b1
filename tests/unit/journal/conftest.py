"""A journal in a directory of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.journal.fakes import FILE_BYTES, Open, QuickDisk, SetClock
from weir.clock import Clock
from weir.journal.disk import Disk
from weir.journal.writer import JournalWriter


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The journal's directory; its name is the journal's id."""
    return tmp_path / "journal" / "07"


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    """Where damaged bytes go."""
    return tmp_path / "quarantine"


@pytest.fixture
def clock() -> SetClock:
    """The clock of every writer that ``open_writer`` makes."""
    return SetClock()


@pytest.fixture
def open_writer(directory: Path, quarantine: Path, clock: SetClock) -> Iterator[Open]:
    """Opens writers and closes at the end those that are still open."""
    writers: list[JournalWriter] = []

    def open_one(
        at: Path = directory,
        *,
        disk: Disk | None = None,
        clock: Clock = clock,
        file_bytes: int = FILE_BYTES,
        notify: Callable[[Callable[[], None]], object] = lambda function: function(),
        defer: Callable[[Callable[[], None]], object] = lambda function: function(),
    ) -> JournalWriter:
        writer = JournalWriter.open(
            at,
            quarantine=quarantine,
            clock=clock,
            file_bytes=file_bytes,
            notify=notify,
            defer=defer,
            disk=disk or QuickDisk(),
        )
        writers.append(writer)
        return writer

    yield open_one
    for writer in writers:
        writer.close()
