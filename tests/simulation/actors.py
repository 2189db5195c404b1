"""What lives in a world: its clock, clients, edge workers, loaders, and what they work through."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.machine import Gone, Machine
from tests.simulation.model import Frame
from weir.catalog.adapter import SqlCatalog
from weir.domain.frame import Draft, Place
from weir.errors import WeirError
from weir.journal.writer import JournalWriter
from weir.lake.merge import Merged, MergeJob, merge
from weir.lake.records import Commit
from weir.loader.background import BackgroundWork
from weir.loader.commit.committer import Committer
from weir.loader.run import Loader
from weir.loader.upkeep.recurring import Recurring

START_US = 1_600_000_000_000_000

_CHANGES = {"take_over", "record_intent", "commit", "replace_files", "forget_removals"}


class Clock:
    """Moves only when the world says so."""

    def __init__(self) -> None:
        self.us = START_US
        self.monotonic_us = 0

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        return self.monotonic_us / 1e6

    def pass_by(self, us: int) -> None:
        self.us += us
        self.monotonic_us += us


class Answer:
    """What a client hears."""

    def __init__(self, frame: Frame, woken: threading.Event) -> None:
        self.frame = frame
        self.told = False
        self._woken = woken

    def durable(self, received_at_us: int) -> None:
        self.frame.received_us = received_at_us
        self._tell()

    def failed(self, error: Exception) -> None:
        self._tell()

    def _tell(self) -> None:
        self.told = True
        self._woken.set()


@dataclass
class Edge:
    """A running edge worker."""

    process: str
    writer: JournalWriter


@dataclass
class Node:
    """A running loader, with the merging that belongs to it."""

    process: str
    loader: Loader
    catalog: "Watched"

    @property
    def committer(self) -> Committer:
        """What carries the commits out."""
        [work] = self.loader.commits.works
        assert isinstance(work, Committer)
        return work

    @property
    def upkeep(self) -> list[BackgroundWork]:
        """The works of upkeep, whose failures nobody hides here."""
        return [each.work for each in self.loader.upkeep.works if isinstance(each, Recurring)]


class Wrong(BaseException):
    """A promise was broken. The program has no business catching it, so it is no ``Exception``."""


class Watched:
    """The catalog, whose changes are steps of its process."""

    def __init__(self, catalog: SqlCatalog, machine: Machine, commits: dict[int, set[str]]) -> None:
        self._catalog = catalog
        self._machine = machine
        self._commits = commits

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._catalog, name)
        if name not in _CHANGES:
            return call

        def stepping(*arguments: Any) -> Any:
            self._machine.step(f"before {name}")
            if name == "commit":
                self._remember(arguments[1])
            answer = call(*arguments)
            self._machine.step(f"after {name}")
            return answer

        return stepping

    def _remember(self, commit: Commit) -> None:
        """An intent that is carried out again gives the same files."""
        number = commit.intent.commit_id
        paths = {file.path for file in commit.files} | {file.path for file in commit.raw_files}
        if self._commits.setdefault(number, paths) != paths:
            raise Wrong(f"commit {number} was rendered as other files the second time")


class MergerHere:
    """Merges in this process, as a process of its own that may be ended."""

    cpu_s = 0.0

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._done: list[tuple[int, Merged | str]] = []

    def begin(self, number: int, job: MergeJob) -> None:
        """Merges at once; the result is told when it is asked for."""
        process = f"merge-{self._machine.steps}"
        with self._machine.running(process):
            self._done.append((number, self._merge(job, process)))

    def results(self) -> Sequence[tuple[int, Merged | str]]:
        """What was merged since the last call."""
        done, self._done = self._done, []
        return done

    def rest(self) -> None:
        """Nothing runs elsewhere."""
        self._done = []

    def stop(self) -> None:
        """Nothing runs elsewhere."""

    def _merge(self, job: MergeJob, process: str) -> Merged | str:
        try:
            return merge(job)
        except (OSError, WeirError) as error:
            return type(error).__name__
        except Gone as gone:
            if gone.process != process:
                raise
            return "ended"


def draft_of(frame: Frame) -> Draft:
    """What the door would write of a request."""
    return Draft(
        place=Place(1, frame.project, 7, 1),
        dialect=1,
        dialect_version=1,
        event_count=len(frame.events),
        refused_count=0,
        flags=0,
        meta=b"",
        body=frame.body,
    )
