"""Playing seeds: each has its own history on a fresh machine, and gives it again on demand."""

import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from tests.simulation.actors import Wrong
from tests.simulation.machine import Bias, Gone
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import World
from weir.catalog.adapter import SqlCatalog
from weir.domain.registry import Endpoint, Registry
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import publish_registry
from weir.storage.database import open_engine, sqlite_url

STEPS_MEAN = 25
STEPS_MAX = 120
SEEDS_PER_PROCESS = 500
MUTANT_SEEDS_PER_PROCESS = 40
ADDRESS_SPACE_BYTES = 8 << 30
MEMORY = Path("/dev/shm")  # a directory of its own is made in it


class Broken(NamedTuple):
    """A seed whose history broke a promise, why, and what happened in it."""

    seed: int
    reason: str
    trace: str


class Stage:
    """What the worlds of one process share: an empty node to copy, and the database's engine."""

    def __init__(self, where: Path) -> None:
        self.template = where / "template"
        self.root = where / "node"
        """All seeds have the same directory: the engine keeps its compiled statements."""
        self.root.mkdir()
        self.engine = open_engine(sqlite_url(Directory(self.root).catalog_db))
        directory = Directory(self.template)
        directory.run.mkdir(parents=True)
        board = Board.create(directory.board)
        publish_registry(directory, board, Registry(1, {}, {}, {}, {7: Endpoint(7, 1, "e-7")}))
        board.set(Slot.LOADER_READY, 0)
        SqlCatalog.open(sqlite_url(directory.catalog_db)).close()

    def play(self, seed: int, bias: Bias) -> Broken | None:
        """One seed's whole history."""
        shutil.rmtree(self.root)
        shutil.copytree(self.template, self.root)
        world = World(seed, self.root, self.engine, bias)
        steps = min(int(random.Random(~seed).expovariate(1 / STEPS_MEAN)) + 5, STEPS_MAX)
        try:
            world.live(steps)
        except (Exception, Wrong, Gone) as error:  # whatever the program raises is a finding
            told = "".join(traceback.format_exception(error))
            history = "\n".join(world.machine.trace)
            return Broken(seed, f"{type(error).__name__}: {error}", f"{history}\n{told}")
        finally:
            self.engine.dispose()
        return None


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage in memory, where waiting costs no time and nothing is logged."""
    with ExitStack() as held:
        memory = MEMORY if MEMORY.is_dir() else None
        where = held.enter_context(tempfile.TemporaryDirectory(dir=memory))
        held.enter_context(mock.patch("weir.telemetry._logging.least", 100))
        held.enter_context(mock.patch.object(threading, "excepthook"))
        yield Stage(Path(where))


def play_all(
    seeds: Sequence[int], *, processes: int, mutant: str = ""
) -> Iterator[tuple[int, list[Broken]]]:
    """Plays seeds in processes of their own; gives, as they come, how many, and the broken ones.

    ``mutant`` names a mistake that is built into the program first. Strings hash alike in all of
    the processes, so that a seed's history is the same wherever it is played.
    """
    os.environ["PYTHONHASHSEED"] = "0"
    with ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        most = MUTANT_SEEDS_PER_PROCESS if mutant else SEEDS_PER_PROCESS
        size = min(most, -(-len(seeds) // processes))
        portions = (seeds[at : at + size] for at in range(0, len(seeds), size))
        running = set()
        while True:
            for portion in portions:
                running.add(pool.submit(_play_some, list(portion), mutant))
                if len(running) >= processes:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()


def _play_some(seeds: list[int], mutant: str) -> tuple[int, list[Broken]]:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    build_in, bias = MUTANTS[mutant][:2] if mutant else (ExitStack, Bias())
    with stage() as here, build_in():
        broken = []
        for seed in seeds:
            found = here.play(seed, bias)
            if found is not None:
                broken.append(found)
                if mutant:
                    break
    return len(seeds), broken
