"""A new loader answers from the lake at once, and says how far that is complete."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.loader.rig import (
    DEADLINE_S,
    JSON_DIALECT,
    Crash,
    Rig,
    Running,
    Wiring,
    decode,
    event,
    wait_until,
)
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame
from weir.loader.serve import client
from weir.node.board import Slot


class Gate:
    """A dialect that decodes nothing until it is opened: the reading again takes that long."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.met = threading.Event()

    def open(self) -> None:
        """Lets the reading go on."""
        self._opened.set()

    def into(self, wiring: Wiring) -> Wiring:
        """The wiring, with the gate in its decoder."""
        return replace(wiring, dialects={1: replace_decode(JSON_DIALECT, self._decode)})

    def _decode(self, frame: Frame) -> Sequence[Event]:
        self.met.set()
        assert self._opened.wait(DEADLINE_S)
        return decode(frame)


def replace_decode(dialect: Dialect, new: Callable[[Frame], Sequence[Event]]) -> Dialect:
    """The dialect with another decoder."""
    return Dialect(dialect.code, dialect.name, frame_by_frame(new))


class Seen(NamedTuple):
    """What a query would read: the numbers of all rows, and the watermark."""

    numbers: list[int]
    watermark_us: int


def look(rig: Rig, loader: Running, project: int = 1) -> Seen:
    """A snapshot, read as a query reads it."""
    paths, tail = loader.snapshot_files(project)
    tables: list[Any] = [
        pq.read_table(rig.directory.root / path, partitioning=None) for path in paths
    ]
    tables += [tail] if isinstance(tail, pa.Table) else []
    ids = [text for table in tables for text in table["event_id"].to_pylist()]
    return Seen(sorted(int(text.removeprefix("id-")) for text in ids), loader.status().watermark_us)


def test_new_loader_answers_from_the_lake_before_it_has_read_the_journals(rig: Rig) -> None:
    """What is committed is there at once; the watermark lies before all that is missing."""
    committed_us = rig.write([event(1)])
    with rig.running() as loader:
        loader.cut()
    missing_us = rig.write([event(2)])
    gate = Gate()
    rig.wrap = gate.into
    board = rig.board()
    board.set(Slot.LOADER_READY, 0)
    with rig.running() as loader:
        wait_until(lambda: board.get(Slot.LOADER_READY) == 1)
        seen = look(rig, loader)
        assert seen.numbers == [1]
        assert committed_us < seen.watermark_us <= missing_us
        assert board.get(Slot.WATERMARK_US) == seen.watermark_us
        gate.open()
        wait_until(lambda: look(rig, loader).numbers == [1, 2])
        wait_until(lambda: loader.status().watermark_us > missing_us)


def test_what_has_no_watermark_waits_until_all_is_read_again(rig: Rig) -> None:
    """A ledger or a trace that left out what was acknowledged would say so nowhere."""
    rig.write([event(1)])
    gate = Gate()
    rig.wrap = gate.into
    with rig.running() as loader, ThreadPoolExecutor() as pool:
        asked = pool.submit(loader.ledger)
        assert gate.met.wait(DEADLINE_S)
        assert not asked.done()
        gate.open()
        assert sum(row.in_flight for row in asked.result(DEADLINE_S)) == 1


def test_journals_that_hold_nothing_new_give_the_time_itself_as_watermark(rig: Rig) -> None:
    """A restart of a node at rest takes nothing back."""
    received_us = rig.write([event(1)])
    with rig.running() as loader:
        loader.cut()
    gate = Gate()
    rig.wrap = gate.into
    with rig.running() as loader:
        seen = look(rig, loader)
        assert seen.numbers == [1]
        assert seen.watermark_us > received_us


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_of_an_unfinished_cut_are_seen_once_while_it_is_read_again(
    rig: Rig, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither doubled when its files come in, nor promised before they can be seen."""
    firsts_us = [rig.write([event(number)], worker=number) for number in range(workers)]
    rig.wrap = _crashing_commit
    with monkeypatch.context() as patched:
        patched.setattr(client, "PATIENCE_S", 0.1)
        with pytest.raises(Crash), rig.running() as loader:
            loader.cut()
    rig.write([event(10)])
    gate = Gate()
    rig.wrap = gate.into
    with rig.running() as loader:
        assert gate.met.wait(DEADLINE_S)
        seen = look(rig, loader)
        assert seen.numbers == []
        assert seen.watermark_us <= min(firsts_us)
        gate.open()
        whole = [*range(workers), 10]
        while (seen := look(rig, loader)).numbers != whole:
            assert set(seen.numbers) < set(whole)
            assert len(set(seen.numbers)) == len(seen.numbers)
        loader.cut()
        assert look(rig, loader).numbers == whole


def _crashing_commit(wiring: Wiring) -> Wiring:
    """Dies when the intent is recorded and nothing else is."""
    open_catalog = wiring.open_catalog

    def opened() -> Any:
        catalog = open_catalog()

        class Dying:
            def __getattr__(self, name: str) -> Any:
                if name == "commit":
                    raise Crash(name)
                return getattr(catalog, name)

        return Dying()

    return replace(wiring, open_catalog=opened)
