"""The operator's verbs of the keys that sign access tokens."""

from types import NoneType

from weir.api.operation import Verb
from weir.control.records import TokenKeyRecord, TokenKeyRotation

LIST_TOKEN_KEYS = Verb(
    method="GET",
    path="/token-keys",
    name="list_token_keys",
    summary="List the keys that sign or verify access tokens.",
    request=NoneType,
    returns=tuple[TokenKeyRecord, ...],
    run=lambda control, _: control.token_keys.list(),
)

ROTATE_TOKEN_KEYS = Verb(
    method="POST",
    path="/token-keys/rotate",
    name="rotate_token_keys",
    summary="Let a new key sign access tokens.",
    request=TokenKeyRotation,
    returns=tuple[TokenKeyRecord, ...],
    run=lambda control, asked: control.token_keys.rotate(asked),
)
