"""From frames to rows: the dialects decode, and what they return becomes a block."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from weir.domain.event import Dialect
from weir.domain.frame import Frame
from weir.loader.read.rows import Block, DeadFrame, Decoded, build_block, decode_frames

NameEndpoints = Callable[[Sequence[Frame]], Mapping[int, str]]
"""Returns a name for every endpoint of some frames."""


class FrameDecoder:
    """Makes blocks of rows of frames. ``decode`` may be called by any thread."""

    __slots__ = ("_dialects", "_name_endpoints")

    def __init__(self, dialects: Mapping[int, Dialect], name_endpoints: NameEndpoints) -> None:
        self._dialects = dialects
        self._name_endpoints = name_endpoints

    def decode(self, frames: Iterable[Frame]) -> Decoded:
        """The first of these frames, at least one if there is one, until a block is full."""
        return decode_frames(frames, self._dialects)

    def build(self, decoded: Decoded) -> Block:
        """The rows of decoded frames. For the reading thread: it decides how endpoints are named.

        Raises whatever a value raises that cannot stand in a column.
        """
        names = self._name_endpoints(decoded.frames)
        return build_block(decoded, self._dialects, names)

    def build_dead(self, dead: DeadFrame) -> Block:
        """A block without rows, of one frame that cannot have any."""
        return build_block(Decoded([], [], [dead]), self._dialects, {})
