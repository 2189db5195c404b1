"""Dead letters on their way into the tail: asked for by any thread, added by the one that reads."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from weir.errors import Unavailable
from weir.lake.records import DeadLetter
from weir.loader.ports import Catalog, LakeStore
from weir.loader.read.decoder import FrameDecoder
from weir.loader.tail.replay import Revived, build_replay, revive, stored_in_lake
from weir.loader.tail.view import View
from weir.loader.tail.writer import TailWriter
from weir.loader.values import ReplayFate

ADDED_S = 30.0
"""How long the reading thread may take to come to a replay."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """Letters that wait; ``fates`` stand when ``is_taken`` is set."""

    revived: Revived
    is_taken: threading.Event = field(default_factory=threading.Event)
    fates: list[ReplayFate] = field(default_factory=list)


class ReplayQueue:
    """The queue of letters that decode now."""

    __slots__ = (
        "_catalog",
        "_decoder",
        "_dedup_window_us",
        "_lock",
        "_store",
        "_view",
        "_waiting",
        "_writer",
    )

    def __init__(
        self,
        *,
        catalog: Catalog,
        store: LakeStore,
        view: View,
        decoder: FrameDecoder,
        writer: TailWriter,
        dedup_window_us: int,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._view = view
        self._decoder = decoder
        self._writer = writer
        self._dedup_window_us = dedup_window_us
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def ask(self, project_id: int, wanted: Sequence[tuple[str, int]]) -> list[ReplayFate]:
        """Returns the fates of some of the wanted letters at least, once those are in the tail.

        Letters are ``wanted`` by journal and position. Where there is no letter there is no fate.
        ``Unavailable`` when the reading thread is too busy;
        the letters may become rows all the same.
        """
        letters = self._catalog.find_dead_letters(project_id, wanted)
        revived, fates = self._revive(letters)
        if not revived.letters:
            return fates
        ticket = _Waiting(revived)
        with self._lock:
            self._waiting.append(ticket)
        if not ticket.is_taken.wait(ADDED_S):
            raise Unavailable("The loader is too busy for a replay.", retry_after_s=5)
        return fates + ticket.fates

    def take(self) -> None:
        """Brings what waits into the tail, unless it is in the lake. The reading thread's."""
        if not self._waiting:
            return
        with self._lock:
            taken, self._waiting = self._waiting, []
        for ticket in taken:
            letters = ticket.revived.letters
            # In this order: what is committed meanwhile leaves the catalog before the view.
            added = self._view.replayed()
            dead = self._catalog.find_dead_letters(
                letters[0].project_id, [(each.journal_id, each.position) for each in letters]
            )
            wanted = {(each.journal_id, each.position) for each in dead} - added
            ticket.fates = self._add(ticket.revived, wanted)
            ticket.is_taken.set()

    def resume(self, letters: Sequence[DeadLetter]) -> None:
        """Brings the letters of an unfinished cut into the tail, once. The reading thread's.

        One that breaks its decoder now, in another version perhaps, stays a letter.
        """
        added = self._view.replayed() if letters else ()
        for letter in letters:
            if (letter.journal_id, letter.position) in added:
                continue
            revived, _ = self._revive([letter])
            self._add(revived, {(letter.journal_id, letter.position)})

    def _revive(self, letters: Sequence[DeadLetter]) -> tuple[Revived, list[ReplayFate]]:
        return revive(letters, self._decoder, self._store.read, self._stored_between)

    def _stored_between(
        self, project_id: int, ids: set[str], first_us: int, last_us: int
    ) -> list[tuple[str, int]]:
        """What the lake holds of these ids up to a window before and after a closed range."""
        window_us = self._dedup_window_us
        return stored_in_lake(
            [file for file in self._view.files() if file.project_id == project_id],
            ids,
            self._store.locate,
            from_us=first_us - window_us,
            to_us=last_us + window_us,
        )

    def _add(self, revived: Revived, wanted: Collection[tuple[str, int]]) -> list[ReplayFate]:
        replay = build_replay(revived, wanted, self._decoder)
        return self._writer.add_replay(replay) if replay.letters else []
