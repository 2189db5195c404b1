"""The in-flight budget: bounded, and none of it one tenant's own."""

from hypothesis import given
from hypothesis import strategies as st

from weir.ingest.in_flight import admits


def test_one_tenant_alone_fills_three_quarters_of_the_budget() -> None:
    """The rest is for whoever comes; who holds little then still gets in."""
    assert admits(75, held=0, in_flight=0, tenants=1, bytes_max=100)
    assert not admits(1, held=75, in_flight=75, tenants=1, bytes_max=100)
    assert admits(25, held=0, in_flight=75, tenants=2, bytes_max=100)
    assert not admits(26, held=0, in_flight=75, tenants=2, bytes_max=100)


def test_full_budget_is_shared_by_those_that_hold_some() -> None:
    """An equal share each, with one share left for the next."""
    assert admits(10, held=10, in_flight=80, tenants=4, bytes_max=100)
    assert not admits(11, held=10, in_flight=80, tenants=4, bytes_max=100)


@given(
    wishes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=60),
    bytes_max=st.integers(1, 200),
)
def test_budget_is_never_exceeded_nor_one_tenants(
    wishes: list[tuple[int, int]], bytes_max: int
) -> None:
    """However they ask: nobody ever holds more than three quarters of it."""
    held: dict[int, int] = {}
    for tenant, wanted in wishes:
        own, total = held.get(tenant, 0), sum(held.values())
        tenants = len(held.keys() | {tenant})
        asked = {"held": own, "in_flight": total, "tenants": tenants, "bytes_max": bytes_max}
        if admits(wanted, **asked):
            held[tenant] = own + wanted
        assert sum(held.values()) <= bytes_max
    heaviest = max(held.values(), default=0)
    assert heaviest <= 0.75 * bytes_max
