"""The progress of a ``weir send``, kept in a file so that the next call goes on where it was.

The run, which event ids are made of, is durable before the first event leaves; the number of
acknowledged lines follows about once a second. Lines that were acknowledged after it was written
last are sent again with the same ids, so nothing is stored twice.
"""

import contextlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from weir.errors import Conflict, Corrupt, Unavailable
from weir.storage.local import FileLock, write_durable

SUFFIX = ".weir-send"
SAVE_EVERY_S = 1.0


class SendState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the input is acknowledged by the node at ``url``."""

    url: str
    run: str
    lines: int = 0
    checksum: int = 0
    """CRC-32 of these lines as they were read."""


class ResumePoint(NamedTuple):
    """Where reading goes on: lines and bytes before it, and their checksum."""

    lines: int = 0
    read_bytes: int = 0
    checksum: int = 0


class StateFile:
    """The file, or none: then nothing is kept."""

    __slots__ = ("_is_doubtful", "_monotonic_s", "_saved_at_s", "_state", "path")

    def __init__(
        self, path: Path | None, state: SendState, *, monotonic_s: Callable[[], float]
    ) -> None:
        self.path = path
        self._state = state
        self._monotonic_s = monotonic_s
        self._saved_at_s = 0.0
        self._is_doubtful = False

    @property
    def is_unused(self) -> bool:
        """Whether no event can have arrived under the ids of this run."""
        return not self._state.lines and not self._is_doubtful

    def note_doubt(self) -> None:
        """Events may be on the node's disk although no line is known to be: the ids must stay."""
        self._is_doubtful = True

    @property
    def state(self) -> SendState:
        """What is known now; the file may be a second behind."""
        return self._state

    def note(self, *, lines: int, checksum: int) -> None:
        """So many lines are acknowledged."""
        self._state = msgspec.structs.replace(self._state, lines=lines, checksum=checksum)
        if self._monotonic_s() >= self._saved_at_s + SAVE_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Writes what is known; where that fails, an older state sends again what is known.

        Nothing is left of a run of which no event can have arrived.
        """
        with contextlib.suppress(OSError):
            if self.is_unused:
                self.finish()
            else:
                self.save()

    def save(self) -> None:
        """Writes what is known. Raises ``OSError``."""
        if self.path is not None:
            write_durable(self.path, [msgspec.json.encode(self._state)])
        self._saved_at_s = self._monotonic_s()

    def finish(self) -> None:
        """All of the input is done: the next call begins anew."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """Inside, no other send works with this progress; ``Unavailable`` while one does.

    Two would send the same lines, under the same ids: nothing is stored twice, but twice the work.
    """
    if path is None:
        yield
        return
    lock = FileLock(path.with_name(path.name + ".lock"), purpose="Another send is under way")
    try:
        lock.acquire()
    except Conflict as error:
        raise Unavailable(
            error.message, code="locked", hint="Wait for it, or name another file with --state."
        ) from error
    except OSError:  # where no file can be made, no progress is kept either: it is told then
        yield
        return
    try:
        yield
    finally:
        lock.path.unlink(missing_ok=True)
        lock.release()


def load_state(path: Path, *, url: str) -> SendState | None:
    """What an earlier call left; None when there is nothing.

    ``Corrupt`` for a file that is no such state, ``Conflict`` for one of another node.
    """
    try:
        state = msgspec.json.decode(path.read_bytes(), type=SendState)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise Corrupt(
            f"{path} is not the progress of a weir send.",
            code="send_state",
            hint="Name another with --state.",
        ) from error
    if not state.lines:  # nothing is known to be at that node
        return msgspec.structs.replace(state, url=url)
    if state.url != url:
        raise Conflict(
            f"{path} is the progress of a send to {state.url}, not to {url}.",
            code="send_state",
            hint="Send to that node, remove the file to begin anew, or name another with --state.",
        )
    return state


def skip_lines(texts: Iterator[bytes | None], state: SendState) -> ResumePoint:
    """Passes over what is acknowledged; ``Conflict`` when the input is not the same any more."""
    read_bytes = checksum = lines = 0
    while lines < state.lines:
        text = next(texts, b"")
        if text is None:
            continue
        if not text:
            break
        lines += 1
        read_bytes += len(text)
        checksum = zlib.crc32(text, checksum)
    if (lines, checksum) != (state.lines, state.checksum):
        raise Conflict(
            f"The input has changed: its first {state.lines} lines are not those that were sent.",
            code="send_state",
            hint="Remove the progress file to send all of it, or name another with --state.",
        )
    return ResumePoint(lines, read_bytes, checksum)
