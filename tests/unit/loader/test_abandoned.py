"""Journals without a worker after a power cut: what was acknowledged is found all the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.loader.rig import Rig, event, wait_until
from tests.unit.loader.test_crash import Fuse, load
from weir.errors import Conflict
from weir.journal.abandoned import recover_abandoned
from weir.journal.state import STATE_NAME, JournalState
from weir.loader.read import journals, rounds
from weir.loader.serve import client

EVENTS = 120


def write_many(rig: Rig, worker: int, *, stale_at: int) -> bytes:
    """Writes events one by one; the state file as it was after the first ``stale_at``."""
    path = state_file(rig, worker)
    stale = b""
    for number in range(EVENTS):
        rig.write([event(1000 * worker + number)], worker=worker)
        if number + 1 == stale_at:
            stale = path.read_bytes()
    return stale


def state_file(rig: Rig, worker: int) -> Path:
    """Where a journal's durable end is published."""
    return rig.directory.journal(worker) / STATE_NAME


def cut_power(rig: Rig, worker: int, state: bytes) -> None:
    """The worker is gone, and what the disk has of its state is old."""
    with state_file(rig, worker).open("r+b") as file:  # in place: it is mapped
        file.write(state[:-8] + bytes(8) if state else b"")  # of another boot
    if not state:
        state_file(rig, worker).unlink()
    rig.writers.pop(worker).close()


def check_all(rig: Rig, count: int) -> None:
    """So many events are in the lake, each once, and the ledger says so too."""
    ids = [row["event_id"] for row in rig.committed()]
    assert len(ids) == len(set(ids)) == count
    total = rig.ledger_total()
    assert (total.stored, total.balance, total.lost) == (count, 0, 0)


@pytest.mark.parametrize("stale_at", [0, 68])
def test_acknowledged_events_of_a_missing_worker_are_read(rig: Rig, stale_at: int) -> None:
    """With fewer workers than before, an old or missing state hides nothing."""
    stale = write_many(rig, 1, stale_at=stale_at)
    rig.write([event(1)])
    cut_power(rig, 1, stale)
    with rig.running() as loader:
        assert loader.wait_for_rows(EVENTS + 1).num_rows == EVENTS + 1
        loader.cut()
    check_all(rig, EVENTS + 1)


def test_unfinished_cut_over_a_missing_worker_is_finished(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intent beyond what the old state says is repeated, not waited for without end."""
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    monkeypatch.setattr(rounds, "RETRY_UNREADABLE_S", 3600.0)
    stale = write_many(rig, 1, stale_at=68)
    rig.write([event(1)])
    assert not load(rig, Fuse(3))
    catalog = rig.open_catalog()
    intent = catalog.load().intent
    catalog.close()
    assert intent is not None
    assert intent.spans["01"].event_count == EVENTS
    cut_power(rig, 1, stale)
    assert load(rig, Fuse(10**9))
    check_all(rig, EVENTS + 1)


def test_journal_is_recovered_when_its_writer_lets_go(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is held at the loader's start is tried again."""
    monkeypatch.setattr(rounds, "RECOVER_S", 0.01)
    stale = write_many(rig, 1, stale_at=68)
    with rig.running() as loader:
        loader.wait_for_rows(EVENTS)
        cut_power(rig, 1, stale)
        wait_until(lambda: JournalState.open(state_file(rig, 1).parent).is_current)
        wait_until(lambda: _is_open(rig, 1))
        rig.write([event(5000)], worker=1)
        loader.wait_for_rows(EVENTS + 1)
        loader.cut()
    check_all(rig, EVENTS + 1)


def test_journal_that_cannot_be_recovered_is_read_as_far_as_it_is_published(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses hides nothing that the state vouches for, and recovery is repeated."""
    monkeypatch.setattr(rounds, "RETRY_UNREADABLE_S", 0.01)
    monkeypatch.setattr(rounds, "RECOVER_S", 0.01)
    stale = write_many(rig, 1, stale_at=68)
    cut_power(rig, 1, stale)
    recover: Callable[..., bool] = recover_abandoned
    refused = []

    def refuse(*_: object, **__: object) -> bool:
        refused.append(True)
        raise OSError

    monkeypatch.setattr(journals, "recover_abandoned", refuse)
    with rig.running() as loader:
        loader.wait_for_rows(68)
        wait_until(lambda: len(refused) > 1)
        monkeypatch.setattr(journals, "recover_abandoned", recover)
        loader.wait_for_rows(EVENTS)
        loader.cut()
    check_all(rig, EVENTS)


def _is_open(rig: Rig, worker: int) -> bool:
    """Tries to open a journal as a worker that starts does."""
    try:
        rig.writer(worker)
    except Conflict:  # the loader is about to let go of it
        return False
    return True
