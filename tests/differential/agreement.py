"""One statement, run twice on one engine: as it was written, and as the gate leaves it.

Both runs see the same tables on the same connection, so that whatever differs is the gate's doing.
Rows, types and the names that the writer gave are compared. The two texts share no code here: the
one that was written goes to the engine as it is.
"""

import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, NamedTuple

import duckdb

from tests.differential.gating import Gate, Passed
from weir.errors import WeirError

ROWS_MAX: Final = 20_000
DEADLINE_S: Final = 10.0
DETAIL_CHARS_MAX: Final = 400

SETTINGS: Final = (
    "SET TimeZone = 'UTC'",
    "SET max_expression_depth = 400",
    "SET python_enable_replacements = false",
)
"""What a query's session has too, where it decides what a statement means."""

_ENGINE_NAMES: Final = (
    "SELECT lower(function_name) FROM duckdb_functions() WHERE internal"
    " UNION SELECT lower(view_name) FROM duckdb_views() WHERE internal"
)
_GIVEN_NAME: Final = re.compile(r"[^\W\d]\w*\Z")
_ORDERS: Final = re.compile(r"\border\s+by\b", re.IGNORECASE)
_VALUES: Final = frozenset({"true", "false"})
_NAMES_IN_WORDS: Final = re.compile(r"'[^']*'|\b\d+\b")


class Verdict(StrEnum):
    """What came of a comparison."""

    AGREES = "agrees"
    REFUSED = "refused"
    """By the gate, with words."""
    FAILS = "fails either way"
    """The engine has an error for what was written, and so it has, or the gate, for the other."""
    UNSTEADY = "unsteady"
    """As written it is not the same twice: chance, time, or an order that nobody asked for."""
    SLOW = "slow"
    """It needs more time or rows than a comparison has."""
    DIFFERS = "differs"
    CRASHES = "crashes"
    """The process ended while it ran."""


class Comparison(NamedTuple):
    """A verdict, and for a refusal or a difference its reason in words."""

    verdict: Verdict
    reason: str = ""


class _Result(NamedTuple):
    names: list[str]
    kinds: list[str]
    rows: list[str]
    """Each as text, so that NaN equals itself and 1 is not 1.0."""
    described: list[str]
    """The first column of DESCRIBE and SUMMARIZE, which is not in ``rows``: names."""


class _Failure(NamedTuple):
    words: str


def names_of_engine() -> frozenset[str]:
    """Returns the functions and tables that the engine brings, in lower case."""
    connection = duckdb.connect(":memory:", config={"threads": "1"})
    names = connection.execute(_ENGINE_NAMES).fetchall()
    connection.close()
    return frozenset(name for (name,) in names)


class SideBySide:
    """A connection of the bare engine, where statements are run as written and as the gate has it.

    Whoever made the connection may make tables on it between two comparisons.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, engine_names: Collection[str]
    ) -> None:
        self.connection = connection
        for setting in SETTINGS:
            connection.execute(setting)
        self._gate = Gate(connection, engine_names)

    def compare(self, sql: str) -> Comparison:
        """Returns whether the gate leaves the statement what it means to the engine."""
        written = _run(self.connection, sql)
        if written is None:
            return Comparison(Verdict.SLOW)
        try:
            passed = self.passed(sql)
        except WeirError as error:
            if isinstance(written, _Failure):
                return Comparison(Verdict.FAILS)
            return Comparison(Verdict.REFUSED, f"{error.code}: {error.message}")
        except Exception as error:  # a mistake of the gate's is what is looked for
            return Comparison(Verdict.DIFFERS, f"the gate fails: {error!r}")
        rewritten = _run(self.connection, passed.sql)
        if rewritten is None:
            return Comparison(Verdict.SLOW)
        if isinstance(rewritten, _Result) and passed.names is not None:
            rewritten = _called(rewritten, passed.names)
        difference = _difference(written, rewritten)
        if not difference:
            is_failure = isinstance(written, _Failure)
            return Comparison(Verdict.FAILS if is_failure else Verdict.AGREES)
        if difference.startswith("order:") and not _ORDERS.search(sql):
            return Comparison(Verdict.UNSTEADY, difference)
        again = _run(self.connection, sql)
        if again is None or _difference(written, again):
            return Comparison(Verdict.UNSTEADY, difference)
        return Comparison(Verdict.DIFFERS, f"{difference} | {passed.sql[:DETAIL_CHARS_MAX]}")

    def passed(self, sql: str) -> Passed:
        """Returns what the gate would have the engine run; raises what ``pass_query`` raises."""
        return self._gate.passed(sql, rows_max=ROWS_MAX)


def kind_of_refusal(reason: str) -> str:
    """Returns a refusal's words without the names and numbers in it, for counting."""
    return _NAMES_IN_WORDS.sub("…", reason.partition(" | ")[0])


