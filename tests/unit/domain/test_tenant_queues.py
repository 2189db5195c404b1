"""Tenants in turn, whatever each of them has waiting."""

from weir.domain.tenant_queues import TenantQueues


def test_tenants_take_turns() -> None:
    """One that joins later is next but one, not behind everything of the first."""
    queues: TenantQueues[str] = TenantQueues()
    for item in ("a1", "a2", "a3"):
        queues.add(1, item)
    taken = [queues.next()]
    for tenant, item in ((2, "b1"), (3, "c1"), (2, "b2")):
        queues.add(tenant, item)
    while queues:
        taken.append(queues.next())
    assert taken == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_line_that_ran_empty_is_gone() -> None:
    """Its tenant comes last when it has something again."""
    queues: TenantQueues[str] = TenantQueues()
    queues.add(1, "a1")
    queues.add(2, "b1")
    assert queues.next() == "a1"
    queues.add(1, "a2")
    assert [queues.next(), queues.next()] == ["b1", "a2"]
    assert not queues


def test_items_leave_a_line_from_any_place() -> None:
    """The newest, one in the middle, and one that has gone already."""
    queues: TenantQueues[str] = TenantQueues()
    for item in ("a1", "a2", "a3"):
        queues.add(1, item)
    assert queues.last_of(1) == "a3"
    assert queues.leave(1, "a1")
    assert not queues.leave(1, "a1")
    assert not queues.leave(2, "a2")
    assert {tenant: len(line) for tenant, line in queues.by_tenant.items()} == {1: 1}
    assert queues.last_of(1) == "a2"
    assert not queues
