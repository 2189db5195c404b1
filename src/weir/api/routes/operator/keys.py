"""The operator's verbs of API keys."""

from weir.api.operation import Verb
from weir.control.records import (
    KeyChange,
    KeyFilter,
    KeyId,
    KeyImport,
    KeyRecord,
    KeyRequest,
    NewKey,
)

CREATE_KEY = Verb(
    method="POST",
    path="/keys",
    name="create_key",
    summary="Make a key; its text is in this reply alone.",
    request=KeyRequest,
    returns=NewKey,
    run=lambda control, asked: control.keys.create(asked),
)

IMPORT_KEY = Verb(
    method="POST",
    path="/keys/import",
    name="import_key",
    summary="Take in a key made elsewhere.",
    request=KeyImport,
    returns=KeyRecord,
    run=lambda control, asked: control.keys.import_key(asked),
)

LIST_KEYS = Verb(
    method="GET",
    path="/keys",
    name="list_keys",
    summary="List keys of a tenant and a project, or all, revoked ones included.",
    request=KeyFilter,
    returns=tuple[KeyRecord, ...],
    run=lambda control, asked: control.keys.list(asked),
)

CHANGE_KEY = Verb(
    method="PATCH",
    path="/keys/{id}",
    name="change_key",
    summary="Set what a key may do.",
    request=KeyChange,
    returns=KeyRecord,
    run=lambda control, asked: control.keys.change(asked),
)

REVOKE_KEY = Verb(
    method="POST",
    path="/keys/{id}/revoke",
    name="revoke_key",
    summary="End a key for ever.",
    request=KeyId,
    returns=KeyRecord,
    run=lambda control, asked: control.keys.revoke(asked.id),
)
