"""Dead letters become rows once, whatever happens on the way."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.loader.rig import JSON_DIALECT, Crash, Rig, Running, Wiring, event, wait_until
from tests.unit.loader.test_crash import Fuse
from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame
from weir.errors import Unavailable
from weir.lake.records import DeadLetter
from weir.lake.store import LocalStore
from weir.loader.serve import client
from weir.loader.values import ReplayFate

DAY_US = 86_400_000_000
BODY = b"poison"


def _mended(frame: Frame) -> list[Event]:
    if frame.body == BODY:
        return [
            Event(event="late", event_id="id-1"),
            Event(event="late", event_id="id-2"),
            Event(event="late"),
        ]
    return list(JSON_DIALECT.decode([frame]))


def mend(rig: Rig) -> Rig:
    """The same node with a version that understands what broke the one before."""

    def wrap(wiring: Wiring) -> Wiring:
        return replace(wiring, dialects={1: Dialect(1, "json", frame_by_frame(_mended))})

    rig.wrap = wrap
    return rig


def letters(rig: Rig) -> list[DeadLetter]:
    """The node's dead letters."""
    catalog = rig.open_catalog()
    try:
        return catalog.dead_letters(1, limit=10)
    finally:
        catalog.close()


def replay(running: Running, found: list[DeadLetter]) -> tuple[ReplayFate, ...]:
    """Asks for a replay and waits for it."""
    places = [(each.journal_id, each.position) for each in found]
    return asyncio.run(running.client.replay(1, places))


@pytest.fixture
def buried(new_rig: Callable[..., Rig]) -> Rig:
    """A node with a dead letter of three events and two rows."""
    rig = new_rig()
    rig.write(BODY, event_count=3)
    rig.write([event(8), event(9)])
    with rig.running() as loader:
        loader.cut()
    assert len(letters(rig)) == 1
    return rig


def test_replayed_letter_is_stored_once_and_the_ledger_balances(buried: Rig) -> None:
    """Its rows have the time of the first reception, and it is a letter no more."""
    found = letters(buried)
    with mend(buried).running() as loader:
        first = replay(loader, found)
        second = replay(loader, found)
    assert first == (ReplayFate("00", found[0].position, stored=3),)
    assert second == ()
    assert letters(buried) == []
    rows = [row for row in buried.committed() if row["event"] == "late"]
    assert len(rows) == 3
    assert {row["received_at"].timestamp() for row in rows} == {found[0].received_at_us / 1e6}
    total = buried.ledger_total()
    assert (total.accepted, total.stored, total.dead_lettered, total.balance) == (5, 5, 0, 0)


def test_letter_that_still_breaks_stays_with_its_reason(buried: Rig) -> None:
    """Nothing changes, and the reason is the one of now."""
    with buried.running() as loader:
        [fate] = replay(loader, letters(buried))
    assert fate.reason == "RecursionError: too deep"
    assert len(letters(buried)) == 1
    assert buried.ledger_total().dead_lettered == 3


def test_letter_whose_payload_is_gone_says_so(buried: Rig) -> None:
    """Raw payloads have their time."""
    [letter] = letters(buried)
    (buried.directory.root / letter.raw_path).unlink()
    with mend(buried).running() as loader:
        [fate] = replay(loader, [letter])
    assert fate.reason == "Its raw payload file has gone."
    assert len(letters(buried)) == 1


def test_events_that_were_sent_again_meanwhile_stay_single(buried: Rig) -> None:
    """In the lake with its id forgotten, and in the tail: both win over the letter."""
    found = letters(buried)
    buried.write([event(1)])
    with buried.running() as loader:
        loader.cut()
    buried.clock.us += 5 * DAY_US
    for number in (3, 4):
        buried.write([event(number)])
        with buried.running() as loader:
            loader.cut()
    catalog = buried.open_catalog()
    assert all(file.received_min_us > found[0].received_at_us for file in catalog.load().sidecars)
    catalog.close()
    with mend(buried).running() as loader:
        [fate] = replay(loader, found)
    assert (fate.stored, fate.duplicate) == (2, 1)
    ids = [row["event_id"] for row in buried.committed()]
    assert len(ids) == len(set(ids))
    total = buried.ledger_total()
    assert (total.duplicate, total.duplicate_conflict, total.balance) == (1, 0, 0)


@pytest.mark.parametrize("step", range(14))
def test_crash_at_any_step_of_a_replay_leaves_each_event_once(
    buried: Rig, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the transaction the letter is a letter, behind it it is rows; asked again, rows."""
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    found = letters(buried)
    buried.write([event(10)])
    fuse = Fuse(step)

    def wrap(wiring: Wiring) -> Wiring:
        return replace(
            wiring,
            dialects={1: Dialect(1, "json", frame_by_frame(_mended))},
            store=fuse.around(LocalStore(wiring.directory.root)),
            open_catalog=lambda: fuse.around(buried.open_catalog()),
        )

    buried.wrap = wrap
    try:
        with buried.running() as loader:
            replay(loader, found)
    except (Crash, Unavailable):
        pass
    monkeypatch.undo()
    with mend(buried).running() as loader:
        wait_until(lambda: loader.status().commit_id > 0)
        replay(loader, found)
        loader.cut()
    assert letters(buried) == []
    late = [row for row in buried.committed() if row["event"] == "late"]
    assert len(late) == 3
    total = buried.ledger_total()
    assert (total.accepted, total.stored, total.dead_lettered, total.balance) == (6, 6, 0, 0)
    assert fuse.blown or step > 5, "the steps no longer cover a replay"


def test_replays_at_the_same_time_add_a_letter_once(buried: Rig) -> None:
    """Two operators, one letter."""
    found = letters(buried)
    places = [(each.journal_id, each.position) for each in found]

    async def twice(running: Running) -> list[Any]:
        return list(await asyncio.gather(*(running.client.replay(1, places) for _ in range(4))))

    with mend(buried).running() as loader:
        fates = [fate for each in asyncio.run(twice(loader)) for fate in each]
    assert [fate.stored for fate in fates] == [3]
    assert buried.ledger_total().stored == 5
