"""The operator's verbs of tenants."""

from types import NoneType

from weir.api.operation import Verb
from weir.control.records import TenantChange, TenantRecord, TenantRequest

CREATE_TENANT = Verb(
    method="POST",
    path="/tenants",
    name="create_tenant",
    summary="Make a tenant.",
    request=TenantRequest,
    returns=TenantRecord,
    run=lambda control, asked: control.tenants.create(asked),
)

CHANGE_TENANT = Verb(
    method="PATCH",
    path="/tenants/{slug}",
    name="change_tenant",
    summary="Switch a tenant off or on, set its plan and its own limits.",
    request=TenantChange,
    returns=TenantRecord,
    run=lambda control, asked: control.tenants.change(asked),
)

LIST_TENANTS = Verb(
    method="GET",
    path="/tenants",
    name="list_tenants",
    summary="List all tenants, with what they used this month.",
    request=NoneType,
    returns=tuple[TenantRecord, ...],
    run=lambda control, _: control.tenants.list(),
)
