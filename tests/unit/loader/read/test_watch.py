"""Frames that end the loader are found within a few deaths, and no others are put aside."""

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.unit.loader.rig import JSON_DIALECT, Rig, Wiring, event
from weir.domain.frame import Frame, Place
from weir.lake.records import JournalMark, Span
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.portions import DividedRound
from weir.loader.read.rounds import Round
from weir.loader.read.watch import DEATHS_PER_FALL, FALLS_MAX, Watch


class Death(BaseException):
    """The process is gone in the middle of its work."""


def make_frames(count: int, journal: str = "00") -> list[Frame]:
    """Frames of one event, 8 bytes apart."""
    place = Place(1, 1, 7, 1)
    return [
        Frame(
            journal, 8 * n, 8 * n + 8, n, 1_790_000_000_000_000 + n, place, 1, 1, 1, 0, 0, b"", b""
        )
        for n in range(count)
    ]


def work(watch: Watch, frames: Sequence[Frame], killers: set[tuple[str, int]]) -> list[Frame]:
    """Works as the loader does; frames that are put aside, or ``Death``."""
    aside = []
    start = 0
    spans = {
        name: Span(0, max(f.next_position for f in frames if f.journal_id == name), 0, 1)
        for name in {frame.journal_id for frame in frames}
    }
    while start < len(frames):
        if watch.poison(frames[start]):
            aside.append(frames[start])
            start += 1
            continue
        count = watch.group(frames, start, len(frames) - start)
        watch.begin(frames, start, count, spans)
        if any((f.journal_id, f.position) in killers for f in frames[start : start + count]):
            raise Death
        watch.end()
        start += count
    return aside


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], Watch]:
    """The watch of the next loader."""
    paths = (tmp_path / "working", tmp_path / "crashes.json")
    return lambda: Watch.open(*paths, exit_code=-signal.SIGSEGV)


@pytest.mark.parametrize("killer", [0, 1, 63, 64, 500, 999])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_killer_is_put_aside_after_three_deaths_alone(
    reopen: Callable[[], Watch], killer: int, count: int
) -> None:
    """Wherever it stands; then everything else is worked on."""
    frames = make_frames(count)
    killers = {("00", frames[min(killer, count - 1)].position)}
    for _ in range(FALLS_MAX + (2 if count > 1 else 0)):
        watch = reopen()
        with pytest.raises(Death):
            work(watch, frames, killers)
        watch.close()
    watch = reopen()
    assert {(each.journal_id, each.position) for each in work(watch, frames, killers)} == killers
    assert watch.poison(frames[min(killer, count - 1)])
    watch.forget_below({"00": JournalMark(frames[-1].next_position, count)})
    assert work(watch, frames, set()) == []
    watch.close()


def test_two_killers_in_two_journals_are_both_found(reopen: Callable[[], Watch]) -> None:
    """Each takes its own deaths; nothing else is put aside."""
    frames = [*make_frames(200), *make_frames(200, "01")]
    killers = {("00", 8 * 150), ("01", 8 * 20)}
    aside: list[Frame] = []
    for _ in range(2 * FALLS_MAX + 4):
        watch = reopen()
        with suppress(Death):
            aside = work(watch, frames, killers)
        watch.close()
    assert {(each.journal_id, each.position) for each in aside} == killers


def test_deaths_for_other_reasons_put_nothing_aside(reopen: Callable[[], Watch]) -> None:
    """Killed ever again somewhere else, and at rest: no frame is poison."""
    frames = make_frames(1000)
    for turn in range(20):
        watch = reopen()
        start = turn * 37
        count = watch.group(frames, start, 1000 - start)
        watch.begin(frames, start, count, {"00": Span(0, 8000, 0, 1)})
        watch.close()
    watch = reopen()
    watch.close()
    watch = reopen()
    assert work(watch, frames, set()) == []


def test_being_killed_tells_less_of_a_frame_than_falling(tmp_path: Path) -> None:
    """Somebody who kills at the same point of work ever again is believed in the end."""
    frames = make_frames(1)
    killers = {("00", 0)}
    paths = (tmp_path / "working", tmp_path / "crashes.json")
    for _ in range(FALLS_MAX * DEATHS_PER_FALL):
        watch = Watch.open(*paths, exit_code=-signal.SIGKILL)
        with pytest.raises(Death):
            work(watch, frames, killers)
        watch.close()
    assert work(Watch.open(*paths, exit_code=-signal.SIGKILL), frames, killers) == frames


def test_death_counts_once_however_often_it_is_read(tmp_path: Path) -> None:
    """The next loader may be killed before it has emptied the mark."""
    frames = make_frames(1)
    paths = (tmp_path / "working", tmp_path / "crashes.json")
    watch = Watch.open(*paths)
    with pytest.raises(Death):
        work(watch, frames, {("00", 0)})
    mark = (tmp_path / "working").read_bytes()
    for _ in range(2 * FALLS_MAX):
        watch = Watch.open(*paths, exit_code=-signal.SIGSEGV)
        (tmp_path / "working").write_bytes(mark)
    assert watch.poison(frames[0]) is None


def test_marks_that_cannot_be_read_are_forgotten(tmp_path: Path) -> None:
    """Garbage in either file keeps no loader from starting."""
    (tmp_path / "working").write_bytes(b"\xff{")
    (tmp_path / "crashes.json").write_bytes(b"[{")
    watch = Watch.open(tmp_path / "working", tmp_path / "crashes.json")
    assert watch.poison(make_frames(1)[0]) is None


def test_poison_becomes_a_dead_letter_beside_its_neighbours(
    reopen: Callable[[], Watch], tmp_path: Path
) -> None:
    """The portions of a round cover it whole, the poisoned frame as a dead one."""
    frames = make_frames(100)
    for _ in range(FALLS_MAX + 2):
        watch = reopen()
        with pytest.raises(Death):
            work(watch, frames, {("00", 400)})
    watch = reopen()
    whole = [_with_body(frame) for frame in frames]
    found = Round(whole, [], [], {"00": Span(0, 800, 0, 100)}, 0, caught_up=True)
    divided = DividedRound(found, FrameDecoder({1: JSON_DIALECT}, lambda _: {7: "e"}), watch)
    blocks = []
    while not divided.done:
        blocks.append(divided.take().block)
    assert sum(block.rows.num_rows for block in blocks) == 99
    [(dead, reason)] = [each for block in blocks for each in block.dead]
    assert dead.position == 400
    assert reason.startswith("poison:")


def _with_body(frame: Frame) -> Frame:
    return msgspec.structs.replace(frame, body=msgspec.json.encode([event(frame.position)]))


def test_quiet_loader_leaves_no_mark(rig: Rig) -> None:
    """A clean end is not taken for a death."""
    marker, crashes = rig.directory.working, rig.directory.crashes

    def wrap(wiring: Wiring) -> Wiring:
        return replace(wiring, open_watch=lambda: Watch.open(marker, crashes))

    rig.wrap = wrap
    rig.write([event(1)])
    for _ in range(2):
        with rig.running() as loader:
            loader.cut()
        assert marker.read_bytes() == b""
    assert not crashes.exists()
