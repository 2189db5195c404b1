"""Files go when nobody needs them any more; what fails is done by a later step."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.loader.rig import RigClock, event, make_rig
from weir.errors import Conflict
from weir.lake.records import Removal
from weir.lake.store import LocalStore
from weir.loader.ports import FENCED
from weir.loader.read.journals import LocalJournals
from weir.loader.tail.view import View
from weir.loader.upkeep.hold import RemovalHold
from weir.loader.upkeep.removals import Removals


class Forgetting:
    """A catalog that notes what is forgotten, or raises."""

    def __init__(self) -> None:
        self.forgotten: set[str] = set()
        self.error: Exception | None = None

    def forget_removals(self, epoch: int, paths: set[str]) -> None:
        if self.error is not None:
            raise self.error
        self.forgotten |= paths


class World:
    """Removals over a directory with some retired files."""

    def __init__(self, root: Path) -> None:
        self.rig = make_rig(root, RigClock())
        with self.rig.running() as loader:
            self.rig.write([event(1)])
            loader.cut()
        catalog = self.rig.open_catalog()
        self.catalog = Forgetting()
        self.hold = RemovalHold(self.rig.clock)
        self.store = LocalStore(self.rig.directory.root)
        self.view = View(catalog.load(), self.store.locate)
        catalog.close()
        self.removals = self.make()

    def make(self, **changed: Any) -> Removals:
        """Removals with some of their parts replaced."""
        directory = self.rig.directory
        journals = LocalJournals(
            directory.journals, quarantine=directory.quarantine, clock=self.rig.clock
        )
        parts: dict[str, Any] = {
            "store": self.store,
            "journals": journals,
            "catalog": self.catalog,
        } | changed
        return Removals(view=self.view, hold=self.hold, clock=self.rig.clock, epoch=1, **parts)

    def put(self, path: str) -> Path:
        """A file that is there."""
        self.store.write(path, b"x")
        return self.rig.directory.root / path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A node with one commit."""
    made = World(tmp_path / "node")
    made.rig.close()
    return made


def test_commit_waits_for_no_file_that_queries_still_read(world: World) -> None:
    """Its own files go with it, the others when they are due, each out of the catalog's list."""
    now, later = world.put("dedup/now.ids"), world.put("lake/later.parquet")
    due_us = world.rig.clock.us + 1_000_000
    world.removals.add([Removal("lake/later.parquet", due_us)])
    world.removals.clean_up(["dedup/now.ids"])
    world.removals.step(0.0)
    assert not now.exists()
    assert later.exists()
    world.rig.clock.us = due_us
    world.removals.clean_up()
    assert later.exists()
    world.removals.step(0.0)
    assert not later.exists()
    assert world.catalog.forgotten == {"dedup/now.ids", "lake/later.parquet"}


def test_what_a_backup_holds_is_removed_by_the_first_step_after_it(world: World) -> None:
    """Without another commit, journals too."""
    path = world.put("dedup/now.ids")
    expired: list[str] = []

    class Journals:
        def expire(self, journal_id: str, *, below_position: int) -> None:
            expired.append(journal_id)

    removals = world.make(journals=Journals())
    world.hold.extend(0.05)
    removals.clean_up(["dedup/now.ids"])
    assert path.exists()
    while path.exists():
        removals.step(0.0)
    assert expired == ["00"]
    removals.step(0.0)
    assert expired == ["00"]


def test_list_that_could_not_be_shortened_is_shortened_later(world: World) -> None:
    """The file is gone already, and removing it again does no harm."""
    path = world.put("dedup/now.ids")
    world.catalog.error = OSError("disk I/O error")
    world.removals.clean_up(["dedup/now.ids"])
    assert not path.exists()
    assert world.catalog.forgotten == set()
    world.catalog.error = None
    world.removals.step(0.0)
    assert world.catalog.forgotten == {"dedup/now.ids"}


def test_replaced_loader_is_told_so(world: World) -> None:
    """What it retired belongs to the one that replaced it."""
    world.catalog.error = Conflict("Another one.", code=FENCED)
    with pytest.raises(Conflict):
        world.removals.clean_up(["dedup/now.ids"])
