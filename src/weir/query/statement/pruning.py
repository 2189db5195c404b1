"""Which times a query can need: bounds of ``ts`` and ``received_at``, one window for each mention
of a table. Pure: a tree that the gate has passed in, windows out.

A row outside its mention's window can change no answer: the WHERE of the very SELECT that names
the table requires it, by a conjunct that compares the plain column with a constant. Inner and
outer joins keep that true, because a row of nulls fails the same conjunct. Where anything else
could see the row first (samples, ASOF and positional joins, renamed columns, an alias of the same
name), the window is all time. What a constant is, is read more widely than the engine does, never
more narrowly: ``now()`` is an hour to both sides, a month 28 to 31 days.
"""

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from sqlglot import exp

from weir.domain.times import DAY_US, to_us
from weir.query.ranges import EVER, Range, Window
from weir.query.statement.scopes import name_of, sources_of, tables_of

NOW_SLACK_US: Final = 3_600_000_000

_TIMES: Final = frozenset({"ts", "received_at"})
_NOW_CALLS: Final = frozenset(
    {"now", "get_current_timestamp", "transaction_timestamp", "current_timestamp"}
)
_TODAY_CALLS: Final = frozenset({"today", "current_date"})
_TRUNCATIONS: Final = frozenset({"date_trunc", "datetrunc"})
_JOIN_KINDS: Final = frozenset({"", "INNER", "CROSS", "OUTER"})

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?\Z")
_ZONED: Final = re.compile(
    r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?\Z"
)
_FORMS: Final = {
    exp.DataType.Type.DATE: _DATE,
    exp.DataType.Type.TIMESTAMP: _TIME,
    exp.DataType.Type.TIMESTAMPNTZ: _TIME,
    exp.DataType.Type.TIMESTAMPTZ: _ZONED,
}
_COUNT: Final = re.compile(r"(-?\d{1,9})(?: *([A-Za-z]+))?\Z")
_UNITS_US: Final = {
    "microsecond": (1, 1),
    "millisecond": (1000, 1000),
    "second": (1_000_000, 1_000_000),
    "minute": (60_000_000, 60_000_000),
    "hour": (3_600_000_000, 3_600_000_000),
    "day": (DAY_US, DAY_US),
    "week": (7 * DAY_US, 7 * DAY_US),
    "month": (28 * DAY_US, 31 * DAY_US),
    "quarter": (90 * DAY_US, 92 * DAY_US),
    "year": (365 * DAY_US, 366 * DAY_US),
}
"""The least and the greatest length of each unit."""


def windows_of(
    tree: exp.Expr, names: Collection[str], *, now_us: int | None
) -> dict[str, tuple[Window, ...]]:
    """Returns for each table of ``names`` that a query reads a window for each of its mentions."""
    windows: dict[str, tuple[Window, ...]] = {}
    for table in tree.find_all(exp.Table):
        name = name_of(table, names)
        if name is not None:
            windows[name] = (*windows.get(name, ()), _window(table, names, now_us))
    return windows


def _window(table: exp.Table, names: Collection[str], now_us: int | None) -> Window:
    select = table.parent.parent if isinstance(table.parent, exp.From | exp.Join) else None
    if not isinstance(select, exp.Select) or not _is_plain(select, names):
        return Window()
    where = select.args.get("where")
    alias = table.alias_or_name.lower()
    asked = dict.fromkeys(_TIMES, EVER)
    for conjunct in () if where is None else _conjuncts(where.this):
        for column, bounds in _bounds(conjunct, now_us):
            if _is_of(column, alias, select):
                asked[column.name.lower()] = asked[column.name.lower()].within(bounds)
    return Window(**asked)


def _is_plain(select: exp.Select, names: Collection[str]) -> bool:
    """Whether the SELECT's WHERE sees every row of its tables, under the columns' own names."""
    if select.args.get("sample") or select.args.get("laterals"):
        return False
    if any(alias.alias.lower() in _TIMES for alias in select.find_all(exp.Alias)):
        return False
    joins = select.args.get("joins") or ()
    if any(join.args.get("method") or join.kind not in _JOIN_KINDS for join in joins):
        return False
    return not any(
        table.args.get("joins") or table.args.get("sample") or table.alias_column_names
        for table in tables_of(select, names).values()
    )


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    waiting = [condition]
    while waiting:
        node = waiting.pop().unnest()
        if isinstance(node, exp.And):
            waiting += (node.this, node.expression)
        else:
            yield node


