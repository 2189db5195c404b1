"""The statement of ``weir tail``, built as a tree: it goes over HTTP, where no values are bound."""

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from weir.query.statement.parsing import bind, parse, write

_VISIBLE: Final = (
    "SELECT epoch_us(received_at), seq, event_id, event, user_id, anonymous_id, properties"
    " FROM events WHERE received_at >= make_timestamptz($from_us)"
    " ORDER BY received_at, seq, event_id"
)


def follow_statement(*, from_us: int, events: Sequence[str] = ()) -> str:
    """Returns a SELECT of the events received from a moment on, in the order they were received.

    ``events`` are the names that are wanted; without any, all are.
    """
    (tree,) = parse(_VISIBLE)
    bind(tree, {"from_us": from_us})
    if events:
        assert isinstance(tree, exp.Select), "the statement above"
        tree.where(exp.column("event").isin(*events), copy=False)
    return write(tree)
