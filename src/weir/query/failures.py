"""What is said of a query that found no slot, no end, or no form for its result."""

from weir.errors import Internal, InvalidInput, LimitExceeded, TimedOut, Unavailable


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


def unknown_type(spelled: str) -> InvalidInput:
    """Returns the error of a result that has a type which no format holds."""
    return InvalidInput(
        f"A column of this result has the type {spelled[:60]}, which no format holds.",
        code="invalid_query",
        hint="Cast it, as in x::TEXT.",
    )


def does_not_fit(what: str) -> InvalidInput:
    """Returns the error of a value that the result's format cannot hold without changing it."""
    return InvalidInput(
        f"{what} fits no type of this format.",
        code="invalid_query",
        hint="Cast it, as in x::TEXT, or ask for another format.",
    )