def _is_of(column: exp.Column, alias: str, select: exp.Select) -> bool:
    """Whether the column is of the SELECT's table that goes by this name there."""
    if len(column.parts) == 1:
        return len(sources_of(select)) == 1
    return len(column.parts) == 2 and column.table.lower() == alias


def _bounds(condition: exp.Expr, now_us: int | None) -> Iterator[tuple[exp.Column, Range]]:
    """The columns of times that the condition compares with constants, and what it leaves."""
    if isinstance(condition, exp.Between):
        low = _moment(condition.args["low"], now_us)
        high = _moment(condition.args["high"], now_us)
        if _is_time(condition.this) and low and high and not condition.args.get("symmetric"):
            yield condition.this, Range(low.least_us, high.greatest_us)
        return
    if not isinstance(condition, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        return
    left, right = condition.this, condition.expression
    if _is_time(left) and (moment := _moment(right, now_us)):
        yield left, _side(moment, after=isinstance(condition, exp.GT | exp.GTE), at=condition)
    elif _is_time(right) and (moment := _moment(left, now_us)):
        yield right, _side(moment, after=isinstance(condition, exp.LT | exp.LTE), at=condition)


def _side(moment: Range, *, after: bool, at: exp.Expr) -> Range:
    if isinstance(at, exp.EQ):
        return moment
    if after:
        return Range(moment.least_us, EVER.greatest_us)
    return Range(EVER.least_us, moment.greatest_us)


def _is_time(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and node.name.lower() in _TIMES


def _moment(node: exp.Expr, now_us: int | None) -> Range | None:
    """The moments that a constant may mean; None where it is none that is understood."""
    now = None if now_us is None else Range(now_us - NOW_SLACK_US, now_us + NOW_SLACK_US)
    match node.unnest():
        case exp.Literal(is_string=True) as literal:
            return _parsed(str(literal.this), _ZONED)
        case exp.Cast(this=exp.Literal(is_string=True)) as cast if _is_typed(cast):
            return _parsed(str(cast.this.this), _FORMS[cast.to.this])
        case exp.CurrentTimestamp():
            return now
        case exp.CurrentDate():
            return _earlier(now, DAY_US)
        case exp.Add(this=moment, expression=exp.Interval() as interval):
            return _shifted(_moment(moment, now_us), _length(interval))
        case exp.Sub(this=moment, expression=exp.Interval() as interval):
            return _shifted(_moment(moment, now_us), _negated(_length(interval)))
        case exp.Anonymous(expressions=[]) as call if call.name.lower() in _NOW_CALLS:
            return now
        case exp.Anonymous(expressions=[]) as call if call.name.lower() in _TODAY_CALLS:
            return _earlier(now, DAY_US)
        case exp.Anonymous(expressions=[exp.Literal(is_string=True) as unit, moment]) as call:
            if call.name.lower() not in _TRUNCATIONS or unit.this not in _UNITS_US:
                return None
            return _earlier(_moment(moment, now_us), _UNITS_US[unit.this][1])
        case _:
            return None


def _is_typed(cast: exp.Cast) -> bool:
    return cast.to.this in _FORMS and not cast.args.get("format")


def _parsed(text: str, form: re.Pattern[str]) -> Range | None:
    if not form.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    at_us = to_us(moment)
    return Range(at_us, at_us)


def _length(interval: exp.Interval) -> Range | None:
    """The least and the greatest length of an interval of one unit."""
    count = interval.this.unnest()
    found = _COUNT.match(str(count.this)) if isinstance(count, exp.Literal) else None
    if found is None or bool(found[2]) is bool(interval.args.get("unit")):
        return None
    unit = found[2] or interval.args["unit"].name
    lengths = _UNITS_US.get(unit.lower().removesuffix("s"))
    if lengths is None:
        return None
    ends = sorted(int(found[1]) * length for length in lengths)
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
