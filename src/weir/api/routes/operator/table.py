"""The table of the operator's verbs: every row that a module of this folder defines."""

from typing import Any, Final

from weir.api.operation import Verb
from weir.api.routes.operator import keys, plans, projects, tenants, token_keys

VERBS: Final[tuple[Verb[Any, Any], ...]] = tuple(
    value
    for noun in (plans, tenants, projects, keys, token_keys)
    for value in vars(noun).values()
    if isinstance(value, Verb)
)
