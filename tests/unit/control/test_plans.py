"""Plans: whose limit is in force, and that the data plane knows it at once."""

import pytest

from weir.control.records import (
    AS_PLAN,
    KeyRequest,
    PlanChange,
    PlanRequest,
    TenantChange,
    TenantLimit,
    TenantRequest,
)
from weir.control.service import ControlService
from weir.domain.registry import Principal, Tenant
from weir.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from weir.node.registry import RegistryView


def published(view: RegistryView, slug: str) -> Tenant:
    """The tenant as the data plane knows it."""
    return next(item for item in view.current().tenants.values() if item.slug == slug)


def principal(view: RegistryView, text: str) -> Principal:
    """The key's principal as the data plane knows it."""
    return view.current().authenticate(text, now_us=0)


def test_first_tenant_has_a_plan_without_limits(
    service: ControlService, view: RegistryView
) -> None:
    """Nobody is limited before an operator wants it: the node's settings alone apply."""
    [plan] = service.plans.list()
    [tenant] = service.tenants.list()
    assert (plan.slug, plan.requests_per_minute, plan.events_per_minute) == ("default", None, None)
    assert (tenant.plan, tenant.overrides) == ("default", ())
    registered = published(view, "default")
    assert (registered.events_per_minute, registered.events_per_month) == (None, None)


@pytest.mark.parametrize(
    ("own", "shown", "in_registry"),
    [(AS_PLAN, 100, 100), (7, 7, 7), (None, None, 0)],
    ids=["plan", "number", "none"],
)
def test_own_limit_goes_before_the_plan(
    service: ControlService,
    view: RegistryView,
    own: TenantLimit,
    shown: int | None,
    in_registry: int,
) -> None:
    """Not set, a number, and no limit at all are three different things."""
    service.plans.create(PlanRequest(slug="pro", events_per_minute=100, events_per_month=100))
    request = TenantRequest(
        slug="acme", plan="pro", events_per_minute=own, events_per_month=AS_PLAN
    )
    made = service.tenants.create(request)
    assert (made.events_per_minute, made.events_per_month) == (shown, 100)
    assert made.overrides == (() if own == AS_PLAN else ("events_per_minute",))
    tenant = published(view, "acme")
    assert (tenant.events_per_minute, tenant.events_per_month) == (in_registry, 100)
    service.tenants.change(TenantChange(slug="acme", events_per_minute=1))
    assert service.tenants.change(TenantChange(slug="acme", events_per_minute=own)) == made


def test_changed_plan_reaches_its_tenants(service: ControlService, view: RegistryView) -> None:
    """All of the plan, none of another, and not what a tenant has set itself."""
    service.plans.create(PlanRequest(slug="pro", events_per_minute=100))
    service.tenants.create(TenantRequest(slug="one", plan="pro"))
    service.tenants.create(TenantRequest(slug="two", plan="pro", events_per_minute=2))
    service.plans.change(PlanChange(slug="pro", events_per_minute=50))
    limits = {slug: published(view, slug).events_per_minute for slug in ("default", "one", "two")}
    assert limits == {"default": None, "one": 50, "two": 2}


def test_requests_of_a_key_are_limited_by_key_then_tenant_then_plan(
    service: ControlService, view: RegistryView
) -> None:
    """The principal carries the number in force, so that the door looks up nothing."""
    service.plans.create(PlanRequest(slug="pro", requests_per_minute=100))
    free = service.keys.create(KeyRequest()).text
    own = service.keys.create(KeyRequest(requests_per_minute=3)).text
    assert principal(view, free).requests_per_minute is None
    service.tenants.change(TenantChange(slug="default", plan="pro"))
    assert principal(view, free).requests_per_minute == 100
    service.tenants.change(TenantChange(slug="default", requests_per_minute=20))
    assert principal(view, free).requests_per_minute == 20
    service.tenants.change(TenantChange(slug="default", requests_per_minute=None))
    assert principal(view, free).requests_per_minute == 0
    assert principal(view, own).requests_per_minute == 3


def test_change_of_a_plan_leaves_the_rest(service: ControlService) -> None:
    """What is not given stays; None takes a limit away."""
    service.plans.create(PlanRequest(slug="pro", events_per_minute=9, events_per_month=99))
    changed = service.plans.change(PlanChange(slug="pro", events_per_minute=None))
    assert (changed.events_per_minute, changed.events_per_month) == (None, 99)
    assert service.plans.change(PlanChange(slug="pro")) == changed
    assert service.plans.list()[1] == changed


def test_wrong_plans_are_refused(service: ControlService) -> None:
    """Taken and bad slugs, limits of nothing, plans that are not there."""
    with pytest.raises(Conflict, match="default"):
        service.plans.create(PlanRequest(slug="default"))
    with pytest.raises(InvalidInput, match="slug"):
        service.plans.create(PlanRequest(slug="A"))
    with pytest.raises(InvalidInput, match="requests_per_minute"):
        service.plans.create(PlanRequest(slug="pro", requests_per_minute=0))
    with pytest.raises(InvalidInput, match="events_per_month"):
        service.plans.change(PlanChange(slug="default", events_per_month=-1))
    with pytest.raises(NotFound, match="pro"):
        service.plans.change(PlanChange(slug="pro"))
    with pytest.raises(NotFound, match="pro"):
        service.tenants.create(TenantRequest(slug="acme", plan="pro"))
    assert len(service.plans.list()) == len(service.tenants.list()) == 1


def test_tenants_end_where_the_limit_table_does(
    service: ControlService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is full says so, instead of letting two tenants share a limit."""
    monkeypatch.setattr("weir.control.tenants.TENANTS_MAX", 3)
    service.tenants.create(TenantRequest(slug="second"))
    with pytest.raises(LimitExceeded) as caught:
        service.tenants.create(TenantRequest(slug="third"))
    assert caught.value.code == "too_many_tenants"
