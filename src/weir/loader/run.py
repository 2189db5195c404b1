"""The loader's loop: reads the journals into the tail, and cuts when it is time.

One thread reads and decides; another one commits, a third does the upkeep (``background.py``), the
service's threads answer. ``build.py`` puts the parts together.
"""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from weir.clock import Clock
from weir.lake.records import Intent
from weir.loader.background import BackgroundThread
from weir.loader.commit.cutter import Cutter
from weir.loader.ports import Catalog
from weir.loader.serve.answers import Answers
from weir.loader.serve.rereading import Rereading
from weir.loader.serve.service import Service
from weir.loader.tail.feed import TailFeed
from weir.loader.tail.replay_queue import ReplayQueue
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.storage.local import FileLock, make_directory, while_locked

POLL_S = 0.04
"""How often idle journals are looked at: part of the time until an event is visible."""

LOCK_PATIENCE_S = 5.0
"""How long a predecessor may take to die."""

REGISTRY_PATIENCE_S = 10.0
"""How long a first registry is waited for; without it rows carry numbers for endpoint names."""

LAST_CUT_S = 10.0
"""How long the cut at the end may take; what it does not finish, the next start does."""

GAUGES_S = 1.0
_PAUSE_S = 0.05


class Loop:
    """The thread that reads and decides, as steps."""

    __slots__ = (
        "_clock",
        "_cutter",
        "_feed",
        "_pause",
        "_replays",
        "_show_gauges",
        "_show_gauges_at_s",
        "_started_us",
        "_unfinished",
        "has_caught_up",
    )

    def __init__(
        self,
        *,
        feed: TailFeed,
        replays: ReplayQueue,
        cutter: Cutter,
        show_gauges: Callable[[], None],
        clock: Clock,
        unfinished: Intent | None,
    ) -> None:
        """``unfinished`` is the cut that a predecessor had decided and not committed."""
        self._feed = feed
        self._replays = replays
        self._cutter = cutter
        self._show_gauges = show_gauges
        self._show_gauges_at_s = 0.0
        self._clock = clock
        self._started_us = clock.now_us()
        self._unfinished = unfinished
        # Never set. Waiting on ``stop`` itself would hold its lock while a signal sets it.
        self._pause = threading.Event()
        self.has_caught_up = False
        """Whether everything that was durable at the start has been read."""

    def run(self, stop: threading.Event, *, when_caught_up: Callable[[], None]) -> None:
        """Reads and cuts until ``stop``, then finishes.

        ``when_caught_up`` is called once, when everything that was durable at the start is read.
        """
        is_told = False
        while not stop.is_set():
            is_idle = self.step()
            if self.has_caught_up and not is_told:
                when_caught_up()
                is_told = True
            if is_idle:
                self._pause.wait(POLL_S)
        self._finish()

    def step(self) -> bool:
        """One round of reading and at most one cut; whether there is nothing to do at once.

        An unfinished cut of a predecessor comes first, and alone. Raises what ended a commit for
        good.
        """
        if self._unfinished is not None:
            return not self._resume(self._unfinished)
        wanted = self._cutter.wanted
        self._replays.take()
        full = self._feed.is_full()
        caught_up = not full and self._feed.read_on()
        self._cutter.cut_if_due(wanted, caught_up=caught_up, full=self._feed.is_full())
        self.has_caught_up |= caught_up or self._feed.watermark_us >= self._started_us
        self._look_after_counts()
        return caught_up or full

    def _resume(self, unfinished: Intent) -> bool:
        """Reads on in exactly what the cut covers; once that is done, commits it."""
        self._replays.resume(unfinished.replays)
        if not self._feed.read_spans(unfinished.spans):
            return False
        self._unfinished = None
        self._cutter.resume(unfinished)
        return True

    def _finish(self) -> None:
        """The last cut, within ``LAST_CUT_S``."""
        if self._unfinished is not None:
            return
        deadline_s = self._clock.monotonic_s() + LAST_CUT_S
        if not self._cutter.settle(LAST_CUT_S):
            return
        while not self._feed.is_full():
            if self._feed.read_on() or self._clock.monotonic_s() >= deadline_s:
                break
        self._cutter.cut_rest(max(0.0, deadline_s - self._clock.monotonic_s()))

    def _look_after_counts(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._show_gauges_at_s:
            self._show_gauges_at_s = now_s + GAUGES_S
            self._feed.settle_usage()
            self._show_gauges()


@dataclass(frozen=True, slots=True)
class Loader:
    """A loader that was put together: its loop, its background threads, and what it answers."""

    loop: Loop
    commits: BackgroundThread
    upkeep: BackgroundThread
    answers: Answers
    feed: TailFeed

    def close(self) -> None:
        """Gives back what queries read the tail from. A commit that is being written goes on."""
        self.upkeep.close()
        self.commits.close()
        self.upkeep.join()
        self.feed.close()


def run_loader(
    open_catalog: Callable[[], Catalog],
    build: Callable[[Catalog], Loader],
    *,
    directory: Directory,
    board: Board,
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Loads until ``stop``, then cuts a last time and returns.

    The catalog is opened and the loader built once this process holds the loader's lock.
    ``Conflict`` when another process holds the lock (``locked``) or has taken over (``fenced``).
    """
    lock = FileLock(directory.loader_lock, purpose="Loader")
    while_locked(lock.acquire, wait_s=LOCK_PATIENCE_S, clock=clock, given_up=stop.is_set)
    try:
        catalog = open_catalog()
        try:
            _run(build(catalog), directory, board, clock, stop)
        finally:
            catalog.close()
    finally:
        lock.release()


def _run(
    loader: Loader, directory: Directory, board: Board, clock: Clock, stop: threading.Event
) -> None:
    """Answers from the lake at once, with a watermark that says so, and reads on from there."""
    make_directory(directory.run)
    rereading = Rereading(threading.Event(), clock)
    try:
        loader.feed.begin()
        service = Service(directory.loader_socket, loader.answers, rereading)
        with closing(service):
            board.set(Slot.LOADER_READY, 1)

            def note_caught_up() -> None:
                rereading.end()
                loader.upkeep.start()

            _await_registry(board, clock, stop)
            loader.commits.start()
            loader.loop.run(stop, when_caught_up=note_caught_up)
    finally:
        loader.close()


def _await_registry(board: Board, clock: Clock, stop: threading.Event) -> None:
    deadline_s = clock.monotonic_s() + REGISTRY_PATIENCE_S
    while not board.get(Slot.REGISTRY_EPOCH) and clock.monotonic_s() < deadline_s:
        if stop.is_set():
            return
        threading.Event().wait(_PAUSE_S)
