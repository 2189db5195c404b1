"""What the loader was working on when it died: frames that kill it are found and put aside.

Before frames are worked on, their places are written to ``run/working`` (no sync: it is about the
death of a process, not of the machine); when they are in the tail it is emptied. A loader that
finds places there at its start has had a predecessor that died on them, and remembers that in
``crashes.json``. Frames of one crash are then worked on in small groups, frames of two one by one.
A frame that the loader has fallen on three times while it worked on nothing else is poison: it
becomes a dead letter unread. To fall is to end by a signal of the program's own making. A death
that somebody else may have caused (SIGKILL, which the kernel sends too when memory is short) costs
small groups for a while, but tells little of a frame: four of them count as one fall.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count as counting
from itertools import islice
from pathlib import Path
from typing import Self

import msgspec

from weir.domain.frame import Frame
from weir.lake.records import JournalMark, Span
from weir.storage.local import write_durable
from weir.telemetry import Happening, emit

FALLS_MAX = 3
"""Falls on a single frame after which it is put aside."""

DEATHS_PER_FALL = 4

_OWN_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)

GROUP_FRAMES = 64
"""Frames that are worked on at once where the loader has died once."""

CRASHES_REMEMBERED = 256

Stretch = dict[str, tuple[int, int]]
"""Per journal a half-open range of positions."""


class _Crash(msgspec.Struct, frozen=True):
    """A death: the places that were worked on, and whether that was a single frame."""

    stretch: Stretch
    is_single: bool
    mark: str
    """Names the work: a death is remembered once, even if it is read twice."""
    fell: bool = False


_decode = msgspec.json.Decoder(_Crash).decode
_decode_all = msgspec.json.Decoder(list[_Crash]).decode


class Watch:
    """Where the loader works, and where it died before. For the reading thread alone."""

    __slots__ = ("_crashes", "_descriptor", "_marks", "_remembered")

    def __init__(self, descriptor: int, remembered: Path, crashes: Sequence[_Crash]) -> None:
        self._descriptor = descriptor
        self._remembered = remembered
        self._crashes = list(crashes)
        life = os.urandom(8).hex()
        self._marks = (f"{life}-{number}" for number in counting())

    @classmethod
    def open(cls, marker: Path, remembered: Path, *, exit_code: int = 0) -> Self:
        """Reads what the last loader left and remembers its death, if that is what it was.

        ``exit_code`` is the last loader's, the negative number of a signal; 0: not known. Raises
        ``OSError``. What cannot be read was never written whole: it is forgotten.
        """
        descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        watch = cls(descriptor, remembered, _read_remembered(remembered))
        left = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        if left:
            watch._remember(left, fell=-exit_code in _OWN_SIGNALS)
            os.ftruncate(descriptor, 0)
        return watch

    @classmethod
    def forgetful(cls) -> Self:
        """A watch that no other process learns of."""
        return cls(os.memfd_create("working", os.MFD_CLOEXEC), Path(os.devnull), ())

    def forget_below(self, committed: Mapping[str, JournalMark]) -> None:
        """Forgets the crashes whose frames are all in the lake: those frames killed nobody."""
        kept = [
            crash
            for crash in self._crashes
            if any(
                end > committed.get(name, JournalMark()).position
                for name, (_, end) in crash.stretch.items()
            )
        ]
        if len(kept) != len(self._crashes):
            self._crashes = kept
            write_durable(self._remembered, [msgspec.json.encode(kept)])

    def group(self, frames: Sequence[Frame], start: int, count: int) -> int:
        """How many of ``count`` frames from ``start`` on may be worked on at once."""
        if not self._crashes:
            return count
        met = [len(self._met(frame)) for frame in islice(frames, start, start + count)]
        if met[0] > 1:
            return 1
        alike = next((n for n, each in enumerate(met) if each != met[0]), count)
        return min(alike, GROUP_FRAMES) if met[0] else alike

    def poison(self, frame: Frame) -> str | None:
        """Why a frame may not be touched; None for nearly all."""
        met = self._met(frame) if self._crashes else []
        alone = [DEATHS_PER_FALL if crash.fell else 1 for crash in met if crash.is_single]
        if sum(alone) < FALLS_MAX * DEATHS_PER_FALL:
            return None
        return f"poison: the loader died {len(alone)} times while it worked on this alone."

    def begin(
        self, frames: Sequence[Frame], start: int, count: int, spans: Mapping[str, Span]
    ) -> None:
        """``count`` frames from ``start`` on, of a round over ``spans``, are worked on now."""
        if self._crashes:
            stretch = _stretch_of(frames[start : start + count])
        else:
            stretch = {name: (span.from_position, span.to_position) for name, span in spans.items()}
        text = msgspec.json.encode(_Crash(stretch, count == 1, next(self._marks)))
        with suppress(OSError):  # on a full disk the work goes on without a mark
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def end(self) -> None:
        """Nothing is worked on."""
        os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._descriptor)

    def _met(self, frame: Frame) -> list[_Crash]:
        """The crashes that this frame may have caused."""
        none = (0, 0)
        return [
            crash
            for crash in self._crashes
            if (found := crash.stretch.get(frame.journal_id, none))[0] <= frame.position < found[1]
        ]

    def _remember(self, left: bytes, *, fell: bool) -> None:
        try:
            crash = msgspec.structs.replace(_decode(left), fell=fell)
        except msgspec.MsgspecError:
            return
        if any(each.mark == crash.mark for each in self._crashes):
            return
        self._crashes = [*self._crashes, crash][-CRASHES_REMEMBERED:]
        write_durable(self._remembered, [msgspec.json.encode(self._crashes)])
        emit(Happening.LOADER_DIED_WORKING, places=crash.stretch, crashes=len(self._crashes))


def _read_remembered(path: Path) -> list[_Crash]:
    try:
        return _decode_all(path.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return []


def _stretch_of(frames: Sequence[Frame]) -> Stretch:
    stretch: Stretch = {}
    for frame in frames:
        first, _ = stretch.get(frame.journal_id, (frame.position, 0))
        stretch[frame.journal_id] = (first, frame.next_position)
    return stretch
