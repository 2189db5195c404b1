"""The hold on removals: leases, and who waits for whom."""

import threading

from tests.unit.journal.fakes import SetClock
from weir.loader.upkeep.hold import LEASE_S_MAX, RemovalHold


def test_nothing_is_removed_until_the_lease_ends() -> None:
    """A shorter lease after a longer one takes nothing away."""
    clock = SetClock()
    hold = RemovalHold(clock)
    with hold.removing() as may_remove:
        assert may_remove
    hold.extend(30.0)
    hold.extend(1.0)
    for seconds, expected in ((29, False), (2, True)):
        clock.us += seconds * 1_000_000
        with hold.removing() as may_remove:
            assert may_remove is expected


def test_lease_has_a_longest() -> None:
    """A backup that died does not keep files for good."""
    clock = SetClock()
    hold = RemovalHold(clock)
    hold.extend(10 * LEASE_S_MAX)
    clock.us += int(LEASE_S_MAX * 1_000_000)
    with hold.removing() as may_remove:
        assert may_remove


def test_removals_do_not_wait_for_each_other_but_a_hold_waits_for_them() -> None:
    """A commit's clean-up goes on while compaction removes files; a backup begins after both."""
    hold = RemovalHold(SetClock())
    held = threading.Event()

    def extend() -> None:
        hold.extend(30.0)
        held.set()

    asking = threading.Thread(target=extend, daemon=True)
    with hold.removing() as first, hold.removing() as second:
        assert (first, second) == (True, True)
        asking.start()
        while _may_remove(hold):
            pass
        assert not held.is_set()
    assert held.wait(60)


def _may_remove(hold: RemovalHold) -> bool:
    with hold.removing() as may_remove:
        return may_remove
