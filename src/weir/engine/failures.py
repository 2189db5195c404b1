"""What is said of the engine's failures by those who do not import it."""

from weir.errors import Unprocessable


def out_of_memory() -> Unprocessable:
    """The same words whoever noticed it: the engine, the kernel or the worker's end."""
    return Unprocessable(
        "The query needs more memory than it may use.",
        code="query_memory_exceeded",
        hint="Read fewer rows or columns, or group by fewer values.",
    )
