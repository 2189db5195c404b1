"""Tenants in turn, whatever each of them has waiting."""

from weir.domain.tenant_queues import Lines


def test_tenants_take_turns() -> None:
    """One that joins later is next but one, not behind everything of the first."""
    lines: Lines[str] = Lines()
    for item in ("a1", "a2", "a3"):
        lines.join(1, item)
    taken = [lines.next()]
    for tenant, item in ((2, "b1"), (3, "c1"), (2, "b2")):
        lines.join(tenant, item)
    while lines:
        taken.append(lines.next())
    assert taken == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_line_that_ran_empty_is_gone() -> None:
    """Its tenant comes last when it has something again."""
    lines: Lines[str] = Lines()
    lines.join(1, "a1")
    lines.join(2, "b1")
    assert lines.next() == "a1"
    lines.join(1, "a2")
    assert [lines.next(), lines.next()] == ["b1", "a2"]
    assert not lines


def test_items_leave_a_line_from_any_place() -> None:
    """The newest, one in the middle, and one that has gone already."""
    lines: Lines[str] = Lines()
    for item in ("a1", "a2", "a3"):
        lines.join(1, item)
    assert lines.last_of(1) == "a3"
    assert lines.leave(1, "a1")
    assert not lines.leave(1, "a1")
    assert not lines.leave(2, "a2")
    assert {tenant: len(line) for tenant, line in lines.by_tenant.items()} == {1: 1}
    assert lines.last_of(1) == "a2"
    assert not lines
