"""What every verb of control asks of its input: slugs and limits."""

import re
from collections.abc import Mapping

from weir.control.records import LIMITS
from weir.errors import InvalidInput

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_slug(slug: str) -> None:
    """Raises ``InvalidInput`` unless it is 1 to 63 of a-z, 0-9 and inner hyphens."""
    if _SLUG.fullmatch(slug):
        return
    raise InvalidInput(
        f"{slug[:80]!r} is not a slug.",
        code="invalid_slug",
        hint="Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end.",
    )


def check_limits(fields: Mapping[str, object]) -> None:
    """``check_limit`` of those among a request's fields that limit a plan or a tenant."""
    for field in LIMITS:
        limit = fields.get(field)
        if isinstance(limit, int):
            check_limit(limit, field=field)


def check_limit(limit: int | None, *, field: str) -> None:
    """Raises ``InvalidInput`` for a limit that is neither ``None`` nor 1 or more."""
    if limit is None or 1 <= limit < 2**63:
        return
    raise InvalidInput(
        f"{field} is {limit}, which is no limit.",
        hint="Give 1 or more, or leave it out for no limit.",
        details=[{"field": field, "message": "must be 1 or more"}],
    )
