"""A loader that dies at any step between cut and clean-up leaves each event exactly once."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.unit.loader.rig import DEADLINE_S, Crash, Rig, Running, Wiring, event, wait_until
from weir.errors import Unavailable
from weir.lake.store import LocalStore
from weir.loader.read.journals import LocalJournals
from weir.loader.serve import client

_CHANGES = {
    "record_intent",
    "commit",
    "forget_removals",
    "write",
    "remove",
    "expire",
}


class Fuse:
    """Crashes at the n-th change of anything outside of the process, before or after it."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.blown = False
        self.steps: list[str] = []

    def around(self, port: Any) -> Any:
        """The port, with the fuse in its changing calls."""
        fuse = self

        class Fused:
            def __getattr__(self, name: str) -> Any:
                call = getattr(port, name)
                if name not in _CHANGES:
                    return call

                def burning(*arguments: Any, **named: Any) -> Any:
                    fuse.burn(f"before {name}")
                    answer = call(*arguments, **named)
                    fuse.burn(f"after {name}")
                    return answer

                return burning

        return Fused()

    def burn(self, step: str) -> None:
        """One step nearer."""
        self.steps.append(step)
        if self.left == 0 or self.blown:
            self.blown = True
            raise Crash(step)
        self.left -= 1


def fill(rig: Rig) -> None:
    """Two journals, two projects, a duplicate, a dead letter."""
    rig.write([event(1), event(2), {"event": "made"}])
    rig.write([event(3)], worker=1)
    rig.write([event(3), event(4)], project=2)
    rig.write(b"poison", event_count=1, project=2)
    rig.write([event(1), event(5)], worker=1)


def load(rig: Rig, fuse: Fuse) -> bool:
    """Runs a loader with the fuse until it has committed; whether it got there."""

    def wrap(wiring: Wiring) -> Wiring:
        return replace(
            wiring,
            open_catalog=lambda: fuse.around(rig.open_catalog()),
            store=fuse.around(LocalStore(rig.directory.root)),
            journals=fuse.around(
                LocalJournals(
                    rig.directory.journals, quarantine=rig.directory.quarantine, clock=rig.clock
                )
            ),
        )

    rig.wrap = wrap
    try:
        with rig.running() as loader:
            wait_until(lambda: _is_cut(loader) or not loader.thread.is_alive())
    except Crash:
        return False
    return True


def _is_cut(loader: Running) -> bool:
    try:
        loader.cut()
    except Unavailable:
        return False
    return True


def check(rig: Rig) -> None:
    """Each event once, the ledger balanced, nothing left over."""
    given = {"id-1", "id-2", "id-3", "id-5"}
    assert given < {row["event_id"] for row in rig.committed()}
    assert len(rig.committed()) == 5
    assert sorted(row["event_id"] for row in rig.committed(2)) == ["id-3", "id-4"]
    total = rig.ledger_total()
    assert (total.stored, total.duplicate, total.dead_lettered) == (7, 1, 1)
    assert total.balance == total.in_flight == 0
    catalog = rig.open_catalog()
    state = catalog.load()
    assert len(catalog.dead_letters(2, limit=10)) == 1
    catalog.close()
    assert state.intent is None
    assert state.removals == ()


def test_crash_at_every_step_changes_nothing(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the first loader dies, the next one gives the same rows under the same names."""
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    calm = new_rig()
    fill(calm)
    unburnt = Fuse(10**9)
    assert load(calm, unburnt)
    check(calm)
    expected = calm.file_names()
    steps = 0
    for number in range(len(unburnt.steps)):
        rig = new_rig()
        fill(rig)
        fuse = Fuse(number)
        if load(rig, fuse):
            continue
        steps += 1
        assert load(rig, Fuse(10**9)), fuse.steps
        check(rig)
        assert rig.file_names() == expected, fuse.steps
    assert steps >= 12


def test_copies_stay_out_when_a_later_commit_dies(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of copies in different commits and journals the first committed is kept, at each third step.

    The steps between are those of ``test_crash_at_every_step_changes_nothing``.
    """
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    crashes = 0
    for steps in count(0, 3):
        rig = new_rig()
        rig.write([event(1, user_id="first")], worker=1)
        assert load(rig, Fuse(10**9))
        rig.write([event(1, user_id="copy"), event(2)])
        rig.write([event(1, user_id="copy"), event(2)], worker=1)
        fuse = Fuse(steps)
        if load(rig, fuse):
            break
        crashes += 1
        assert load(rig, Fuse(10**9)), fuse.steps
        rows = {row["event_id"]: row["user_id"] for row in rig.committed()}
        assert (rows, len(rig.committed())) == ({"id-1": "first", "id-2": None}, 2)
        total = rig.ledger_total()
        assert (total.stored, total.duplicate, total.balance) == (2, 3, 0)
        rig.close()
    assert crashes >= 4


def test_intent_is_repeated_without_what_came_later(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut that was decided stays as it was; later events wait for the next one."""
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    calm, rig = new_rig(), new_rig()
    for each in (calm, rig):
        fill(each)
    assert load(calm, Fuse(10**9))
    assert not load(rig, Fuse(3))
    catalog = rig.open_catalog()
    assert catalog.load().intent is not None
    catalog.close()
    rig.write([event(6), event(1)])
    assert load(rig, Fuse(10**9))
    assert calm.file_names() < rig.file_names()
    assert len(rig.committed()) == 6
    assert rig.ledger_total().duplicate == 2


def test_sidecar_that_nobody_could_remove_is_the_next_commits(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that is carried out anew writes the same file, and later clean-ups leave it."""
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    rig = new_rig()
    fill(rig)
    unburnt = Fuse(10**9)
    assert load(rig, unburnt)
    dying = new_rig()
    fill(dying)
    assert not load(dying, Fuse(unburnt.steps.index("before commit")))
    refused: list[str] = []

    class StubbornStore(LocalStore):
        def remove(self, path: str) -> None:
            if not refused:
                refused.append(path)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().remove(path)

    dying.wrap = lambda wiring: replace(wiring, store=StubbornStore(dying.directory.root))
    with dying.running() as loader:
        wait_until(lambda: _is_cut(loader))
        dying.write([event(6)])
        loader.cut()
    assert refused[0] in dying.file_names()
    assert refused[0].startswith("dedup/")
    assert rig.file_names() < dying.file_names()


def test_kill_at_any_time_loses_and_repeats_nothing(
    new_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """Processes that are killed while they commit leave each event exactly once."""
    rig = new_rig(cut_age_s=0.01)
    kills = 4
    for number in range(kills):
        rig.write([event(100 * number + n) for n in range(100)], worker=number % 2)
        rig.write([event(100 * number + n) for n in range(0, 100, 7)], worker=(number + 1) % 2)
        _run_and_kill(rig, number)
    rig.wrap = None
    with rig.running() as loader:
        loader.cut()
    ids = [row["event_id"] for row in rig.committed()]
    assert len(ids) == len(set(ids)) == 100 * kills
    assert rig.ledger_total().balance == 0


def _run_and_kill(rig: Rig, number: int) -> None:
    """Runs a loader in a process and kills it once some more files have appeared."""
    before = len(rig.file_names())
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("loader_process.py")), rig.directory.root],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pause = threading.Event()
        for _ in range(int(DEADLINE_S / 0.005)):
            if len(rig.file_names()) > before + number % 3 or child.poll() is not None:
                break
            pause.wait(0.005)
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
