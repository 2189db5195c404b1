"""Compaction in a running loader: queries see every row once, whatever is killed when."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from tests.unit.loader.rig import Rig, Running, event, wait_until
from weir.errors import Conflict, Unavailable
from weir.lake.merge import Merged, MergeJob, merge
from weir.lake.records import Replacement
from weir.loader.upkeep.merge_process import ProcessMerger

FAST = {"compaction_interval_s": 0.01, "compaction_files": 3, "compaction_cpu_share": 1.0}


class MergerHere:
    """Merges in this process, once."""

    cpu_s = 0.0

    def __init__(self) -> None:
        self.done: list[tuple[int, Merged | str]] = []

    def begin(self, number: int, job: MergeJob) -> None:
        if number == 1:
            self.done.append((number, merge(job)))

    def results(self) -> Sequence[tuple[int, Merged | str]]:
        done, self.done = self.done, []
        return done

    def rest(self) -> None:
        """Nothing runs elsewhere."""

    def stop(self) -> None:
        """Nothing runs elsewhere."""


def write_cuts(rig: Rig, loader: Running, count: int, *, first: int = 0) -> None:
    """So many commits of three events each."""
    for number in range(first, first + count):
        rig.write([event(3 * number + n) for n in range(3)])
        loader.cut()


def file_count(loader: Running) -> int:
    """Files that a query reads."""
    return len(loader.snapshot_files()[0])


def ids_seen(rig: Rig, loader: Running) -> list[str]:
    """The ids that a query finds, read for real."""
    files, tail = loader.snapshot_files()
    found = [] if tail is None else tail["event_id"].to_pylist()
    for path in files:
        found += pq.read_table(rig.directory.root / path, partitioning=None)["event_id"].to_pylist()
    return sorted(found)


def expected_ids(count: int) -> list[str]:
    """Those of the first events."""
    return sorted(f"id-{number}" for number in range(count))


def test_small_files_become_one_while_queries_go_on(new_rig: Callable[..., Rig]) -> None:
    """In a process of its own; no query sees a row twice or misses one."""
    rig = new_rig(**FAST)
    wrong: list[list[str]] = []
    over = threading.Event()
    with rig.running() as loader:
        write_cuts(rig, loader, 6)

        def watch() -> None:
            while not over.is_set():
                found = ids_seen(rig, loader)
                if found != expected_ids(18):
                    wrong.append(found)

        watcher = threading.Thread(target=watch)
        watcher.start()
        wait_until(lambda: file_count(loader) <= 2)
        over.set()
        watcher.join()
        assert not wrong
        write_cuts(rig, loader, 1, first=6)
        assert ids_seen(rig, loader) == expected_ids(21)
    assert sorted(row["event_id"] for row in rig.committed()) == expected_ids(21)
    assert rig.ledger_total().stored == 21


def test_replaced_files_stay_until_no_query_can_read_them(new_rig: Callable[..., Rig]) -> None:
    """Over a restart too; then they go."""
    rig = new_rig(**FAST)
    with rig.running() as loader:
        write_cuts(rig, loader, 3)
        old = loader.snapshot_files()[0]
        wait_until(lambda: file_count(loader) == 1)
        assert all((rig.directory.root / path).exists() for path in old)
    with rig.running() as loader:
        wait_until(lambda: loader.status().commit_id > 0)
        assert all((rig.directory.root / path).exists() for path in old)
        rig.clock.us += int((rig.settings.query_timeout_s + 61) * 1_000_000)
        wait_until(lambda: not any((rig.directory.root / path).exists() for path in old))
    assert rig.open_catalog().load().removals == ()
    assert sorted(row["event_id"] for row in rig.committed()) == expected_ids(9)


def test_merged_file_is_dropped_when_an_input_has_gone(new_rig: Callable[..., Rig]) -> None:
    """Somebody else replaced it: the catalog stays as it is, and nothing is left on disk."""
    rig = new_rig(**FAST)
    tried = threading.Event()

    class Changed:
        def __init__(self, catalog: Any) -> None:
            self.catalog = catalog

        def __getattr__(self, name: str) -> Any:
            return getattr(self.catalog, name)

        def replace_files(self, epoch: int, replacement: Any) -> None:
            gone = msgspec.structs.replace(replacement, inputs=(*replacement.inputs, "lake/gone"))
            try:
                self.catalog.replace_files(epoch, gone)
            finally:
                tried.set()

    rig.wrap = lambda wiring: replace(
        wiring, open_catalog=lambda: Changed(wiring.open_catalog()), merger=MergerHere()
    )
    with rig.running() as loader:
        write_cuts(rig, loader, 3)
        assert tried.wait(120)
        wait_until(lambda: not [name for name in rig.file_names() if "merged" in name])
        assert file_count(loader) == 3
        assert ids_seen(rig, loader) == expected_ids(9)


def test_fenced_loader_swaps_nothing(rig: Rig) -> None:
    """A loader that another one replaced cannot change what the catalog lists."""
    with rig.running() as loader:
        write_cuts(rig, loader, 1)
    catalog = rig.open_catalog()
    [file] = catalog.load().files
    old = catalog.take_over()
    catalog.take_over()
    replacement = Replacement(
        (file.path,), msgspec.structs.replace(file, path="lake/other"), None, ()
    )
    with pytest.raises(Conflict) as caught:
        catalog.replace_files(old, replacement)
    assert caught.value.code == "fenced"
    assert catalog.load().files == (file,)


def test_damaged_file_is_left_alone_and_others_are_merged(new_rig: Callable[..., Rig]) -> None:
    """It stays listed, and queries over it are refused until it is restored."""
    rig = new_rig(**FAST)
    merger = ProcessMerger()
    with rig.running() as loader:
        write_cuts(rig, loader, 2)
        victim = rig.directory.root / loader.snapshot_files()[0][0]
    victim.write_bytes(b"PAR1 but not really")
    for number in range(100, 104):
        rig.write([event(number)], project=2)
    rig.wrap = lambda wiring: replace(wiring, merger=merger)
    with rig.running() as loader:
        for number in range(104, 107):
            rig.write([event(number)], project=2)
            loader.cut()
        write_cuts(rig, loader, 1, first=2)
        wait_until(lambda: len(loader.snapshot_files(project=2)[0]) == 1)
        with pytest.raises(Unavailable) as caught:
            loader.snapshot_files()
        assert caught.value.code == "events_damaged"
    files = [file.path for file in rig.open_catalog().load().files if file.project_id == 1]
    assert len(files) == 3
    assert str(victim.relative_to(rig.directory.root)) in files


def test_killed_merge_changes_nothing(new_rig: Callable[..., Rig]) -> None:
    """Its process dies in the middle: its files stay as they are, later ones are merged."""
    rig = new_rig(**FAST)
    ended: list[int | None] = []

    class Killed(ProcessMerger):
        def begin(self, number: int, job: MergeJob) -> None:
            super().begin(number, job)
            process = self._process
            if not ended and process is not None:
                process.kill()
                ended.append(process.wait())

    rig.wrap = lambda wiring: replace(wiring, merger=Killed())
    with rig.running() as loader:
        write_cuts(rig, loader, 3)
        wait_until(lambda: bool(ended))
        write_cuts(rig, loader, 3, first=3)
        wait_until(lambda: file_count(loader) == 4)
        assert ids_seen(rig, loader) == expected_ids(18)
    assert ended == [-9]


def test_orphans_are_removed_and_nothing_else(new_rig: Callable[..., Rig]) -> None:
    """Old files that no catalog knows go; young ones and those of a commit to come stay."""
    rig = new_rig(**FAST | {"compaction_cpu_share": 0.0})
    with rig.running() as loader:
        write_cuts(rig, loader, 2)
    known = rig.file_names()
    directory = rig.directory.root / Path(min(each for each in known if "lake" in each)).parent
    names = {
        "00000001-0123456789abcdef.parquet": True,
        "merged-0123456789abcdef.parquet": True,
        ".00000001-0123456789abcdef.parquet.merging": True,
        "00000009-0123456789abcdef.parquet": False,
        "notes.txt": False,
    }
    for name in [*names, "00000001-ffffffffffffffff.parquet"]:
        (directory / name).write_bytes(b"x")
    young = directory / "00000001-ffffffffffffffff.parquet"
    old_s = rig.clock.us / 1_000_000 - 7200
    for path in directory.iterdir():
        os.utime(path, (old_s, old_s))
    now_s = rig.clock.us / 1_000_000
    os.utime(young, (now_s, now_s))
    with rig.running() as loader:
        wait_until(lambda: not any((directory / name).exists() for name in names if names[name]))
        assert loader.status().commit_id == 2
    assert all((directory / name).exists() for name, goes in names.items() if not goes)
    assert young.exists()
    assert known <= rig.file_names()


def test_cpu_time_of_a_run_is_known_once_its_results_are_taken(new_rig: Callable[..., Rig]) -> None:
    """Compaction rests by it, so that it takes no more than its share of a core."""
    rig = new_rig(**FAST)
    merger = ProcessMerger()
    rig.wrap = lambda wiring: replace(wiring, merger=merger)
    with rig.running() as loader:
        write_cuts(rig, loader, 3)
        wait_until(lambda: file_count(loader) == 1)
        wait_until(lambda: merger.cpu_s > 0)
