"""Random queries from seeds, the same in two languages, and the smaller ones that each contains."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from random import Random
from typing import Final, NamedTuple

from tests.differential.expressions import (
    BIG,
    MIXED,
    NUMBERS,
    SCORE,
    SERIAL,
    TEXTS,
    UID,
    Expressions,
    Pair,
    as_text,
    by_order,
    fill,
    same,
)
from tests.differential.times import bound

NOTHING: Final = same("")


class Select(NamedTuple):
    """The parts of one SELECT; each can be left out to make it smaller."""

    columns: tuple[Pair, ...]
    source: Pair
    keys: tuple[Pair, ...] = ()
    """Columns before the others that are grouped by."""
    grouping: str = "{}"
    """What GROUP BY says around the keys."""
    with_: Pair = NOTHING
    distinct: Pair = NOTHING
    joins: tuple[Pair, ...] = ()
    where: tuple[Pair, ...] = ()
    having: tuple[Pair, ...] = ()
    qualify: tuple[Pair, ...] = ()
    order: tuple[Pair, ...] = ()
    limit: str = ""
    named: bool = False
    """Whether the columns are called c0, c1, …"""
    inner: "Select | None" = None
    """The SELECT that the source holds."""

    def written(self) -> Pair:
        """Returns the statement."""
        return Pair(_written(self, attrgetter("weir")), _written(self, attrgetter("plain")))

    @property
    def ordered(self) -> bool:
        """Whether the order of the rows is asked for, as a whole."""
        return bool(self.order)

    def smaller(self) -> Iterator["Select"]:
        """Yields it with one part less each, or with a part in place of what it is part of."""
        if self.inner is not None:
            yield self.inner
        is_first_of = self.distinct.weir.startswith("DISTINCT ON")
        if self.order and not is_first_of:
            yield self._replace(order=(), limit="")
        for part in ("having", "qualify", "where", "joins", "columns", "keys"):
            items: tuple[Pair, ...] = getattr(self, part)
            for fewer in _fewer(items):
                yield self._replace(**{part: fewer})  # type: ignore[arg-type]  # all are pairs
        if self.order and not (is_first_of or self.keys):
            # The last term makes the order whole.
            for fewer in _fewer(self.order[:-1]):
                yield self._replace(order=(*fewer, self.order[-1]))
        if self.distinct.weir:
            yield self._replace(distinct=NOTHING)
        if self.limit:
            yield self._replace(limit="")
        if self.grouping != "{}":
            yield self._replace(grouping="{}")


class SetOperation(NamedTuple):
    """Two SELECTs of like columns, and what joins them."""

    left: Select
    operator: str
    right: Select
    order: str = ""

    def written(self) -> Pair:
        """Returns the statement."""
        left, right = self.left.written(), self.right.written()
        return fill(f"({{}}) {self.operator} ({{}}){self.order}", left, right)

    @property
    def ordered(self) -> bool:
        """Whether the order of the rows is asked for, as a whole."""
        return bool(self.order)

    def smaller(self) -> Iterator["Query"]:
        """Yields each side, and it with a smaller side."""
        yield self.left
        yield self.right
        for left in self.left.smaller():
            if len(left.columns) == len(self.left.columns):
                yield self._replace(left=left)
        for right in self.right.smaller():
            if len(right.columns) == len(self.right.columns):
                yield self._replace(right=right)


Query = Select | SetOperation


def _fewer(items: tuple[Pair, ...]) -> Iterator[tuple[Pair, ...]]:
    for place, item in enumerate(items):
        yield items[:place] + items[place + 1 :]
        for part in item.parts:
            if part.stands_alone:
                yield (*items[:place], part, *items[place + 1 :])


def draw_query(seed: int) -> Query:
    """Returns the query of a seed, always the same."""
    chance = Random(f"query:{seed}")
    shapes = (_plain, _plain, _grouped, _grouped, _windowed, _joined, _united, _nested, _distinct)
    return chance.choice(shapes)(chance)


def _written(select: Select, say: Callable[[Pair], str]) -> str:
    keys = [say(key) for key in select.keys]
    columns = [*keys, *(say(column) for column in select.columns)]
    if select.named:
        columns = [f"{column} AS c{place}" for place, column in enumerate(columns)]
    parts = [
        f"{say(select.with_)}SELECT {say(select.distinct)}{', '.join(columns) or '1'}",
        f"FROM {say(select.source)}",
        *(say(join) for join in select.joins),
    ]
    if select.where:
        parts.append("WHERE " + " AND ".join(say(each) for each in select.where))
    if keys:
        parts.append("GROUP BY " + select.grouping.format(", ".join(keys)))
    for word, conditions in (("HAVING", select.having), ("QUALIFY", select.qualify)):
        if conditions:
            parts.append(f"{word} " + " AND ".join(say(each) for each in conditions))
    if select.order:
        parts.append("ORDER BY " + ", ".join(say(each) for each in select.order))
    return " ".join(parts) + select.limit


def _source(chance: Random) -> tuple[Pair, Pair, str]:
    """A clause WITH or none, what stands behind FROM, and its alias."""
    drawn = chance.random()
    if drawn < 0.55:
        return NOTHING, same("events"), ""
    if drawn < 0.65:
        return NOTHING, same("events"), "events"
    if drawn < 0.8:
        return NOTHING, same(chance.choice(("events e", "events AS e"))), "e"
    inside = Expressions(chance)
    condition = chance.choice((lambda: same(bound(chance)), lambda: inside.truth(1)))()
    chosen = fill("SELECT * FROM events WHERE {}", condition)
    if drawn < 0.9:
        return NOTHING, fill("({}) e", chosen), "e"
    materialized = chance.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
    return fill("WITH t AS " + materialized + "({}) ", chosen), same("t"), chance.choice(("", "t"))


def _where(chance: Random, drawn: Expressions, *, least: int = 0) -> tuple[Pair, ...]:
    conditions = []
    for _ in range(max(least, chance.choice((0, 0, 1, 1, 2)))):
        if chance.random() < 0.4:
            conditions.append(same("(" + bound(chance, drawn.prefix) + ")"))
        elif chance.random() < 0.1:
            conditions.append(_subquery(chance, drawn))
        elif chance.random() < 0.05:
            conditions.append(drawn.flag())
        else:
            conditions.append(drawn.truth())
    return tuple(conditions)


def _subquery(chance: Random, drawn: Expressions) -> Pair:
    """A condition with a query in it, correlated or not."""
    inner = Expressions(chance, "i")
    outer = drawn.prefix or "events."
    condition = inner.truth(0)
    templates: tuple[str, ...] = (
        f"{drawn.prefix}user_id IN (SELECT i.user_id FROM events i WHERE {{}})",
        (
            f"{drawn.prefix}session_id NOT IN (SELECT i.session_id FROM events i"
            " WHERE i.session_id IS NOT NULL AND {})"
        ),
        f"EXISTS (SELECT 1 FROM events i WHERE i.session_id = {outer}session_id AND {{}})",
        f"{drawn.prefix}user_id = ANY (SELECT i.user_id FROM events i WHERE {{}})",
        f"{drawn.prefix}ts > (SELECT min(i.ts) FROM events i WHERE {{}})",
    )
    if drawn.prefix not in ("", "e."):
        templates = templates[:2]
    return fill(chance.choice(templates), condition)


def _any_column(chance: Random, drawn: Expressions) -> Pair:
    return chance.choice((drawn.text, drawn.text, drawn.number, drawn.truth, drawn.time))()


def _plain(chance: Random) -> Select:
    """Rows, or the first few of them in an order that is whole."""
    with_, source, alias = _source(chance)
    drawn = Expressions(chance, alias)
    columns = [_any_column(chance, drawn) for _ in range(chance.randint(1, 4))]
    if chance.random() < 0.2:
        columns.append(drawn.column("event_id"))
    order: tuple[Pair, ...] = ()
    if chance.random() < 0.6:
        order = (*_order(chance, drawn), drawn.column("event_id"))
    limit = f" LIMIT {chance.randrange(40)}" if order and chance.random() < 0.6 else ""
    if limit and chance.random() < 0.3:
        limit += f" OFFSET {chance.randrange(20)}"
    where = _where(chance, drawn)
    named = chance.random() < 0.4
    return Select(
        tuple(columns), source, with_=with_, where=where, order=order, limit=limit, named=named
    )


def _order(chance: Random, drawn: Expressions) -> tuple[Pair, ...]:
    """Terms by which rows are sorted, before what makes the order whole."""
    terms = []
    for _ in range(chance.randint(1, 2)):
        term = chance.choice(
            (
                lambda: drawn.property(chance.choice([*NUMBERS, *BIG, *MIXED]), "order"),
                lambda: drawn.property(SERIAL, "order"),
                lambda: by_order(drawn.text(1)),
                lambda: drawn.number(1),
                lambda: drawn.column("ts"),
                lambda: drawn.column("user_id"),
            )
        )()
        direction = chance.choice(("", " ASC", " DESC", " DESC NULLS FIRST", " NULLS FIRST"))
        terms.append(fill("{}" + direction, term))
    return tuple(terms)


def _grouped(chance: Random) -> Select:
    """Groups and aggregates, sometimes of the whole."""
    with_, source, alias = _source(chance)
    drawn = Expressions(chance, alias)
    keys = tuple(
        chance.choice((drawn.text, drawn.text, drawn.time, drawn.truth))()
        for _ in range(chance.choice((0, 1, 1, 2)))
    )
    grouping = "{}"
    if keys and chance.random() < 0.2:
        grouping = chance.choice(("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())"))
    columns = tuple(aggregate(chance, drawn) for _ in range(chance.randint(1, 4)))
    having: tuple[Pair, ...] = ()
    if keys and chance.random() < 0.3:
        templates = ("count(*) > {}", "max(ts) IS NOT NULL OR count() = {}")
        having = (same(chance.choice(templates).format(chance.randrange(20))),)
        if alias:
            having = (same(f"count(*) > {chance.randrange(20)}"),)
    order: tuple[Pair, ...] = ()
    limit = ""
    if keys and grouping == "{}" and chance.random() < 0.6:
        order = tuple(
            term
            for place, key in enumerate(keys, 1)
            for term in (_group_order(chance, key, place) if key.ordered else (same(str(place)),))
        )
        limit = f" LIMIT {chance.randrange(1, 20)}" if chance.random() < 0.4 else ""
    return Select(
        *(columns, source, keys, grouping, with_),
        where=_where(chance, drawn),
        having=having,
        order=order,
        limit=limit,
        named=chance.random() < 0.4,
    )


def _group_order(chance: Random, key: Pair, place: int) -> tuple[Pair, ...]:
    """Terms that put groups in order by a property: by number, and equal numbers by their texts."""
    written = chance.choice((str(place), key.weir))
    by_number = Pair(written, f"min({key.ordered})", stands_alone=False)
    return chance.choice(((by_number, as_text(key)), (as_text(key),)))


def aggregate(chance: Random, drawn: Expressions) -> Pair:
    """Returns an aggregate whose value depends on no order that is not written."""
    number = chance.choice(NUMBERS)
    id_column = drawn.prefix + "event_id"
    ts = drawn.prefix + "ts"
    made = chance.choice(
        (
            lambda: same(chance.choice(("count()", "count(*)"))),
            lambda: fill("count({})", drawn.text(1)),
            lambda: fill("count(DISTINCT {})", drawn.text(1)),
            lambda: fill(
                chance.choice(("sum", "avg", "min", "max", "median")) + "({})",
                drawn.property(number, "double"),
            ),
            lambda: fill(
                chance.choice(("sum", "min", "max")) + "({})", drawn.property(SCORE, "double")
            ),
            lambda: fill(chance.choice(("sum", "avg", "max", "min")) + "({})", drawn.number(1)),
            lambda: fill("sum(DISTINCT {})", drawn.property(number, "double")),
            lambda: fill("quantile_cont({}, 0.5)", drawn.property(number, "double")),
            lambda: fill("quantile_cont(DISTINCT {}, 0.25)", drawn.property(number, "double")),
            lambda: fill("stddev_pop({})", drawn.property(number, "double")),
            lambda: same(chance.choice(("min", "max")) + f"({ts})"),
            lambda: fill("min({}::TEXT)", drawn.property(chance.choice(TEXTS), tight=True)),
            lambda: fill(f"string_agg({{}}, ',' ORDER BY {id_column})", drawn.text(0)),
            lambda: fill("list_sort(list(DISTINCT {}))", drawn.text(0)),
            lambda: same(
                f"string_agg(DISTINCT {drawn.prefix}event, ',' ORDER BY {drawn.prefix}event)"
            ),
            lambda: fill(f"first({{}} ORDER BY {id_column} DESC)", drawn.text(0)),
            lambda: fill("arg_max({}, {})", drawn.text(0), drawn.property(UID, "order")),
            lambda: fill("max_by({}, {})", drawn.column("event"), drawn.property(SERIAL, "order")),
            lambda: fill(
                "string_agg({}, ',' ORDER BY {} DESC, " + id_column + ")",
                drawn.column("event"),
                drawn.property(chance.choice((SERIAL, UID, number)), "order"),
            ),
            lambda: fill(chance.choice(("bool_or({})", "count_if({})")), drawn.flag()),
            lambda: fill("bool_or({})", drawn.truth(0)),
            lambda: fill("count_if({})", drawn.truth(0)),
        )
    )()
    if chance.random() < 0.25:
        return fill("{} FILTER (WHERE {})", made, drawn.truth(0))
    return made


def _windowed(chance: Random) -> Select:
    """Windows over rows, and QUALIFY."""
    with_, source, alias = _source(chance)
    drawn = Expressions(chance, alias)
    columns = (
        drawn.column("event_id"),
        *(_window(chance, drawn) for _ in range(chance.randint(1, 2))),
    )
    qualify: tuple[Pair, ...] = ()
    if chance.random() < 0.3:
        over = fill(f"{{}} DESC, {drawn.prefix}event_id", drawn.property(SERIAL, "order"))
        numbered = fill(f"row_number() OVER (PARTITION BY {drawn.prefix}event ORDER BY {{}})", over)
        qualify = (fill("{} <= 3", numbered),)
    return Select(
        columns, source, with_=with_, where=_where(chance, drawn, least=1), qualify=qualify
    )


def _window(chance: Random, drawn: Expressions) -> Pair:
    by = chance.choice((drawn.text, lambda *_: drawn.column("event"), lambda *_: same("1")))(0)
    first = chance.choice(
        (
            lambda: drawn.property(chance.choice((SERIAL, UID, *NUMBERS)), "order"),
            lambda: drawn.column("ts"),
            lambda: by_order(drawn.text(0)),
        )
    )()
    direction = chance.choice(("", " DESC", " NULLS FIRST"))
    whole = fill(f"PARTITION BY {{}} ORDER BY {{}}{direction}, {drawn.prefix}event_id", by, first)
    peers = fill(f"PARTITION BY {{}} ORDER BY {{}}{direction}", by, first)
    rows = chance.choice(
        (
            " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING",
            "",
        )
    )
    text, number = drawn.text(0), drawn.property(chance.choice(NUMBERS), "double")
    return chance.choice(
        (
            lambda: fill("row_number() OVER ({})", whole),
            lambda: fill("rank() OVER ({})", peers),
            lambda: fill("dense_rank() OVER ({})", peers),
            lambda: fill("count(*) OVER ({})", peers),
            lambda: fill("lag({}) OVER ({})", text, whole),
            lambda: fill("lead({}, 2, 'none') OVER ({})", text, whole),
            lambda: fill("first_value({}) OVER ({}" + rows + ")", text, whole),
            lambda: fill("last_value({} IGNORE NULLS) OVER ({}" + rows + ")", text, whole),
            lambda: fill("nth_value({}, 2) OVER ({}" + rows + ")", text, whole),
            lambda: fill("sum({}) OVER ({}" + rows + ")", number, whole),
            lambda: fill("max({}) OVER ({}" + rows + ")", number, whole),
            lambda: fill("ntile(4) OVER ({})", whole),
            lambda: fill("count(DISTINCT {}) OVER (PARTITION BY {})", text, by),
            lambda: fill(
                f"sum({{}}) OVER (ORDER BY {drawn.prefix}ts"
                " RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW)",
                number,
            ),
        )
    )()


def _joined(chance: Random) -> Select:
    """Events beside events, groups, values, or what lies before in time."""
    left = Expressions(chance, "e")
    own = (_any_column(chance, left), _any_column(chance, left))
    join, column = chance.choice(
        (_beside_events, _beside_events, _beside_groups, _beside_groups, _beside_values)
    )(chance, left)
    return Select(
        (*own, column),
        same("events e"),
        joins=(join,),
        where=_where(chance, left, least=1),
        named=chance.random() < 0.5,
    )


def _beside_events(chance: Random, left: Expressions) -> tuple[Pair, Pair]:
    """A join with events, and a column of theirs."""
    right = Expressions(chance, "f")
    some = ("SELECT * FROM events", f"SELECT * FROM events WHERE {bound(chance)}")
    other = same(f"({chance.choice(some)}) f")
    serial = fill("{} = {}", left.property(SERIAL, tight=True), right.property(SERIAL, tight=True))
    uid = fill("{} = {}", left.property(UID, tight=True), right.property(UID, tight=True))
    kind = _kind_of_join(chance)
    by_session = "JOIN {} ON e.session_id = f.session_id"
    return chance.choice(
        (
            (fill(f"{kind} {{}} ON e.event_id = f.event_id", other), _any_column(chance, right)),
            (fill(f"{kind} {{}} ON {{}}", other, serial), _any_column(chance, right)),
            (fill(f"{kind} {{}} ON {{}} AND e.event = f.event", other, uid), right.text()),
            (fill("SEMI " + by_session, other), same("e.event")),
            (fill(f"ANTI {by_session} AND f.ts > e.ts", other), left.text()),
        )
    )


def _beside_groups(chance: Random, left: Expressions) -> tuple[Pair, Pair]:
    """A join with one row for each user, session or moment, and a column of it."""
    kind = _kind_of_join(chance)
    groups = fill(
        "(SELECT user_id, count(*) AS n, min(ts) AS since, max({}) AS top FROM events"
        " WHERE {} GROUP BY user_id) g",
        Expressions(chance).property(chance.choice(NUMBERS), "double"),
        same(bound(chance)),
    )
    moments = "SELECT user_id, ts, count(*) AS n FROM events WHERE user_id > '' GROUP BY ALL"
    lateral = fill(
        "LEFT JOIN LATERAL (SELECT count(*) AS n FROM events i"
        " WHERE i.session_id = e.session_id AND {}) l ON true",
        Expressions(chance, "i").truth(0),
    )
    return chance.choice(
        (
            (fill(f"{kind} {{}} ON e.user_id = g.user_id", groups), same("g.top")),
            (fill(f"{kind} {{}} USING (user_id)", groups), same("g.n")),
            (fill("JOIN {} ON e.user_id = g.user_id AND e.ts > g.since", groups), left.text()),
            (
                same(f"ASOF JOIN ({moments}) u ON e.user_id = u.user_id AND e.ts >= u.ts"),
                same("u.n"),
            ),
            (lateral, same("l.n")),
        )
    )


def _beside_values(chance: Random, left: Expressions) -> tuple[Pair, Pair]:
    """A join with what stands in the statement, and a column of it."""
    plans = fill(
        "JOIN (VALUES ('pro', 1), ('free', 2)) v(plan, w) ON {} = v.plan",
        left.property(TEXTS[0], tight=True),
    )
    series = same("CROSS JOIN range(2) r(x)")
    return chance.choice(((plans, same("v.w")), (series, same("r.x"))))


def _kind_of_join(chance: Random) -> str:
    return chance.choice(("JOIN", "LEFT JOIN", "INNER JOIN", "RIGHT JOIN", "FULL JOIN"))


def _united(chance: Random) -> SetOperation:
    """Set operations over columns of like types."""
    makers = [chance.choice(("text", "time", "number")) for _ in range(chance.randint(1, 3))]
    sides = []
    for _ in range(2):
        with_, source, alias = _source(chance)
        drawn = Expressions(chance, alias)
        columns = []
        for maker in makers:
            if maker == "text":
                columns.append(as_text(drawn.text()))
            elif maker == "number":
                columns.append(fill("CAST({} AS DOUBLE)", drawn.number()))
            else:
                columns.append(same(f"date_trunc('day', {drawn.prefix}ts)"))
        where = _where(chance, drawn)
        sides.append(Select(tuple(columns), source, with_=with_, where=where, named=True))
    operators = ("UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL")
    operator = chance.choice((*operators, "UNION BY NAME", "UNION ALL BY NAME"))
    order = ""
    if chance.random() < 0.4:
        order = " ORDER BY " + ", ".join(str(place + 1) for place in range(len(makers)))
        order += f" LIMIT {chance.randrange(1, 30)}" if chance.random() < 0.5 else ""
    return SetOperation(sides[0], operator, sides[1], order)


def _nested(chance: Random) -> Select:
    """A question about the answer to another one."""
    inner = chance.choice((_plain, _grouped, _distinct))(chance)._replace(named=True)
    if inner.distinct.weir.startswith("DISTINCT ON"):
        inner = _plain(chance)._replace(named=True)
    names = [f"c{place}" for place in range(len(inner.keys) + len(inner.columns))]
    name = chance.choice(names)
    source = fill("({}) t", inner.written())
    if chance.random() < 0.5:
        return Select(
            (same("count(*)"),), source, (same(chance.choice((name, f"t.{name}"))),), inner=inner
        )
    wanted = [name, "*", "t.*"]
    if "stddev" not in source.plain:  # its last digits hang on the order of the rows
        wanted.append(f"coalesce({name}::VARCHAR, 'none')")
    return Select(
        (same(chance.choice(wanted)),), source, where=(same(f"{name} IS NOT NULL"),), inner=inner
    )


def _distinct(chance: Random) -> Select:
    """DISTINCT and DISTINCT ON, with names that could be taken for others."""
    with_, source, alias = _source(chance)
    drawn = Expressions(chance, alias)
    where = _where(chance, drawn)
    if chance.random() < 0.5:
        columns = tuple(_any_column(chance, drawn) for _ in range(chance.randint(1, 3)))
        return Select(columns, source, with_=with_, distinct=same("DISTINCT "), where=where)
    by = chance.choice(
        (drawn.text, lambda *_: drawn.column("ts"), lambda *_: drawn.column("user_id"))
    )(1)
    shown = chance.choice(
        (
            lambda: same(f"{drawn.prefix}ts::DATE"),
            lambda: drawn.text(1),
            lambda: same(f"CAST({drawn.prefix}user_id AS VARCHAR)"),
        )
    )()
    order = (by_order(by), drawn.column("event_id"))
    return Select(
        (shown, drawn.column("event_id")),
        source,
        with_=with_,
        distinct=fill("DISTINCT ON ({}) ", by),
        where=where,
        order=order,
    )
