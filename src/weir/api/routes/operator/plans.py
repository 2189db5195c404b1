"""The operator's verbs of plans."""

from types import NoneType

from weir.api.operation import Verb
from weir.control.records import PlanChange, PlanRecord, PlanRequest

CREATE_PLAN = Verb(
    method="POST",
    path="/plans",
    name="create_plan",
    summary="Make a plan.",
    request=PlanRequest,
    returns=PlanRecord,
    run=lambda control, asked: control.plans.create(asked),
)

CHANGE_PLAN = Verb(
    method="PATCH",
    path="/plans/{slug}",
    name="change_plan",
    summary="Set a plan's limits.",
    request=PlanChange,
    returns=PlanRecord,
    run=lambda control, asked: control.plans.change(asked),
)

LIST_PLANS = Verb(
    method="GET",
    path="/plans",
    name="list_plans",
    summary="List all plans.",
    request=NoneType,
    returns=tuple[PlanRecord, ...],
    run=lambda control, _: control.plans.list(),
)
