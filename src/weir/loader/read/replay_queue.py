"""Dead letters on their way into the tail: asked for by any thread, added by the one that reads."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from weir.clock import Clock
from weir.domain.event import Dialect
from weir.domain.frame import Frame
from weir.errors import Unavailable
from weir.lake.records import DeadLetter
from weir.loader.commit.catalog import Catalog
from weir.loader.commit.writing import LakeStore
from weir.loader.read.replay import Revived, build_replay, fates_of, revive, stored_in_lake
from weir.loader.serve.wire import ReplayFate
from weir.loader.tail.dedup import find_duplicates
from weir.loader.tail.view import View
from weir.settings import Settings
from weir.telemetry import Happening, emit

ADDED_S = 30.0
"""How long the reading thread may take to come to it."""


class ReplayPorts(NamedTuple):
    """What replays need of the loader."""

    catalog: Catalog
    view: View
    store: LakeStore
    dialects: Mapping[int, Dialect]
    name_endpoints: Callable[[Sequence[Frame]], Mapping[int, str]]
    """For the reading thread alone."""
    clock: Clock
    settings: Settings


@dataclass(slots=True, eq=False)
class _Ticket:
    """Letters that wait; ``fates`` stand when ``is_taken`` is set."""

    revived: Revived
    is_taken: threading.Event = field(default_factory=threading.Event)
    fates: list[ReplayFate] = field(default_factory=list)


class Replays:
    """The queue of letters that decode now."""

    __slots__ = ("_lock", "_ports", "_waiting")

    def __init__(self, ports: ReplayPorts) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []

    def ask(self, project_id: int, places: Sequence[tuple[str, int]]) -> list[ReplayFate]:
        """Fates of the letters at these places, some of them at least, when they are in the tail.

        A place without a letter has no fate. ``Unavailable`` when the reading thread is too busy;
        the letters may become rows all the same.
        """
        letters = self._ports.catalog.find_dead_letters(project_id, places)
        revived, fates = self._revive(letters)
        if not revived.letters:
            return fates
        ticket = _Ticket(revived)
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
            added = self._ports.view.replayed()
            dead = self._ports.catalog.find_dead_letters(
                letters[0].project_id, [(each.journal_id, each.position) for each in letters]
            )
            places = {(each.journal_id, each.position) for each in dead} - added
            ticket.fates = self._add(ticket.revived, places)
            ticket.is_taken.set()

    def resume(self, letters: Sequence[DeadLetter]) -> None:
        """Brings the letters of an unfinished cut into the tail, once. The reading thread's.

        One that breaks its decoder now, in another version perhaps, stays a letter.
        """
        added = self._ports.view.replayed() if letters else ()
        for letter in letters:
            if (letter.journal_id, letter.position) in added:
                continue
            revived, _ = self._revive([letter])
            self._add(revived, {(letter.journal_id, letter.position)})

    def _revive(self, letters: Sequence[DeadLetter]) -> tuple[Revived, list[ReplayFate]]:
        ports = self._ports
        window_us = ports.settings.dedup_window_s * 1_000_000

        def stored_between(
            project_id: int, ids: set[str], first_us: int, last_us: int
        ) -> list[tuple[str, int]]:
            files = [file for file in ports.view.files() if file.project_id == project_id]
            from_us, to_us = first_us - window_us, last_us + window_us
            return stored_in_lake(files, ids, ports.store.locate, from_us=from_us, to_us=to_us)

        return revive(letters, ports.dialects, ports.store.read, stored_between)

    def _add(self, revived: Revived, places: Collection[tuple[str, int]]) -> list[ReplayFate]:
        ports = self._ports
        replay = build_replay(revived, places, ports.dialects, ports.name_endpoints)
        if not replay.letters:
            return []
        window_us = ports.settings.dedup_window_s * 1_000_000
        indexes = [*ports.view.indexes(), replay.stored_ids]
        verdict = find_duplicates(replay.block.ids, indexes, window_us=window_us)
        ports.view.add_replay(replay, verdict, now_s=ports.clock.monotonic_s())
        emit(
            Happening.DEAD_LETTERS_REPLAYED,
            project=replay.letters[0].project_id,
            letters=len(replay.letters),
            events=replay.block.rows.num_rows,
        )
        return fates_of(replay, verdict)
