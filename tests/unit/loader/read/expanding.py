"""Frames that are small in the journal and large as rows: a text that many events share.

As a program, a loader with little memory over such a journal: ``expanding.py DIRECTORY BYTES``.
"""

import resource
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from tests.unit.loader.rig import Rig, RigClock, Wiring
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame
from weir.node.directory import Directory
from weir.settings import Settings


class _Batch(msgspec.Struct):
    count: int
    context: msgspec.Raw
    name: str = "e"


def decode(frame: Frame) -> Sequence[Event]:
    """As many events as the body says, each with its context; the name ``?`` is no UTF-8."""
    batch = msgspec.json.decode(frame.body, type=_Batch)
    name = "\ud800" if batch.name == "?" else batch.name
    return [Event(event=name, context=batch.context) for _ in range(batch.count)]


DIALECT = Dialect(1, "expanding", frame_by_frame(decode))


def body(count: int, context_bytes: int, name: str = "e") -> bytes:
    """A frame's body that gives ``count`` rows of a little more than ``context_bytes``."""
    return b'{"count":%d,"name":"%s","context":{"x":"%s"}}' % (
        *(count, name.encode()),
        b"y" * context_bytes,
    )


def expanding(wiring: Wiring) -> Wiring:
    """The wiring with the dialect of this module."""
    return replace(wiring, dialects={1: DIALECT})


def _limit_memory(more_bytes: int) -> None:
    """Lets this process grow by no more than that."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    rig = Rig(Directory(Path(sys.argv[1])), RigClock(), Settings(cut_age_s=0.05, workers=1))
    rig.wrap = expanding
    _limit_memory(int(sys.argv[2]))
    rig.wiring().run(threading.Event())
