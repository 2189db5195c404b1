"""One world: a machine on which Weir's journals, loader, lake and compaction run, step by step.

The seed decides who goes on, how the clock moves, what fails, who ends and when. Everything runs
one thing at a time: a thread of the program that has been started waits for its permit, and what
happens "meanwhile" happens at another one's steps. So a seed always gives the same history.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import cast
from unittest import mock

import sqlalchemy as sa

from tests.simulation.actors import (
    Answer,
    Clock,
    Edge,
    MergerHere,
    Node,
    Watched,
    Wrong,
    draft_of,
)
from tests.simulation.inspection import Queries, check_all, check_rows
from tests.simulation.machine import Bias, Faults, Gone, Machine, draw_faults
from tests.simulation.model import DAY_US, Model
from tests.unit.loader.rig import JSON_DIALECT
from weir.catalog.adapter import SqlCatalog
from weir.errors import Conflict, Unavailable, WeirError
from weir.journal.writer import JournalWriter
from weir.lake.store import LocalStore
from weir.loader.background import BackgroundWork
from weir.loader.build import Adapters, RunFiles, build_loader
from weir.loader.ports import Catalog
from weir.loader.read.journals import LocalJournals
from weir.loader.read.watch import Watch
from weir.loader.run import Loader
from weir.loader.upkeep.compaction import POLL_S
from weir.node.board import Board
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.node.usage import UsageTable
from weir.settings import Settings
from weir.telemetry import Happening

EDGES = 3
JOIN_S = 900.0  # longer than a machine under test is likely to be paused
PATIENCE = 400
"""Rounds in which everything must be in the lake once nothing fails any more."""

CALM = 8
"""Rounds without anything to do after which there is nothing to do: one looks at all journals."""

_ACTIONS: Mapping[str, float] = {
    "send": 6.0,
    "load": 6.0,
    "compact": 1.0,
    "query": 1.0,
    "look_back": 0.5,
    "wait": 1.5,
    "sleep_for_days": 0.1,
    "turn_clock_back": 0.1,
    "kill_edge": 0.3,
    "close_edge": 0.2,
    "kill_loader": 0.3,
    "pause_loader": 0.2,
    "wake_loader": 0.3,
    "cut_power": 0.2,
}
_MEANWHILE: Mapping[str, float] = {
    "send": 3.0,
    "load": 3.0,
    "compact": 1.0,
    "query": 0.5,
    "look_back": 0.5,
}


class World:
    """All of one seed's history."""

    def __init__(self, seed: int, root: Path, engine: sa.Engine, bias: Bias) -> None:
        self.bias = bias
        self.engine = engine
        self.choice = random.Random(seed)
        self.root = root
        self.machine = Machine(root, self.choice)
        self.clock = Clock()
        self.model = Model(self.choice, projects=self.choice.randint(1, 2))
        self.edges: dict[int, Edge] = {}
        self.configured = self.choice.randint(1, EDGES)
        self.node: Node | None = None
        self.paused: list[Node] = []
        self.busy: set[str] = set()
        self.started = 0
        self.boots = 1
        self.commits: dict[int, set[str]] = {}
        self.directory = Directory(root)
        self.board = Board.open(self.directory.board)
        self.settings = Settings(
            cut_age_s=self.choice.choice((2.0, 20.0)),
            tail_bytes_max=self.choice.choice((4096, 1 << 20)),
            compaction_files=self.choice.choice((2, 3)),
            accelerated_columns_max=0,
            raw_retention_days=1,
        )
        self.queries = Queries(self.model, root, self.clock, self.settings.query_timeout_s)
        self.file_bytes = self.choice.choice((9000, 1 << 14))
        self.merges = self.choice.random() < 0.2 if bias.merges is None else bias.merges

    # --- history

    def live(self, steps: int) -> None:
        """Goes through the world's history; raises ``Wrong`` when a promise is broken."""
        with (
            self.machine.on(),
            mock.patch("weir.journal.state.boot_number", self._boot_number),
            mock.patch("weir.loader.commit.committer.emit", self._note),
        ):
            try:
                self._set_off()
                for _ in range(steps):
                    self._do(self._choose(_ACTIONS))
                    self.clock.pass_by(self.choice.randrange(1, 500_000))
                    self.machine.now_s = self.clock.us / 1e6
                self._settle()
            finally:
                self._stop_all()
                self.machine.close()

    def _boot_number(self) -> int:
        return self.boots

    def _note(self, happening: Happening, **fields: object) -> None:
        """Why a commit is tried again stands in the history."""
        if happening is Happening.LAKE_COMMIT_FAILED:
            self.machine.trace.append(f"{happening.name} {fields['reason']}")

    def _set_off(self) -> None:
        """A new life: which faults it has, and whether and when it ends."""
        machine, choice = self.machine, self.choice
        machine.between = self._meanwhile
        machine.faults = self.bias.faults or draw_faults(choice)
        machine.ends_in = int(choice.expovariate(1 / 60)) + 1 if choice.random() < 0.8 else None
        machine.power_fails = choice.random() < 0.5 if self.bias.power_fails is None else True

    def _choose(self, actions: Mapping[str, float]) -> str:
        return self.choice.choices(list(actions), list(actions.values()))[0]

    def _do(self, action: str) -> None:
        """One action of the scheduler; the end of whoever did it is dealt with here."""
        self.machine.trace.append(f"-- {action}")
        try:
            getattr(self, action)()
        except Gone as gone:
            self.machine.dead.add(gone.process)
        self._take_stock()

    def _take_stock(self) -> None:
        """Buries who has died, whoever noticed."""
        if self.machine.is_off:
            self._restart_machine()
            return
        ended = False
        for number, edge in list(self.edges.items()):
            if edge.process in self.machine.dead or edge.writer.dead:
                self._lose_edge(number)
                ended = True
        if self.node and self.node.process in self.machine.dead:
            self._lose_node()
            ended = True
        if ended:
            self._set_off()

    def _restart_machine(self) -> None:
        self._stop_all()
        self.paused.clear()
        self.queries.forget()
        self.machine.cut_power()
        self.boots += 1
        if self.choice.random() < 0.2:
            self.configured = self.choice.randint(1, EDGES)
        self.clock.pass_by(self.choice.randrange(1_000_000, 20_000_000))
        self._set_off()

    # --- processes

    def _name(self, kind: str) -> str:
        self.started += 1
        return f"{kind}-{self.started}"

    def _edge(self, number: int) -> Edge:
        if number in self.edges:
            return self.edges[number]
        process = self._name(f"edge{number}")
        directory = self.directory.journal(number)
        thread = f"journal-{directory.name}"
        self.machine.threads[thread] = process
        self.machine.permits[thread] = threading.Event()
        with self.machine.running(process):
            try:
                writer = JournalWriter.open(
                    directory,
                    quarantine=self.directory.quarantine,
                    clock=self.clock,
                    file_bytes=self.file_bytes,
                    notify=partial(self._notify, thread),
                )
            except BaseException:
                self.machine.bury(process)
                raise
        self.edges[number] = Edge(process, writer)
        return self.edges[number]

    def _notify(self, thread: str, function: Callable[[], None]) -> None:
        """The clients hear first; what the writer does then waits for the next request."""
        self.machine.permits[thread].clear()
        function()

    def _lose_edge(self, number: int) -> None:
        edge = self.edges.pop(number)
        self.machine.dead.add(edge.process)
        self._close_edge(number, edge)
        self.machine.bury(edge.process)

    def _close_edge(self, number: int, edge: Edge) -> None:
        self.machine.permits[f"journal-{number:02d}"].set()
        with self.machine.running(edge.process), contextlib.suppress(Gone):
            edge.writer.close()

    def _start_node(self) -> Node:
        process = self._name("loader")
        with self.machine.running(process):
            catalog = Watched(SqlCatalog(self.engine), self.machine, self.commits)
            try:
                loader = self._build_loader(catalog)
                loader.feed.begin()  # queries are answered from here on
            except BaseException:
                self.machine.bury(process)
                raise
        self.node = Node(process, loader, catalog)
        return self.node

    def _build_loader(self, catalog: Watched) -> Loader:
        directory = self.directory
        adapters = Adapters(
            catalog=cast("Catalog", catalog),
            store=LocalStore(directory.root),
            journals=LocalJournals(
                directory.journals, quarantine=directory.quarantine, clock=self.clock
            ),
            merger=MergerHere(self.machine),
            watch=Watch.forgetful(),
        )
        shared = RunFiles(
            board=self.board,
            registry=RegistryView(directory, self.board),
            usage=UsageTable.alone(),
            writers={},
        )
        return build_loader(
            self.settings,
            adapters,
            shared,
            directory=directory,
            dialects={1: JSON_DIALECT},
            clock=self.clock,
        )

    def _lose_node(self) -> None:
        assert self.node is not None
        self.machine.dead.add(self.node.process)
        self._drop_node(self.node)
        self.node = None

    def _drop_node(self, node: Node) -> None:
        with self.machine.running(node.process), contextlib.suppress(Gone):
            node.loader.close()
        self.machine.bury(node.process)

    def _stop_all(self) -> None:
        """Everybody is gone, without a chance to do anything."""
        nodes = [*self.paused, *([self.node] if self.node else [])]
        self.machine.dead.update(node.process for node in nodes)
        self.machine.dead.update(edge.process for edge in self.edges.values())
        for number in list(self.edges):
            self._lose_edge(number)
        for node in nodes:
            self._drop_node(node)
        self.node, self.paused = None, []

    # --- meanwhile

    def _meanwhile(self, process: str) -> None:
        """At a step of one process another one may go on."""
        if "meanwhile" in self.busy or self.choice.random() >= 0.06:
            return
        self.busy.add("meanwhile")
        action = self._choose(_MEANWHILE)
        self.machine.trace.append(f"-- meanwhile {action}")
        try:
            getattr(self, action)()
        except Gone as gone:
            if self.machine.is_off or gone.process == process:
                raise
            self.machine.dead.add(gone.process)
        finally:
            self.busy.discard("meanwhile")

    @contextlib.contextmanager
    def _doing(self, what: str) -> Iterator[bool]:
        """Whether nobody is at it already."""
        if what in self.busy:
            yield False
            return
        self.busy.add(what)
        try:
            yield True
        finally:
            self.busy.discard(what)

    # --- actions

    def send(self) -> None:
        """A client sends requests to one edge, which writes them in one batch."""
        number = self.choice.randrange(self.configured)
        with self._doing(f"edge{number}") as free:
            if not free:
                return
            try:
                edge = self._edge(number)
            except WeirError:
                return
            if edge.writer.dead or edge.process in self.machine.dead:
                return
            answers: list[Answer] = []
            permit = self.machine.permits[f"journal-{number:02d}"]
            with self.machine.running(edge.process):
                for _ in range(self.choice.randint(1, 2)):
                    frame = self.model.send(self.clock.us)
                    answer = Answer(frame, self.machine.woken)
                    with contextlib.suppress(Unavailable):  # it has died since the last answer
                        edge.writer.append(draft_of(frame), answer)
                        answers.append(answer)
            self.machine.woken.clear()
            while not all(each.told for each in answers):
                if self.machine.is_off or edge.process in self.machine.dead:
                    break
                permit.set()
                assert self.machine.woken.wait(JOIN_S), "nobody answers"
                self.machine.woken.clear()

    def load(self) -> None:
        """The loader reads on, and commits when it is time."""
        with self._doing("reading") as free:
            if not free:
                return
            if self.node is None:
                self._start_node()
                return
            node = self.node
            if node.process in self.machine.dead:
                return
            self._step(node)
        self._carry_out_commit(node)

    def _step(self, node: Node) -> None:
        with self.machine.running(node.process):
            node.loader.loop.step()

    def _carry_out_commit(self, node: Node) -> None:
        with self._doing("commit") as free, self.machine.running(node.process):
            while free and node.committer.busy:
                node.committer.step(self.clock.monotonic_s())

    def compact(self) -> None:
        """A step of each work of upkeep, and a whole plan of merges."""
        node = self.node
        if node is None or not self.merges or node.process in self.machine.dead:
            return
        with self._doing("compaction") as free:
            if free:
                with self.machine.running(node.process):
                    self._look_after(node)

    def _look_after(self, node: Node) -> bool:
        """Lets every work of upkeep do what it finds at once; whether that merged files."""
        before = len(node.catalog.load().files)
        for work in node.upkeep:
            with contextlib.suppress(OSError):
                self._work_off(work)
        return len(node.catalog.load().files) < before

    def _work_off(self, work: BackgroundWork) -> None:
        now_s = self.clock.monotonic_s()
        next_s = work.step(now_s)
        while next_s is not None and next_s <= now_s + POLL_S:  # a merge is done at once here
            next_s = work.step(now_s)

    def query(self) -> None:
        """A reader sees every event before the watermark, and none twice."""
        node = self.node
        if node is None or node.process in self.machine.dead:
            return
        self.queries.ask(node)

    def look_back(self) -> None:
        """Files that a query still reads are there."""
        self.queries.look_back()

    def wait(self) -> None:
        """Time goes by."""
        self.clock.pass_by(self.choice.choice((100_000, 3_000_000, 25_000_000)))

    def sleep_for_days(self) -> None:
        """Longer than the deduplication window and than raw payloads are kept."""
        self.clock.pass_by(3 * DAY_US)
        self.queries.forget()

    def turn_clock_back(self) -> None:
        """Somebody sets the clock. What cannot be read then is beyond what a watermark can say."""
        if self.machine.faults.read_fails:
            return
        self.clock.us -= self.choice.randrange(30_000_000)
        self.queries.forget()
        with self._doing("meanwhile"):
            self.load()  # until the loader looks at the clock, its watermark is ahead of it

    def kill_edge(self) -> None:
        """SIGKILL."""
        for number in list(self.edges)[:1]:
            self.machine.trace.append(f"kill {self.edges[number].process}")
            self._lose_edge(number)

    def close_edge(self) -> None:
        """SIGTERM: the file is ended where the journal ends."""
        for number in list(self.edges)[:1]:
            edge = self.edges[number]
            self._close_edge(number, edge)
            if edge.process not in self.machine.dead:
                del self.edges[number]
                self.machine.bury(edge.process)

    def kill_loader(self) -> None:
        """SIGKILL."""
        if self.node:
            self.machine.trace.append(f"kill {self.node.process}")
            self._lose_node()

    def pause_loader(self) -> None:
        """SIGSTOP, and another one takes over."""
        with self._doing("reading") as free:
            if free and self.node and len(self.paused) < 2:
                self.paused.append(self.node)
                self.node = None
                self._start_node()

    def wake_loader(self) -> None:
        """SIGCONT: it must not change anything any more."""
        if not self.paused:
            return
        node = self.paused.pop()
        try:
            for _ in range(3):
                self._step(node)
                self._carry_out_commit(node)
                with self.machine.running(node.process):
                    self._look_after(node)
        except Conflict as error:
            if error.code != "fenced":
                raise
        finally:
            self._drop_node(node)

    def cut_power(self) -> None:
        """The machine is off and on again."""
        self.machine.trace.append("power cut")
        self.machine.is_off = True

    # --- the end

    def _settle(self) -> None:
        """Nothing fails any more: everything comes to rest, and is counted."""
        self.machine.ends_in = None
        self._take_stock()  # a journal's thread may have ended the machine after its last answer
        self.machine.faults = Faults()
        self.machine.between = None
        self.machine.ends_in = None
        for node in self.paused:
            self._drop_node(node)
        self.paused = []
        for number in range(self.configured):
            self._edge(number)
        for number in list(self.edges):
            self._close_edge(number, self.edges[number])
            self.machine.bury(self.edges.pop(number).process)
        node = self.node or self._start_node()
        self._finish(node)
        check_all(self.model, self.root, node)
        if self.merges:
            self._check_files(node)

    def _finish(self, node: Node) -> None:
        calm = 0
        for _ in range(PATIENCE):
            self.clock.pass_by(1_000_000)
            self._step(node)
            self._carry_out_commit(node)
            status = node.loader.answers.status()
            calm = 0 if status.backlog_bytes or status.tail_bytes else calm + 1
            if calm == CALM:
                return
        raise Wrong(f"{status.backlog_bytes} bytes of the journals never came into the lake")

    def _check_files(self, node: Node) -> None:
        """Retired files go, and what crashes left does."""
        with self.machine.running(node.process):
            merged = True
            while merged:  # what failed before is tried again after a while
                self.clock.pass_by(7_200_000_000)
                merged = self._look_after(node)
        late = list(node.catalog.load().removals)
        self.node = None
        self._drop_node(node)
        self.clock.pass_by(7_200_000_000)
        node = self._start_node()
        with self.machine.running(node.process):
            self._look_after(node)
        there = {
            str(path.relative_to(self.root))
            for top in ("lake", "dedup", "raw")
            for path in (self.root / top).rglob("*")
            if path.is_file()
        }
        unknown = node.catalog.unknown_paths(sorted(there))
        late += node.catalog.load().removals
        if late or unknown:
            raise Wrong(f"files stay behind: {late} {unknown}")
        check_rows(self.model, self.root, node, "after merging")
