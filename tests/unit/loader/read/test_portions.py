"""A round goes into the tail in portions of bounded size, whatever its frames expand to."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.loader.commit.test_render import DECODER, make_frame
from tests.unit.loader.read import expanding
from tests.unit.loader.rig import Rig, decode, event, wait_until
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame
from weir.lake.records import Span
from weir.loader.read import rows
from weir.loader.read.portions import DividedRound
from weir.loader.read.rounds import LostEvents, Round
from weir.loader.tail.tail import Generation

MIB = 1024 * 1024
LOOK_S = 0.5
LOOKS = 1000


def committed_rows(rig: Rig) -> int:
    """Rows that the catalog knows."""
    catalog = rig.open_catalog()
    try:
        return sum(file.row_count for file in catalog.load().files)
    finally:
        catalog.close()


def test_expanding_frames_are_loaded_within_little_memory(new_rig: Callable[..., Rig]) -> None:
    """A round that would be 2.1 GB of rows is committed by a loader that may take 1.6 GB."""
    rig = new_rig()
    for _ in range(100):
        rig.write(expanding.body(1000, 20_900), event_count=1000)
    child = subprocess.Popen(
        [sys.executable, expanding.__file__, rig.directory.root, str(1600 * MIB)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(LOOKS):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_S)
            if child.poll() is not None or committed_rows(rig) == 100_000:
                break
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    total = rig.ledger_total()
    assert (total.stored, total.dead_lettered, total.balance) == (100_000, 0, 0)


def test_tail_grows_by_one_block_at_most_over_its_bound(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is looked at after each block, and a block ends with the frame that fills it."""
    monkeypatch.setattr(rows, "BLOCK_BYTES_MAX", 100_000)
    sizes: list[int] = []
    tails: list[int] = []
    add = Generation.add

    def spy(generation: Generation, found: Round, block: rows.Block, *args: Any, **kw: Any) -> None:
        add(generation, found, block, *args, **kw)
        sizes.append(block.rows.nbytes)
        tails.append(generation.byte_count)

    monkeypatch.setattr(Generation, "add", spy)
    rig = new_rig(tail_bytes_max=300_000)
    rig.wrap = expanding.expanding
    for number in range(60):
        rig.write(expanding.body(20, 2000), event_count=20, worker=number % 2)
    with rig.running() as loader:
        loader.cut()
    assert committed_rows(rig) == 1200
    assert rig.ledger_total().balance == 0
    assert max(sizes) < 200_000
    assert max(tails) < 500_000


