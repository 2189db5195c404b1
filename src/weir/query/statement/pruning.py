"""Which times a query can need: bounds of ``ts`` and ``received_at``, one window for each mention
of a table. Pure: a tree that the gate has passed in, windows out.

A row outside its mention's window can change no answer: the WHERE of the very SELECT that names
the table requires it, by a conjunct that compares the plain column with a constant. Inner and
outer joins keep that true, because a row of nulls fails the same conjunct. Where anything else
could see the row first (samples, ASOF and positional joins, renamed columns, an alias of the same
name), the window is all time. What a constant is, is read more widely than the engine does, never
more narrowly: ``now()`` is an hour to both sides, a month 28 to 31 days, a quarter 89 to 92.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from weir.domain.times import DAY_US, to_us
from weir.query.ranges import EVER, Range, Window
from weir.query.statement.nodes import (
    Node,
    arguments_of,
    function_name,
    is_expression,
    nodes,
    number_of,
    operator_of,
    string_of,
)
from weir.query.statement.scopes import (
    Mention,
    Scopes,
    joins_of,
    sources_of,
)

NOW_SLACK_US: Final = 3_600_000_000

_TIMES: Final = frozenset({"ts", "received_at"})
_NOW_CALLS: Final = frozenset(
    {"now", "get_current_timestamp", "transaction_timestamp", "current_timestamp"}
)
_TODAY_CALLS: Final = frozenset({"today", "current_date"})
_TRUNCATIONS: Final = frozenset({"date_trunc", "datetrunc"})
_JOINS: Final = frozenset({"INNER", "LEFT", "RIGHT", "OUTER"})
_AFTER: Final = frozenset({"COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO"})
_BEFORE: Final = frozenset({"COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO"})

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?\Z", re.ASCII)
_ZONED: Final = re.compile(
    r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?\Z", re.ASCII
)
_FORMS: Final = {
    "date": _DATE,
    "timestamp": _TIME,
    "datetime": _TIME,
    "timestamp without time zone": _TIME,
    "timestamptz": _ZONED,
    "timestamp with time zone": _ZONED,
}
_COUNT: Final = re.compile(r"(-?\d{1,6}) +([a-z]+)\Z", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d{1,6}\Z", re.ASCII)
_CASTS: Final = frozenset({"DOUBLE", "INTEGER", "BIGINT"})
_UNITS_US: Final = {
    "microsecond": (1, 1),
    "millisecond": (1000, 1000),
    "second": (1_000_000, 1_000_000),
    "minute": (60_000_000, 60_000_000),
    "hour": (3_600_000_000, 3_600_000_000),
    "day": (DAY_US, DAY_US),
    "week": (7 * DAY_US, 7 * DAY_US),
    "month": (28 * DAY_US, 31 * DAY_US),
    "quarter": (89 * DAY_US, 92 * DAY_US),
    "year": (365 * DAY_US, 366 * DAY_US),
}
"""The least and the greatest length of each unit."""


def windows_of(scopes: Scopes, *, now_us: int | None) -> dict[str, tuple[Window, ...]]:
    """Returns for each table that a query reads a window for each of its mentions."""
    windows: dict[str, tuple[Window, ...]] = {}
    if scopes.made_names & (_NOW_CALLS | _TODAY_CALLS):
        now_us = None  # a column may be called so, and comes before the time
    for mention in scopes.mentions:
        if scopes.is_table(mention):
            window = _window(mention, now_us)
            windows[mention.name] = (*windows.get(mention.name, ()), window)
    return windows


def _window(mention: Mention, now_us: int | None) -> Window:
    select = mention.select
    if select["type"] != "SELECT_NODE" or not _is_plain(select):
        return Window()
    if not any(mention.table is source for source in sources_of(select)):
        return Window()
    asked = dict.fromkeys(_TIMES, EVER)
    for conjunct in _conjuncts(select.get("where_clause")):
        for names, bounds in _bounds(conjunct, now_us):
            if _is_of(names, mention.alias, select):
                asked[names[-1].lower()] = asked[names[-1].lower()].within(bounds)
    return Window(**asked)


def _is_plain(select: Node) -> bool:
    """Whether the SELECT's WHERE sees every row of its tables, under the columns' own names."""
    if select.get("sample"):
        return False
    if any(str(each.get("alias", "")).lower() in _TIMES for each in nodes(select)):
        return False
    for join in joins_of(select):
        if join.get("ref_type") not in ("REGULAR", "CROSS") or join["join_type"] not in _JOINS:
            return False
    return not any(
        source.get("sample") or source.get("column_name_alias") for source in sources_of(select)
    )


def _conjuncts(condition: Node | None) -> Iterator[Node]:
    waiting = [] if condition is None else [condition]
    while waiting:
        node = waiting.pop()
        if node.get("type") == "CONJUNCTION_AND":
            waiting += node["children"]
        else:
            yield node


def _is_of(names: list[str], alias: str, select: Node) -> bool:
    """Whether the column is of the SELECT's table that goes by this name there."""
    if len(names) == 1:
        return len(sources_of(select)) == 1
    return len(names) == 2 and names[0].lower() == alias


