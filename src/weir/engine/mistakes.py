"""Mistakes in a query, in plain words instead of the engine's.

The engine tells a mistake as one text. The known kinds are told anew, with the name at fault in
the error's context, so that the caller can find its place: ``unknown`` for a name that is
nowhere, ``misused`` for one that is known and stands where it cannot.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from weir.errors import InvalidInput

NAME_CHARS_MAX: Final = 60

_TYPE_WORDS: Final = {
    "VARCHAR": "TEXT",
    "STRING_LITERAL": "TEXT",
    "INTEGER_LITERAL": "INTEGER",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}
_OF_TIMES: Final = (
    *("date", "time", "strftime", "year", "month", "week", "day", "hour", "minute", "second"),
    *("age", "epoch", "last_day", "century", "decade", "quarter", "iso", "julian"),
)
"""How the names of functions begin that take a time."""
_OWN_COLUMN: Final = re.compile(r"weir_\d+")
"""Accelerated columns are nothing that the query names."""
_TYPES = re.compile("|".join(_TYPE_WORDS))
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def mistake(words: str, tables: Sequence[str] = ()) -> InvalidInput:
    """Returns the error for what the engine said of a query over ``tables`` that cannot be run."""
    for pattern, tell in _KINDS:
        if found := pattern.match(words):
            return tell(_Said(found, " or ".join(tables)))
    told = words.partition("\nCandidate")[0].partition("\n\tCandidate")[0]
    return InvalidInput(told, code="invalid_query")


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Returns a hint with the most similar known name, in any case; None when none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1, cutoff=0.7)
    return f"Did you mean '{by_lower[near[0]]}'?" if near else None


class _Said(NamedTuple):
    """What the engine said, by the groups of its pattern, and the tables that a hint may name."""

    found: re.Match[str]
    tables: str

    def word(self, group: str) -> str:
        return self.found[group]


def _unknown_column(said: _Said) -> InvalidInput:
    name = said.word("name")
    hint = did_you_mean(name, _candidates(said)) or _columns_hint(said)
    return _unknown(f"There is no column '{_short(name)}'.", name, hint)


def _unknown_column_of(said: _Said) -> InvalidInput:
    name, table = said.word("name"), said.word("table")
    message = f"There is no column '{_short(name)}' in '{_short(table)}'."
    return _unknown(message, name, _columns_hint(said))


def _column_without_from(said: _Said) -> InvalidInput:
    name = said.word("name")
    hint = f"Add FROM {said.tables}." if said.tables else None
    return _unknown(f"There is no column '{_short(name)}' without FROM.", name, hint)


def _unknown_table(said: _Said) -> InvalidInput:
    name = said.word("name")
    hint = did_you_mean(name, _candidates(said))
    return _unknown(f"'{_short(name)}' is no table of this query.", name, hint)


def _wrong_arguments(said: _Said) -> InvalidInput:
    name = said.word("name")
    types = _TYPES.sub(lambda word: _TYPE_WORDS[word[0]], said.word("types"))
    wanted = "TIMESTAMPTZ" if name.lower().startswith(_OF_TIMES) else "DOUBLE"
    hint = f"Check their number, or convert them as in TRY_CAST(x AS {wanted})."
    return _misused(f"'{_short(name)}' cannot take ({types}).", name, hint)


def _ungrouped(said: _Said) -> InvalidInput:
    name = said.word("name")
    if _OWN_COLUMN.fullmatch(name):
        words = "A property is neither grouped nor aggregated."
        hint = "Put the whole expression into GROUP BY, or any_value() around the property."
        return InvalidInput(words, code="invalid_query", hint=hint)
    hint = f"Add it to GROUP BY, or write any_value({_short(name)})."
    return _misused(f"The column '{_short(name)}' is neither grouped nor aggregated.", name, hint)


def _ambiguous(said: _Said) -> InvalidInput:
    name = said.word("name")
    message = f"The column '{_short(name)}' is in more than one table."
    return _misused(message, name, f"Write which one: {said.word('use')}.")


_KINDS: Final[Sequence[tuple[re.Pattern[str], Callable[[_Said], InvalidInput]]]] = [
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


def _columns_hint(said: _Said) -> str | None:
    return f"DESCRIBE {said.tables} lists the columns." if said.tables else None


def _candidates(said: _Said) -> list[str]:
    return _QUOTED.findall(said.word("rest"))


def _short(name: str) -> str:
    return name[:NAME_CHARS_MAX]
