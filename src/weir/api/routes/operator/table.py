"""The table of the operator's verbs."""

from typing import Any, Final

from weir.api.operation import Verb
from weir.api.routes.operator.keys import KEYS
from weir.api.routes.operator.plans import PLANS
from weir.api.routes.operator.projects import PROJECTS
from weir.api.routes.operator.tenants import TENANTS
from weir.api.routes.operator.token_keys import TOKEN_KEYS

VERBS: Final[tuple[Verb[Any, Any], ...]] = (*PLANS, *TENANTS, *PROJECTS, *KEYS, *TOKEN_KEYS)
