"""What number a property's text is, as SQL: one definition, for queries, views and proofs.

A JSON number is itself; so is a text that spells one. Everything else is null: ``NaN`` and the
infinities, which are words, a number too large for a DOUBLE, and digits with ``_`` between them.
``text`` is SQL that gives the text. It stands in each expression once, or under a lambda: in a
filter the engine computes equal parts of an expression as often as they stand there.
"""

from typing import Final

EXACT_DOUBLE: Final = 2**53
"""From here on a DOUBLE may stand for several integers."""


def number(text: str) -> str:
    """Returns the DOUBLE that the text spells, or null."""
    read = f"TRY_CAST(replace({text}, '_', 'x') AS DOUBLE)"
    return f"list_filter([{read}], lambda d: isfinite(d))[1]"


def whole_number(text: str) -> str:
    """Returns the BIGINT that the text spells, or null; fractions are rounded."""
    return f"TRY_CAST({number(text)} AS BIGINT)"


def exact(text: str, mark: str) -> str:
    """Returns what compares as the number does, integers of 38 digits among them, or null.

    It is a DOUBLE and, where that may stand for several integers, the integer: to be compared with
    ``exact_number``. ``mark`` is a number that both sides of one comparison have, and no other
    comparison of the statement: the engine makes BETWEEN of two comparisons of one value, and has
    no BETWEEN for such a pair.
    """
    read = number("v")
    integer = f"CASE WHEN abs({read}) >= {EXACT_DOUBLE} THEN TRY_CAST(v AS HUGEINT) END"
    fields = f"n := {read}, i := {integer}, m := {mark}"
    pair = f"CASE WHEN {read} IS NOT NULL THEN struct_pack({fields}) END"
    return f"list_transform([{text}], lambda v: {pair})[1]"


def exact_number(value: str, mark: str) -> str:
    """Returns of a number what can be compared with ``exact`` of a text."""
    read = f"CAST({value} AS DOUBLE)"
    integer = f"CASE WHEN abs({read}) >= {EXACT_DOUBLE} THEN TRY_CAST({value} AS HUGEINT) END"
    fields = f"n := {read}, i := {integer}, m := {mark}"
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({fields}) END"


def sort_key(text: str) -> str:
    """Returns what orders values: numbers by number, texts behind all numbers by letters.

    Integers of up to 38 digits are told apart; null stays null.
    """
    return _key(text, "")


def compared_key(text: str, mark: str) -> str:
    """Returns ``sort_key`` for one comparison; ``mark`` is that of ``exact``."""
    return _key(text, f", m := {mark}")


def valued_key(text: str) -> str:
    """Returns ``sort_key`` with a field more, ``v``: the text itself."""
    return _key(text, f", v := {text}")


def _key(text: str, more: str) -> str:
    read = number(text)
    integer = f"CASE WHEN abs({read}) >= {EXACT_DOUBLE} THEN TRY_CAST({text} AS HUGEINT) END"
    letters = f"CASE WHEN {read} IS NULL THEN {text} END"
    fields = f"n := {read}, i := {integer}, t := {letters}{more}"
    return f"CASE WHEN {text} IS NOT NULL THEN struct_pack({fields}) END"
