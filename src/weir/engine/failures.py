"""What is said of the engine's failures by those who do not import it."""

from weir.errors import Unprocessable


def out_of_memory() -> Unprocessable:
    """Returns the error of a query that needs too much memory, whoever noticed it."""
    return Unprocessable(
        "The query needs more memory than it may use.",
        code="query_memory_exceeded",
        hint="Read fewer rows or columns, or group by fewer values.",
    )
