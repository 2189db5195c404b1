"""Names and texts as SQL, where a statement of Weir's own binds no values."""

from collections.abc import Sequence


def quoted(name: str) -> str:
    """Returns a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Returns a text as a literal."""
    return "'" + text.replace("'", "''") + "'"


def list_of(texts: Sequence[str]) -> str:
    """Returns a list of texts as a literal."""
    return "[" + ", ".join(text_literal(each) for each in texts) + "]"
