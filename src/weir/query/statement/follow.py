"""The statement of ``weir tail``: it goes over HTTP, where no values are bound."""

from collections.abc import Sequence
from typing import Final

from weir.domain.sql import text_literal

_VISIBLE: Final = (
    "SELECT epoch_us(received_at), seq, event_id, event, user_id, anonymous_id, properties"
    " FROM events WHERE received_at >= make_timestamptz({from_us:d}){chosen}"
    " ORDER BY received_at, seq, event_id"
)


def follow_statement(*, from_us: int, events: Sequence[str] = ()) -> str:
    """Returns a SELECT of the events received from a moment on, in the order they were received.

    ``events`` are the names that are wanted; without any, all are.
    """
    names = ", ".join(text_literal(name) for name in events)
    chosen = f" AND event IN ({names})" if names else ""
    return _VISIBLE.format(from_us=from_us, chosen=chosen)
