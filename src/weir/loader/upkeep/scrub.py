"""Scrubbing: lake files are compared with their checksums, over and over, a part at a time.

The engine checks no page when it reads, and takes one wrong bit in ten for another value. What is
found damaged is logged, and the queries of its project are refused until the file is restored:
better no answer than a wrong one.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from weir.domain.snapshot import LakeFile
from weir.loader.tail.view import View
from weir.telemetry import Happening, emit

STEP_BYTES_MAX = 64 * 1024 * 1024
"""Read in one step, or one file: with a step in five seconds about a hundredth of a core."""

PASS_S = 3600.0
"""Least time from the beginning of one pass over the lake to the next."""

_CHUNK_BYTES = 1024 * 1024


class Scrub:
    """Where the pass over the lake stands, and what is damaged. For one thread."""

    __slots__ = ("_damaged", "_is_closed", "_locate", "_next_pass_s", "_reached", "_view")

    def __init__(self, view: View, locate: Callable[[str], Path]) -> None:
        self._view = view
        self._locate = locate
        self._is_closed = False
        self._damaged: frozenset[str] = frozenset()
        self._reached = ""
        self._next_pass_s = 0.0

    def step(self, now_s: float) -> None:
        """Looks at the damaged files again, and at some more when a pass is due or going on."""
        files = self._view.files()
        again = [file for file in files if file.path in self._damaged]
        damaged = {
            file.path for file in [*again, *self._part(files, now_s)] if not self._is_whole(file)
        }
        for file in files:
            if (file.path in damaged) != (file.path in self._damaged):
                self._tell(file, is_damaged=file.path in damaged)
        self._damaged = frozenset(damaged)
        self._view.refuse_damaged(self._damaged)

    def close(self) -> None:
        """Lets go of the file that is being read; nothing is concluded from it."""
        self._is_closed = True

    def _part(self, files: Sequence[LakeFile], now_s: float) -> Sequence[LakeFile]:
        if not self._reached:
            if now_s < self._next_pass_s:
                return ()
            self._next_pass_s = now_s + PASS_S
        part = next_part(files, after=self._reached, bytes_max=STEP_BYTES_MAX)
        self._reached = part[-1].path if part else ""
        return part

    def _is_whole(self, file: LakeFile) -> bool:
        digest = sha256()
        try:
            with self._locate(file.path).open("rb") as content:
                while chunk := content.read(_CHUNK_BYTES):
                    if self._is_closed:
                        return file.path not in self._damaged
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        except OSError:  # a moment's trouble, or the disk's: what can be read is judged next time
            return file.path not in self._damaged
        return digest.hexdigest() == file.sha256

    def _tell(self, file: LakeFile, *, is_damaged: bool) -> None:
        happening = Happening.LAKE_FILE_DAMAGED if is_damaged else Happening.LAKE_FILE_RESTORED
        emit(happening, path=file.path, project=file.project_id)


def next_part(files: Sequence[LakeFile], *, after: str, bytes_max: int) -> list[LakeFile]:
    """The files behind the path ``after``, by path: as many as ``bytes_max`` allows, or one.

    Empty at the end of a pass.
    """
    part: list[LakeFile] = []
    byte_count = 0
    for file in sorted(files, key=lambda each: each.path):
        if file.path <= after:
            continue
        byte_count += file.byte_count
        if part and byte_count > bytes_max:
            break
        part.append(file)
    return part
