"""Replay: the frames of dead letters go through decode again and become rows.

    letter ─▶ frame out of its raw file ─▶ decode ─▶ growing generation ─▶ the next commit

The intent of that commit names the letters and the transaction removes them, together with the
ledger's move from dead lettered to stored: a crash before it leaves them dead, one after it leaves
them stored, and asking again finds no letter any more. A frame that breaks its decoder again stays
what it is. Rows keep the time, place and ids of the first reception, so duplicates are looked for
in the lake itself: what sidecars remember may be younger.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from weir.domain.frame import Frame
from weir.domain.snapshot import LakeFile
from weir.domain.times import DAY_US
from weir.errors import Corrupt
from weir.lake.raw import decode_raw
from weir.lake.records import DeadLetter
from weir.lake.search import received_of_ids
from weir.lake.sidecar import Ids, concat_ids, sort_ids
from weir.loader.read.decoder import FrameDecoder
from weir.loader.read.rows import Block, Decoded
from weir.loader.tail.dedup import Verdict
from weir.loader.values import ReplayFate


class Revived(NamedTuple):
    """Letters that decode now, in the order of their frames, and what the lake holds of them.

    ``stored`` are event ids in the lake, each with its ``received_at``, up to a window away.
    """

    letters: tuple[DeadLetter, ...]
    decoded: Decoded
    stored: tuple[tuple[str, int], ...]


class Replay(NamedTuple):
    """Letters as rows, and an index of those of their ids that the lake has stored already."""

    letters: tuple[DeadLetter, ...]
    block: Block
    stored_ids: Ids


def read_frames(
    letters: Iterable[DeadLetter], read: Callable[[str], bytes]
) -> dict[tuple[str, int], Frame]:
    """The frames of letters by journal and position; those whose raw file has gone are missing."""
    wanted: dict[str, set[tuple[str, int]]] = {}
    for letter in letters:
        wanted.setdefault(letter.raw_path, set()).add((letter.journal_id, letter.position))
    found: dict[tuple[str, int], Frame] = {}
    for path, positions in wanted.items():
        try:
            for frame in decode_raw(read(path)):
                if (frame.journal_id, frame.position) in positions:
                    found[frame.journal_id, frame.position] = frame
        except (OSError, Corrupt):
            continue
    return found


def revive(
    letters: Sequence[DeadLetter],
    decoder: FrameDecoder,
    read: Callable[[str], bytes],
    stored_between: Callable[[int, set[str], int, int], Iterable[tuple[str, int]]],
) -> tuple[Revived, list[ReplayFate]]:
    """Decodes one project's letters; returns those that decode now, and the fates of the others.

    As many from the first on as make one block. ``stored_between`` gives the ids among some that
    a project's lake holds, received in a range, with that time.
    """
    frames = read_frames(letters, read)
    known = [letter for letter in letters if (letter.journal_id, letter.position) in frames]
    fates = [
        ReplayFate(each.journal_id, each.position, reason="Its raw payload file has gone.")
        for each in letters
        if (each.journal_id, each.position) not in frames
    ]
    decoded = decoder.decode(frames[each.journal_id, each.position] for each in known)
    by_position = {(each.journal_id, each.position): each for each in known}
    fates += [
        ReplayFate(dead.frame.journal_id, dead.frame.position, reason=dead.reason)
        for dead in decoded.dead
    ]
    revived = tuple(by_position[each.journal_id, each.position] for each in decoded.frames)
    stored: tuple[tuple[str, int], ...] = ()
    ids = {event.event_id for event in decoded.events if event.event_id}
    if ids:
        times = [letter.received_at_us for letter in revived]
        project_id = revived[0].project_id
        stored = tuple(stored_between(project_id, ids, min(times), max(times)))
    return Revived(revived, decoded._replace(dead=[]), stored), fates


def stored_in_lake(
    files: Iterable[LakeFile],
    ids: set[str],
    locate: Callable[[str], object],
    *,
    from_us: int,
    to_us: int,
) -> list[tuple[str, int]]:
    """Ids among ``ids`` in the lake files of the days of a closed range, with ``received_at``."""
    first, last = (np.datetime64(at_us // DAY_US, "D").astype(str) for at_us in (from_us, to_us))
    paths = [str(locate(file.path)) for file in files if first <= file.day <= last]
    return received_of_ids(paths, ids)


def index_of(block: Block, stored: Iterable[tuple[str, int]]) -> Ids:
    """An index of those ids of a block that are stored already; they count as the same event."""
    times: dict[str, list[int]] = {}
    for event_id, received_us in stored:
        times.setdefault(event_id, []).append(received_us)
    texts = block.rows["event_id"].take(block.id_rows).to_pylist() if times else []
    entries = [
        (place, received_us)
        for place, text in enumerate(texts)
        for received_us in times.get(text, ())
    ]
    chosen = block.ids.take(np.array([place for place, _ in entries], dtype=np.intp))
    received = np.array([received_us for _, received_us in entries], dtype=np.int64)
    return sort_ids(Ids(chosen.hi, chosen.lo, received, chosen.body))


def build_replay(
    revived: Revived, wanted: Collection[tuple[str, int]], decoder: FrameDecoder
) -> Replay:
    """Makes rows of the letters whose journal and position are ``wanted``."""
    decoded = revived.decoded.only(lambda frame: (frame.journal_id, frame.position) in wanted)
    block = decoder.build(decoded)
    letters = [each for each in revived.letters if (each.journal_id, each.position) in wanted]
    return Replay(tuple(letters), block, index_of(block, revived.stored))


def fates_of(replay: Replay, verdict: Verdict) -> list[ReplayFate]:
    """Returns what became of each letter's events."""
    block = replay.block
    duplicate = np.zeros(block.rows.num_rows, dtype=np.bool_)
    duplicate[block.id_rows] = verdict.duplicate
    counts = np.bincount(block.frame_of[duplicate], minlength=len(block.frames)).tolist()
    return [
        ReplayFate(
            frame.journal_id, frame.position, stored=frame.event_count - count, duplicate=count
        )
        for frame, count in zip(block.frames, counts, strict=True)
    ]


def joined_indexes(replays: Sequence[Replay]) -> list[Ids]:
    """Joins the indexes of several replays into one."""
    return [sort_ids(concat_ids([each.stored_ids for each in replays]))] if replays else []
