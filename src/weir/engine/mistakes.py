"""Mistakes in a query, in plain words instead of the engine's.

The engine tells a mistake as one text. The known kinds are told anew, with the name at fault in
the error's context, so that the caller can find its place: ``unknown`` for a name that is
nowhere, ``misused`` for one that is known and stands where it cannot.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from weir.errors import InvalidInput

NAME_CHARS_MAX: Final = 60

_COLUMNS_HINT = "DESCRIBE events lists the columns."
_TYPE_WORDS: Final = {
    "VARCHAR": "TEXT",
    "STRING_LITERAL": "TEXT",
    "INTEGER_LITERAL": "INTEGER",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}
_TYPES = re.compile("|".join(_TYPE_WORDS))
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def mistake(words: str) -> InvalidInput:
    """The error for what the engine said of a query that cannot be run."""
    for pattern, tell in _KINDS:
        if found := pattern.match(words):
            return tell(found)
    told = words.partition("\nCandidate")[0].partition("\n\tCandidate")[0]
    return InvalidInput(told, code="invalid_query")


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint with the most similar of the known names, in any case; None when none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1, cutoff=0.7)
    return f"Did you mean '{by_lower[near[0]]}'?" if near else None


def _unknown_column(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    hint = did_you_mean(name, _candidates(found)) or _COLUMNS_HINT
    return _unknown(f"There is no column '{_short(name)}'.", name, hint)


def _unknown_column_of(found: re.Match[str]) -> InvalidInput:
    name, table = found["name"], found["table"]
    message = f"There is no column '{_short(name)}' in '{_short(table)}'."
    return _unknown(message, name, _COLUMNS_HINT)


def _column_without_from(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    return _unknown(f"There is no column '{_short(name)}' without FROM.", name, "Add FROM events.")


def _unknown_table(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    hint = did_you_mean(name, _candidates(found))
    return _unknown(f"'{_short(name)}' is no table of this query.", name, hint)


def _wrong_arguments(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    types = _TYPES.sub(lambda word: _TYPE_WORDS[word[0]], found["types"])
    hint = "Check their number, or convert them as in TRY_CAST(x AS DOUBLE)."
    return _misused(f"'{_short(name)}' cannot take ({types}).", name, hint)


def _ungrouped(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    hint = f"Add it to GROUP BY, or write any_value({_short(name)})."
    return _misused(f"The column '{_short(name)}' is neither grouped nor aggregated.", name, hint)


def _ambiguous(found: re.Match[str]) -> InvalidInput:
    name = found["name"]
    message = f"The column '{_short(name)}' is in more than one table."
    return _misused(message, name, f"Write which one: {found['use']}.")


_KINDS: Final[Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], InvalidInput]]]] = [
    (re.compile(pattern, re.DOTALL), tell)
    for pattern, tell in [
        (r'Referenced column "(?P<name>.+?)" not found(?P<rest>.*)', _unknown_column),
        (r'Column "(?P<name>.+?)" in EXCLUDE list not found(?P<rest>.*)', _unknown_column),
        (r'Column "(?P<name>.+?)" does not exist on (?P<rest>.*)', _unknown_column),
        (r'Referenced column "(?P<name>.+?)" was not found because', _column_without_from),
        (
            r'(?:Values list|Table) "(?P<table>.+?)" does not have a column named "(?P<name>.+?)"',
            _unknown_column_of,
        ),
        (r'Referenced table "(?P<name>.+?)" not found(?P<rest>.*)', _unknown_table),
        (
            (
                r"No function matches the given name and argument types '(?P<name>[^(]+)"
                r"\((?P<types>.*?)\)'\."
            ),
            _wrong_arguments,
        ),
        (
            (
                r'Could not choose a best candidate function for the function call "(?P<name>[^(]+)'
                r'\((?P<types>.*?)\)"\.'
            ),
            _wrong_arguments,
        ),
        (r'column "(?P<name>.+?)" must appear in the GROUP BY', _ungrouped),
        (
            r'Ambiguous reference to column name "(?P<name>.+?)" \(use: (?P<use>[^)]*)\)',
            _ambiguous,
        ),
    ]
]


def _unknown(message: str, name: str, hint: str | None) -> InvalidInput:
    return InvalidInput(message, code="invalid_query", hint=hint, unknown=name)


def _misused(message: str, name: str, hint: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_query", hint=hint, misused=name)


def _candidates(found: re.Match[str]) -> list[str]:
    return _QUOTED.findall(found["rest"])


def _short(name: str) -> str:
    return name[:NAME_CHARS_MAX]