def test_resumed_cut_is_read_in_blocks_too(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an intent covers comes back whole, and cut in the middle of a round it is exact."""
    monkeypatch.setattr(rows, "BLOCK_BYTES_MAX", 100_000)
    rig = new_rig(tail_bytes_max=300_000)
    for number in range(30):
        rig.write(expanding.body(20, 2000), event_count=20, worker=number % 2)

    def failing(wiring: Any) -> Any:
        catalog = rig.open_catalog()
        broken = mock.Mock(wraps=catalog)
        broken.commit.side_effect = KeyboardInterrupt
        return replace(expanding.expanding(wiring), open_catalog=lambda: broken)

    rig.wrap = failing
    with pytest.raises(KeyboardInterrupt), rig.running() as loader:
        wait_until(lambda: not loader.thread.is_alive())
    catalog = rig.open_catalog()
    intent = catalog.load().intent
    catalog.close()
    assert intent is not None
    assert 0 < sum(span.event_count for span in intent.spans.values()) < 600
    rig.wrap = expanding.expanding
    with rig.running() as loader:
        loader.cut()
    assert committed_rows(rig) == 600
    assert rig.ledger_total().balance == 0


def test_bad_frames_are_found_by_halving(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames with a value that no column takes die alone, and the search is a short one."""
    built: list[int] = []
    build = rows.build_block

    def spy(decoded: rows.Decoded, *args: Any) -> rows.Block:
        built.append(len(decoded.frames))
        return build(decoded, *args)

    monkeypatch.setattr("weir.loader.read.decoder.build_block", spy)
    rig.wrap = expanding.expanding
    for number in range(200):
        name = "?" if number in (3, 150) else "e"
        rig.write(expanding.body(1, 10, name), event_count=1)
    with rig.running() as loader:
        loader.cut()
    total = rig.ledger_total()
    assert (total.stored, total.dead_lettered, total.balance) == (198, 2, 0)
    assert len(built) < 50


def with_decoder(rig: Rig, decoder: Callable[[Frame], Sequence[Event]]) -> None:
    """The rig's loaders decode by this."""
    dialect = Dialect(1, "json", frame_by_frame(decoder))
    rig.wrap = lambda wiring: replace(wiring, dialects={1: dialect})


def test_frame_without_memory_beside_others_is_loaded_alone(rig: Rig) -> None:
    """A frame that does not fit waits until the tail is in the lake; it is no dead letter."""

    def short_until_the_first_commit(frame: Frame) -> Sequence[Event]:
        if b"id-2" in frame.body and not committed_rows(rig):
            raise MemoryError
        return decode(frame)

    with_decoder(rig, short_until_the_first_commit)
    for number in range(1, 4):
        rig.write([event(number)])
    with rig.running() as loader:
        wait_until(lambda: committed_rows(rig) > 0)
        loader.cut()
    assert [row["event_id"] for row in rig.committed()] == ["id-1", "id-2", "id-3"]
    assert rig.ledger_total().dead_lettered == 0


def test_frame_that_never_fits_is_dead_lettered(rig: Rig) -> None:
    """A frame for which memory does not suffice even alone holds nothing up."""

    def short(frame: Frame) -> Sequence[Event]:
        if b"id-2" in frame.body:
            raise MemoryError
        return decode(frame)

    with_decoder(rig, short)
    for number in range(1, 4):
        rig.write([event(number)])
    with rig.running() as loader:
        loader.cut()
        wait_until(lambda: committed_rows(rig) > 0)
        loader.cut()
    total = rig.ledger_total()
    assert (total.stored, total.dead_lettered, total.balance) == (2, 1, 0)


def test_frame_above_every_bound_is_dead_lettered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size as rows is known before a row is made; the frame is kept, the others are loaded."""
    monkeypatch.setattr(rows, "FRAME_BYTES_MAX", 100_000)
    rig.wrap = expanding.expanding
    rig.write(expanding.body(2, 100), event_count=2)
    rig.write(expanding.body(1000, 200), event_count=1000)
    with rig.running() as loader:
        loader.cut()
    total = rig.ledger_total()
    assert (total.stored, total.dead_lettered, total.balance) == (2, 1000, 0)


_kinds = st.lists(st.sampled_from(["frame", "tally", "loss"]), max_size=6)


@given(st.lists(_kinds.filter(bool), max_size=4), st.integers(1, 3))
def test_portions_tile_the_round(journals: list[list[str]], every: int) -> None:
    """Each frame, tally, loss and position is in one portion, in order, with the right offsets."""
    found = Round([], [], [], {}, 9, caught_up=True)
    for journal, kinds in enumerate(journals):
        offset = 0
        for position, kind in enumerate(kinds):
            if kind == "loss":
                found.losses.append(LostEvents(f"{journal:02d}", position, 5, True))
                offset += 5
                continue
            frame = make_frame(journal, position, (1, [1] if kind == "frame" else [], 0, 0))
            frame = msgspec.structs.replace(frame, offset=offset)
            (found.frames if kind == "frame" else found.tallies).append(frame)
            offset += frame.event_count
        found.spans[f"{journal:02d}"] = Span(0, len(kinds), 0, offset)

    parts: list[Round] = []
    divided = DividedRound(found, DECODER)
    with mock.patch.object(rows, "BLOCK_BYTES_MAX", every * rows.ROW_BYTES):
        while not divided.done:
            parts.append(divided.take().found)
    assert [frame for part in parts for frame in part.frames] == found.frames
    assert [frame for part in parts for frame in part.tallies] == found.tallies
    assert [loss for part in parts for loss in part.losses] == found.losses
    for name, whole in found.spans.items():
        spans = [part.spans[name] for part in parts if name in part.spans]
        assert spans[0].from_position == 0
        assert (spans[-1].to_position, spans[-1].to_offset) == (whole.to_position, whole.to_offset)
        for before, after in pairwise(spans):
            assert before.to_position == after.from_position
            assert before.to_offset == after.from_offset
    for part in parts:
        counted = sum(frame.event_count for frame in part.frames)
        counted += sum(loss.event_count for loss in part.losses)
        assert counted == sum(span.event_count for span in part.spans.values())