def counted(comparisons: Sequence[Comparison]) -> list[tuple[int, str]]:
    """Returns how often each verdict and kind of refusal came, the most frequent first."""
    kinds = Counter(
        f"{each.verdict}: {kind_of_refusal(each.reason)}"
        if each.verdict is Verdict.REFUSED
        else each.verdict.value
        for each in comparisons
    )
    return [(count, kind) for kind, count in kinds.most_common()]


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> _Result | _Failure | None:
    """The result; None where it does not end within what a comparison has."""
    with _deadline(connection) as is_over:
        try:
            found = connection.execute(sql)
            described = found.description or []
            rows = _fetched(connection, found, sql)
        except (duckdb.Error, OverflowError, ValueError, RuntimeError) as error:
            return None if is_over.is_set() else _Failure(_said(error))
    if len(rows) > ROWS_MAX:
        return None
    names = [str(column[0]) for column in described]
    kinds = [str(column[1]) for column in described]
    if names[:1] != ["column_name"]:
        return _Result(names, kinds, [repr(row) for row in rows], [])
    told = [str(row[0]) for row in rows]
    return _Result(names, kinds, [repr(row[1:]) for row in rows], told)


def _fetched(
    connection: duckdb.DuckDBPyConnection, found: duckdb.DuckDBPyConnection, sql: str
) -> list[tuple[object, ...]]:
    """The rows. Times with a zone need a library in the engine's own way, and Arrow instead."""
    try:
        return found.fetchmany(ROWS_MAX + 1)
    except duckdb.InvalidInputException as error:
        if "pytz" not in str(error):
            raise
        connection.abort()
    table = connection.sql(sql).to_arrow_table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@contextmanager
def _deadline(connection: duckdb.DuckDBPyConnection) -> Iterator[threading.Event]:
    """Interrupts what runs too long, and says that it did."""
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        connection.interrupt()

    timer = threading.Timer(DEADLINE_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()
        timer.join()


def _difference(first: _Result | _Failure, second: _Result | _Failure) -> str:
    """What differs, in words; nothing where the second is the first."""
    if isinstance(first, _Failure) and isinstance(second, _Failure):
        return ""
    if isinstance(first, _Failure):
        assert isinstance(second, _Result)
        return f"rows instead of the error {first.words!r}: {_few(second.rows)}"
    if isinstance(second, _Failure):
        return f"an error instead of rows: {second.words!r}"
    if first.kinds != second.kinds:
        return f"types {first.kinds} became {second.kinds}"[:DETAIL_CHARS_MAX]
    wrong = _renamed(first.names, second.names) or _renamed(first.described, second.described)
    if wrong:
        return f"names: {wrong}"[:DETAIL_CHARS_MAX]
    if first.rows == second.rows:
        return ""
    if sorted(first.rows) == sorted(second.rows):
        return f"order: {_few(first.rows)} became {_few(second.rows)}"
    return f"rows: {_few(first.rows)} became {_few(second.rows)}"


def _called(result: _Result, given: Sequence[str | None]) -> _Result:
    """The result under the names that it is given; None where the engine's are right."""
    if len(given) != len(result.names):
        return result._replace(names=[f"{len(given)} names for {len(result.names)} columns"])
    names = [each or name for each, name in zip(given, result.names, strict=True)]
    return result._replace(names=names)


def _renamed(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """Names that look as if somebody had given them, and came out otherwise."""
    if len(before) != len(after):
        return [(", ".join(before), ", ".join(after))]
    pairs = zip(before, after, strict=True)
    return [(a, b) for a, b in pairs if _GIVEN_NAME.match(a) and a not in _VALUES and a != b]


def _few(rows: Sequence[str]) -> str:
    return ", ".join(rows[:3])[: DETAIL_CHARS_MAX // 3]


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][: DETAIL_CHARS_MAX // 3]
