"""A loader killed at its n-th system call between cut and journal expiry: each event once."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.cutting_loader import LATER_US, SETTINGS
from tests.end_to_end.tracing import injected, needs_strace
from tests.unit.loader.rig import START_US, Rig, RigClock, event, make_rig
from weir.node.directory import Directory

CALLS = ("mkdir", "write", "fsync", "rename", "pwrite64", "fdatasync", "ftruncate", "unlink")
"""Everything by which a commit changes the disk."""

NO_FAULT = "delay_enter=1"
SAMPLED = (("fsync", 2), ("rename", 1), ("pwrite64", 7), ("fdatasync", 3), ("unlink", 1))

pytestmark = needs_strace


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with an old commit, and everything that the next one has to do."""
    root = tmp_path_factory.mktemp("filled") / "node"
    rig = make_rig(root, RigClock(START_US))
    rig.write([event(number) for number in range(20)])
    rig.write([event(20)], worker=1, project=2)
    with rig.running() as loader:
        loader.cut()
    rig.close()
    rig.writers.clear()
    rig.clock.us = LATER_US - 60_000_000
    rig.write([event(number) for number in range(100, 130)])
    rig.write([event(100), event(130)], worker=1)
    rig.write([event(131)], project=2)
    rig.write(b"poison", event_count=1, worker=1)
    rig.close()
    rig.writers.clear()
    rig.write([event(132), {"event": "made"}])
    rig.close()
    return root


@pytest.fixture(scope="module")
def calm(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """What it looks like afterwards when nothing happens."""
    rig = _copy(filled, tmp_path_factory.mktemp("calm") / "node")
    with rig.running() as loader:
        loader.cut()
    assert len(rig.committed()) == 20 + 33
    assert rig.ledger_total().duplicate == 1
    return rig


@pytest.mark.parametrize(("call", "number"), SAMPLED)
def test_loader_killed_in_a_commit_leaves_each_event_once(
    filled: Path, calm: Rig, tmp_path: Path, call: str, number: int
) -> None:
    """Before, in and after the transaction, and while it removes what is not needed any more."""
    rig = _copy(filled, tmp_path / "node")
    assert _cut_under(rig, call, f"signal=KILL:when={number}", tmp_path) == -9
    _assert_made_good(rig, calm)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_loader_killed_at_every_call_of_a_commit_leaves_each_event_once(
    filled: Path, calm: Rig, tmp_path: Path
) -> None:
    """As above at each place that there is."""
    counted = _calls_of_a_commit(filled, tmp_path)
    assert set(counted) == set(CALLS)
    places = [(call, n) for call in CALLS for n in range(1, counted[call] + 1)]
    for call, number in places:
        rig = _copy(filled, tmp_path / f"{call}-{number}")
        assert _cut_under(rig, call, f"signal=KILL:when={number}", tmp_path) == -9, (call, number)
        _assert_made_good(rig, calm)
        shutil.rmtree(rig.directory.root)


def _calls_of_a_commit(filled: Path, tmp_path: Path) -> Counter[str]:
    """How often the committing thread makes each call."""
    rig = _copy(filled, tmp_path / "counted")
    assert _cut_under(rig, ",".join(CALLS), NO_FAULT, tmp_path) == 0
    by_thread: dict[str, Counter[str]] = {}
    for line in (tmp_path / "strace.log").read_text().splitlines():
        found = re.match(r"(\d+) +(\w+)\(", line)
        if found:
            by_thread.setdefault(found[1], Counter())[found[2]] += 1
    return max(by_thread.values(), key=lambda counted: counted["rename"])


def _cut_under(rig: Rig, calls: str, fault: str, tmp_path: Path) -> int:
    """Runs the loader, with the fault from just before its cut; its exit code."""
    script = str(Path(__file__).with_name("cutting_loader.py"))
    with subprocess.Popen(
        [sys.executable, script, str(rig.directory.root)],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert _says_ready(child.stdout)
            with injected(child.pid, calls, fault, tmp_path / "strace.log"):
                child.stdin.write("go\n")
                child.stdin.flush()
                return child.wait(300)
        finally:
            child.kill()


def _says_ready(lines: Iterator[str]) -> bool:
    """Its log goes to standard output too."""
    return any(line == "ready\n" for line in lines)


def _assert_made_good(rig: Rig, calm: Rig) -> None:
    """The next loader leaves the same rows, files and counts as one that was not killed."""
    with rig.running() as loader:
        loader.cut()
    for project in (1, 2):
        assert rig.committed(project) == calm.committed(project)
    total = rig.ledger_total()
    assert total == calm.ledger_total()
    assert total.balance == total.in_flight == 0
    assert rig.file_names() == calm.file_names()
    catalog = rig.open_catalog()
    state = catalog.load()
    catalog.close()
    assert (state.intent, state.removals) == (None, ())
    assert _journal_ends(rig) == _journal_ends(calm)


def _journal_ends(rig: Rig) -> list[tuple[str, int]]:
    """How many files each journal has kept: none that is wholly in the lake but the newest."""
    return [
        (journal.name, len(list(journal.glob("*.wal"))))
        for journal in sorted(rig.directory.journals.iterdir())
    ]


def _copy(source: Path, target: Path) -> Rig:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock"))
    return Rig(Directory(target), RigClock(LATER_US), settings=SETTINGS)
