"""Who runs next, whose share is used up, and who has to leave when the queue is full."""

from weir.workers.slots import FairSlots


def slots(*, running: int = 1, share: int = 1, waiting: int = 100) -> FairSlots[str]:
    """Slots with these limits."""
    return FairSlots(running_max=running, tenant_running_max=share, waiting_max=waiting)


def filled(made: FairSlots[str], tenant: int, count: int) -> FairSlots[str]:
    """The slots, with that many jobs of a tenant asked for."""
    for number in range(count):
        if not made.take(tenant):
            made.wait(tenant, f"{tenant}.{number}")
    return made


def test_newcomer_waits_for_one_job_however_many_wait() -> None:
    """Tenant 2 comes last and is served first; then both in turn."""
    made = filled(slots(), 1, 100)
    filled(made, 2, 2)
    served = []
    tenant = 1
    for _ in range(5):
        started = made.release(tenant)
        assert started is not None
        tenant = started.tenant_id
        served.append(started.item)
    assert served == ["2.0", "1.1", "2.1", "1.2", "1.3"]


def test_slot_goes_to_the_tenant_that_runs_least() -> None:
    """Tenant 1 runs one still when its other one ends: tenant 2 gets the slot."""
    made = filled(slots(running=2, share=2), 1, 5)
    filled(made, 2, 3)
    first, second = made.release(1), made.release(1)
    assert first is not None
    assert second is not None
    assert (first.item, second.item) == ("2.0", "1.2")


def test_share_of_a_tenant_leaves_slots_free_for_others() -> None:
    """At its share it waits although a slot is free, and lets others by."""
    made = filled(slots(running=3, share=2), 1, 4)
    assert (made.running_count, made.waiting_count, made.is_at_its_share(1)) == (2, 2, True)
    assert made.take(2)
    made.wait(3, "3.0")
    assert made.release(2) == (3, "3.0")
    assert made.release(3) is None
    assert made.release(1) == (1, "1.2")


def test_share_beyond_all_places_is_all_slots() -> None:
    """Who runs all there are is told that it is its own doing."""
    made = filled(slots(running=2, share=5), 1, 3)
    assert made.is_at_its_share(1)


def test_full_queue_pushes_the_newest_of_the_longest_out() -> None:
    """Others still find room; who has most waiting does not."""
    made = filled(slots(waiting=3), 1, 4)
    assert made.wait(1, "late") == "late"
    assert made.wait(2, "2.0") == "1.3"
    assert made.wait(2, "2.1") == "2.1"
    assert made.wait(3, "3.0") == "1.2"
    assert made.wait(4, "4.0") == "4.0"
    assert made.waiting_count == 3


def test_no_queue_at_all_refuses_at_once() -> None:
    """With nothing allowed to wait, what finds no slot goes."""
    made = filled(slots(waiting=0), 1, 1)
    assert made.wait(2, "2.0") == "2.0"


def test_who_left_is_not_served() -> None:
    """A queue without it, and then none."""
    made = filled(slots(), 1, 3)
    made.leave(1, "1.1")
    assert made.release(1) == (1, "1.2")
    made.leave(1, "1.2")
    assert made.release(1) is None
    assert (made.running_count, made.waiting_count) == (0, 0)
