"""What is said of a query that found no slot, or whose worker ended without a word."""

from weir.errors import Internal, LimitExceeded, TimedOut, Unavailable


def timed_out() -> TimedOut:
    """Returns the error of a query that reached its deadline."""
    return TimedOut(
        "The query took longer than it may.",
        code="query_timeout",
        hint="Read a shorter time, or fewer rows or columns.",
    )


def broken() -> Internal:
    """Returns the error of a query whose worker ended by itself."""
    return Internal("The query failed inside the node.")


def too_many_queries() -> LimitExceeded:
    """Returns the error of a query that waited for queries of its own tenant."""
    return LimitExceeded(
        "Too many queries run at the same time.",
        code="too_many_queries",
        hint="Wait for an earlier query to end.",
        retry_after_s=1,
    )


def queries_busy() -> Unavailable:
    """Returns the error of a query that waited for queries of other tenants."""
    return Unavailable("The node is busy with other queries.", code="queries_busy", retry_after_s=1)
