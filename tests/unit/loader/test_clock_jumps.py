"""The wall clock jumps by a day while the loader reads, commits and looks for duplicates."""

from tests.unit.loader.rig import Rig, event

DAY_US = 86_400_000_000


def test_duplicates_are_found_after_the_clock_went_back(rig: Rig) -> None:
    """The window runs by receipt, which never goes back, over commits and restarts too."""
    with rig.running() as loader:
        rig.write([event(1)])
        loader.cut()
        rig.clock.us -= DAY_US
        rig.write([event(1), event(2)])
        loader.cut()
    with rig.running() as loader:
        rig.clock.us -= DAY_US
        rig.write([event(1), event(2), event(3)])
        loader.cut()
    assert sorted(row["event_id"] for row in rig.committed()) == ["id-1", "id-2", "id-3"]
    total = rig.ledger_total()
    assert (total.stored, total.duplicate, total.balance) == (3, 3, 0)