def _bounds(condition: Node, now_us: int | None) -> Iterator[tuple[list[str], Range]]:
    """The columns of times that the condition compares with constants, and what it leaves."""
    if is_expression(condition, "BETWEEN") and condition["type"] == "COMPARE_BETWEEN":
        low = _moment(condition["lower"], now_us)
        high = _moment(condition["upper"], now_us)
        if (names := _time(condition["input"])) and low and high:
            yield names, Range(low.least_us, high.greatest_us)
        return
    if not is_expression(condition, "COMPARISON"):
        return
    kind = condition["type"]
    if kind != "COMPARE_EQUAL" and kind not in _AFTER and kind not in _BEFORE:
        return
    left, right = condition["left"], condition["right"]
    if (names := _time(left)) and (moment := _moment(right, now_us)):
        yield names, _side(moment, kind, after=kind in _AFTER)
    elif (names := _time(right)) and (moment := _moment(left, now_us)):
        yield names, _side(moment, kind, after=kind in _BEFORE)


def _side(moment: Range, kind: str, *, after: bool) -> Range:
    if kind == "COMPARE_EQUAL":
        return moment
    if after:
        return Range(moment.least_us, EVER.greatest_us)
    return Range(EVER.least_us, moment.greatest_us)


def _time(node: Node) -> list[str]:
    """The names of a column of times; none for anything else."""
    if not is_expression(node, "COLUMN_REF"):
        return []
    names: list[str] = node["column_names"]
    return names if names[-1].lower() in _TIMES else []


def _moment(node: Node, now_us: int | None) -> Range | None:
    """The moments that a constant may mean; None where it is none that is understood."""
    text = string_of(node)
    if text is not None:
        return _parsed(text, _ZONED)
    if is_expression(node, "CAST"):
        form = _FORMS.get(str(node["type_expr"]["type_name"]).lower())
        text = string_of(node["child"])
        return None if form is None or text is None else _parsed(text, form)
    if is_expression(node, "COLUMN_REF"):
        names = node["column_names"]
        return _now(names[0].lower(), now_us) if len(names) == 1 and now_us is not None else None
    sign, arguments = operator_of(node), arguments_of(node)
    if sign in ("+", "-") and len(arguments) == 2:
        length = _length(arguments[1])
        return _shifted(_moment(arguments[0], now_us), _negated(length) if sign == "-" else length)
    name = function_name(node)
    if name is not None and not arguments:
        return _now(name, now_us)
    if name in _TRUNCATIONS and len(arguments) == 2:
        unit = _UNITS_US.get(string_of(arguments[0]) or "")
        return None if unit is None else _earlier(_moment(arguments[1], now_us), unit[1])
    return None


def _now(name: str, now_us: int | None) -> Range | None:
    now = None if now_us is None else Range(now_us - NOW_SLACK_US, now_us + NOW_SLACK_US)
    if name in _NOW_CALLS:
        return now
    return _earlier(now, DAY_US) if name in _TODAY_CALLS else None


def _parsed(text: str, form: re.Pattern[str]) -> Range | None:
    if not form.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    at_us = to_us(moment)
    return Range(at_us, at_us)


def _length(node: Node) -> Range | None:
    """The least and the greatest length of an interval of one unit.

    ``INTERVAL 3 DAY`` is a call of ``to_days`` in the tree, ``INTERVAL '3 days'`` a cast.
    """
    if is_expression(node, "CAST") and str(node["type_expr"]["type_name"]).lower() == "interval":
        found = _COUNT.match(string_of(node["child"]) or "")
        return None if found is None else _spanned(found[1], found[2])
    name, arguments = function_name(node), arguments_of(node)
    if name is None or not name.startswith("to_") or len(arguments) != 1:
        return None
    count = arguments[0]
    while _is_cast_to_number(count) or function_name(count) == "trunc":
        count = count["child"] if is_expression(count, "CAST") else arguments_of(count)[0]
    digits = string_of(count) or number_of(count) or ""
    return _spanned(digits, name.removeprefix("to_")) if _WHOLE.match(digits) else None


def _is_cast_to_number(node: Node) -> bool:
    """Whether it is a cast that the engine writes around the number of ``INTERVAL 3 DAY``."""
    return is_expression(node, "CAST") and node["type_expr"]["type_name"] in _CASTS


def _spanned(count: str, unit: str) -> Range | None:
    lengths = _UNITS_US.get(unit.removesuffix("s"))
    if lengths is None:
        return None
    ends = sorted(int(count) * length for length in lengths)
    return Range(ends[0], ends[1])


def _negated(length: Range | None) -> Range | None:
    return None if length is None else Range(-length.greatest_us, -length.least_us)


def _shifted(moment: Range | None, length: Range | None) -> Range | None:
    if moment is None or length is None:
        return None
    return Range(moment.least_us + length.least_us, moment.greatest_us + length.greatest_us)


def _earlier(moment: Range | None, by_us: int) -> Range | None:
    """What a moment may become when it is cut to a whole unit."""
    return None if moment is None else Range(moment.least_us - by_us, moment.greatest_us)
