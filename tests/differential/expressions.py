"""Expressions drawn at once in two languages: Weir's, and the oracle's plain columns.

A property may be spelled in each of the ways of docs/reference/sql.md. In the oracle's text a
number that a property is compared with stands as ``«number»``, for its rank.
"""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from tests.differential.oracle import Path, column_of


class Pair(NamedTuple):
    """The same in both languages."""

    weir: str
    plain: str
    parts: tuple["Pair", ...] = ()
    """What it was made of, for making it smaller."""
    stands_alone: bool = True
    """Whether it is the same by itself: a property that is read as a number is not."""
    ordered: str = ""
    """What puts it in order in the oracle, where that is not its value."""
    is_literal: bool = False


def same(text: str) -> Pair:
    """Returns what is written alike in both."""
    return Pair(text, text)


def fill(template: str, *parts: Pair) -> Pair:
    """Returns the template with the parts in place of ``{}``."""
    return Pair(
        template.format(*(part.weir for part in parts)),
        template.format(*(part.plain for part in parts)),
        parts,
    )


def passing(template: str, *results: Pair, tested: tuple[Pair, ...] = ()) -> Pair:
    """Returns the template filled with what it tests and then what it may give, as it is.

    Where that is nothing but properties and literals it goes by number, as a property does.
    """
    made = fill(template, *tested, *results)
    if all(each.is_literal for each in results) or not all(each.ordered for each in results):
        return made
    tests, keys = [each.plain for each in tested], [each.ordered for each in results]
    return made._replace(ordered=template.format(*tests, *keys))


def by_order(pair: Pair) -> Pair:
    """Returns what rows are sorted by: a property goes by number, and texts behind all numbers."""
    return Pair(pair.weir, pair.ordered or pair.plain, stands_alone=False)


def as_text(pair: Pair) -> Pair:
    """Returns what is a text whatever stands around it."""
    return fill("({})::VARCHAR", pair)


def _paths(column: str, *keys: Sequence[str]) -> list[Path]:
    return [Path(column, tuple(each)) for each in keys]


TEXTS: Final = [
    *_paths("properties", ["plan"], ["Plan"], ["word"], ["x/y"], ["$pathname"], ["a b"], ["~1"]),
    *_paths("properties", ["address", "city"], ["a\\b"], [""], ["items", "0", "sku"]),
    *_paths("properties", ["tags", "1"], ["address", "geo.point", "a/b"], ["properties"]),
    *_paths("context", ["page", "path"], ["os.name"]),
]
NUMBERS: Final = [
    *_paths("properties", ["amount"], ["n"], ["serial"], ["a.b"], ["q~'\""], ["ünï"], ["select"]),
    *_paths("properties", ["0"], ["*"], ["address", "zip"], ["address", "geo.point", "lat"]),
    *_paths("properties", ["items", "0", "qty"]),
    *_paths("context", ["n"]),
]
"""Where values are numbers or null, and small."""

BIG: Final = _paths("properties", ["big"], ["uid"])
MIXED: Final = _paths("properties", ["score"], ["mixed"], ["flag"], ["properties", "n"])
LISTS: Final = _paths("properties", ["tags"], ["items"])
PATHS: Final = [*TEXTS, *NUMBERS, *BIG, *MIXED, *LISTS, Path("properties", ("address",))]

SCORE: Final = Path("properties", ("score",))
FLAG: Final = Path("properties", ("flag",))
SERIAL: Final = Path("properties", ("serial",))
UID: Final = Path("properties", ("uid",))

LITERALS: Final = (
    *("0", "1", "2", "3", "-1", "-2", "5", "10", "12", "12.5", "0.5", "2.25", "-0.75", "100"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "1500", "4000"),
)
WORDS: Final = ("-", "no")
"""Literal texts that an expression may give in a property's place."""

_WORDS: Final = ("pro", "free", "Pro", "10", "9", "", "O''Brien", "ünï", "b", "u1", "/P")
_OPERATORS: Final = ("=", "<>", "!=", "<", "<=", ">", ">=")
_SIMPLE: Final = re.compile(r"[a-z]\w*\Z")
_RESERVED: Final = frozenset({"select"})


def _not_pro(pair: Pair) -> Pair:
    """Returns the value unless it is one that many events have."""
    made = fill("nullif({}, 'pro')", pair)
    kept = f"CASE WHEN {pair.plain} = 'pro' THEN NULL ELSE {pair.ordered} END"
    return made._replace(ordered=kept) if pair.ordered else made


class Expressions:
    """Draws expressions over one table, whose columns carry ``alias`` if there is one."""

    def __init__(self, chance: Random, alias: str = "") -> None:
        self.chance = chance
        self.prefix = f"{alias}." if alias else ""

    def column(self, name: str) -> Pair:
        """Returns a plain column."""
        return same(self.prefix + name)

    def property(self, path: Path, aspect: str = "text", *, tight: bool = False) -> Pair:
        """Returns a property, read in the oracle as ``aspect``; ``tight``: it must bind tightly."""
        spelled, has_arrow = self._spelled(path)
        if has_arrow and (tight or self.chance.random() < 0.4):
            spelled = f"({spelled})"
        plain = self.prefix + column_of(path, aspect)
        ordered = self.prefix + column_of(path, "order")
        return Pair(spelled, plain, stands_alone=aspect == "text", ordered=ordered)

    def json(self, path: Path) -> Pair:
        """Returns a property as JSON, by ``->``."""
        column = self.prefix + path.column
        return Pair(f"{column}->{_literal(path.keys[0])}", self.prefix + column_of(path, "json"))

    def _word(self, word: str) -> Pair:
        """Returns a literal text, one of ``WORDS``."""
        ordered = self.prefix + column_of(Path("words", (word,)), "order")
        return Pair(f"'{word}'", f"'{word}'", ordered=ordered, is_literal=True)

    def text(self, depth: int = 2) -> Pair:
        """Returns a text."""
        return self._one_of(self._texts(depth))

    def number(self, depth: int = 2) -> Pair:
        """Returns a number whose sums are the same in any order."""
        return self._one_of(self._numbers(depth))

    def truth(self, depth: int = 2) -> Pair:
        """Returns a condition, in brackets where it needs them."""
        return self._one_of(self._truths(depth))

    def flag(self) -> Pair:
        """Returns a property as a condition by itself."""
        return self.property(FLAG, "truth", tight=True)

    def time(self) -> Pair:
        """Returns something of the event's time."""
        ts = self.prefix + "ts"
        written = (
            *(ts, f"date_trunc('day', {ts})", f"{ts}::DATE", f"extract(hour FROM {ts})"),
            *(f"CAST({ts} AS DATE)", f"time_bucket(INTERVAL '6 hours', {ts})", f"month({ts})"),
            *(f"{ts} + INTERVAL 1 DAY", f"strftime({ts}, '%Y-%m')", f"dayname({ts})"),
        )
        return same(self.chance.choice(written))

    def _one_of(self, drawn: Sequence[Callable[[], Pair]]) -> Pair:
        return self.chance.choice(drawn)()

    def _texts(self, depth: int) -> list[Callable[[], Pair]]:
        any_path = self.chance.choice([*TEXTS, *TEXTS, *NUMBERS, *MIXED, *BIG])
        plain = self.chance.choice(("event", "user_id", "anonymous_id", "session_id"))
        drawn = [
            lambda: self.property(self.chance.choice(TEXTS)),
            lambda: self.property(any_path),
            lambda: self.column(plain),
        ]
        if depth <= 0:
            return drawn

        def inner() -> Pair:
            return self.text(depth - 1)

        return [
            *drawn,
            *drawn,
            lambda: fill("lower({})", inner()),
            lambda: passing("coalesce({}, {})", inner(), self._word("-")),
            lambda: passing("coalesce({}, {})", inner(), inner()),
            lambda: _not_pro(inner()),
            lambda: fill("left({}, 2)", inner()),
            lambda: fill("concat({}, '/', {})", inner(), inner()),
            lambda: fill("({} || 'x')", self.property(any_path, tight=True)),
            lambda: fill("CAST({} AS VARCHAR)", self.property(any_path)),
            lambda: fill("{}::TEXT", self.property(any_path, tight=True)),
            lambda: passing(
                "CASE WHEN {} THEN {} ELSE {} END", inner(), inner(), tested=(self.truth(0),)
            ),
            lambda: passing("if({}, {}, {})", inner(), self._word("no"), tested=(self.truth(0),)),
            lambda: fill("CASE {} WHEN 'pro' THEN 'p' WHEN 'free' THEN 'f' END", inner()),
            lambda: fill("replace({}, 'p', 'q')", inner()),
            lambda: fill("json_type({})", self.json(self.chance.choice(LISTS))),
        ]

    def _numbers(self, depth: int) -> list[Callable[[], Pair]]:
        chance = self.chance

        def read() -> Pair:
            return self.property(chance.choice(NUMBERS), "double", tight=True)

        drawn = [
            lambda: fill("({} + 1)", read()),
            lambda: fill("({} * 2)", read()),
            lambda: fill("(10 - {})", read()),
            lambda: fill("({} / 4)", read()),
            lambda: fill("-{}", read()),
            lambda: fill("abs({})", read()),
            lambda: fill("({} - {})", read(), read()),
            lambda: fill("({} % 3)", self.property(NUMBERS[1], "double", tight=True)),
            lambda: fill("TRY_CAST({} AS DOUBLE)", self.property(chance.choice(NUMBERS))),
            lambda: fill("length({})", self.text(0)),
        ]
        if depth <= 0:
            return drawn
        return [
            *drawn,
            lambda: fill("({} + {})", self.number(depth - 1), self.number(depth - 1)),
            lambda: fill("coalesce({}, 0)", read()),
            lambda: fill("(nullif({}, 3) + 1)", read()),
            lambda: fill("greatest({}, 2)", read()),
            lambda: fill("least({}, {}, 1)", read(), read()),
            lambda: fill("CASE WHEN {} THEN {} ELSE 0 END", self.truth(0), read()),
            lambda: fill("if({}, {}, 0)", self.truth(0), self.number(0)),
            lambda: fill("json_array_length({})", self.json(LISTS[0])),
        ]

    def _truths(self, depth: int) -> list[Callable[[], Pair]]:
        drawn = [
            self._compared_number,
            self._compared_number,
            self._listed_number,
            self._compared_text,
            self._compared_text,
            self._compared_pair,
            self._compared_sum,
            self._flag,
            self._presence,
        ]
        if depth <= 0:
            return drawn
        return [
            *drawn,
            lambda: fill("NOT ({})", self.truth(depth - 1)),
            lambda: fill("({} AND {})", self.truth(depth - 1), self.truth(depth - 1)),
            lambda: fill("({} OR {})", self.truth(depth - 1), self.truth(depth - 1)),
        ]

    def _compared_number(self) -> Pair:
        path = self.chance.choice([*NUMBERS, *BIG, *BIG, *MIXED[:2]])
        read, literal = self.property(path, "rank"), self._literal()
        operators = (*_OPERATORS, "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
        operator = self.chance.choice(operators)
        if self.chance.random() < 0.2:
            # At the right an arrow takes what stands before it, in the engine.
            return fill(f"({{}} {operator} {{}})", literal, self.property(path, "rank", tight=True))
        return fill(f"({{}} {operator} {{}})", read, literal)

    def _listed_number(self) -> Pair:
        path = self.chance.choice([*NUMBERS, *BIG, MIXED[0]])
        read = self.property(path, "rank")
        first, second, third = self._literal(), self._literal(), self._literal()
        templates = ("{} IN ({}, {}, {})", "{} NOT IN ({}, {}, {})")
        if self.chance.random() < 0.5:
            return fill(f"({self.chance.choice(templates)})", read, first, second, third)
        return fill("({} BETWEEN {} AND {})", read, first, second)

    def _compared_text(self) -> Pair:
        read, word = self.property(self.chance.choice(TEXTS)), self.chance.choice(_WORDS)
        operator = self.chance.choice((*_OPERATORS, "LIKE", "ILIKE", "NOT LIKE"))
        templates = (
            *(f"({{}} {operator} '{word}')", f"({{}} {operator} '{word}')"),
            f"({{}} IN ('{word}', 'pro', 'free'))",
            *("starts_with({}, 'p')", "regexp_matches({}, '^[pf]')", "({} BETWEEN '1' AND 'g')"),
            f"(lower({{}}) = '{word}')",
        )
        return fill(self.chance.choice(templates), read)

    def _compared_pair(self) -> Pair:
        """Two properties: equal as texts, in order by number with texts behind."""
        paths = self.chance.choice((NUMBERS, TEXTS, BIG, [*NUMBERS, *TEXTS, *MIXED, *BIG]))
        operator = self.chance.choice(_OPERATORS)
        aspect = "text" if operator in ("=", "<>", "!=") else "order"
        first = self.property(self.chance.choice(paths), aspect, tight=True)
        second = self.property(self.chance.choice(paths), aspect, tight=True)
        return fill(f"({{}} {operator} {{}})", first, second)

    def _compared_sum(self) -> Pair:
        literal = self.chance.choice(LITERALS[:14])
        return fill(f"({{}} {self.chance.choice(_OPERATORS)} {literal})", self.number(0))

    def _flag(self) -> Pair:
        read = self.property(FLAG, "truth")
        templates = ("({} = true)", "({} = FALSE)", "({} IS DISTINCT FROM true)", "({} <> false)")
        return fill(self.chance.choice(templates), read)

    def _presence(self) -> Pair:
        read = self.property(self.chance.choice(PATHS), "text", tight=True)
        return fill(self.chance.choice(("({} IS NULL)", "({} IS NOT NULL)")), read)

    def _literal(self) -> Pair:
        few = LITERALS[:10] if self.chance.random() < 0.7 else LITERALS
        literal = self.chance.choice(few)
        return Pair(literal, f"«{literal}»", stands_alone=False)

    def _spelled(self, path: Path) -> tuple[str, bool]:
        """A spelling of the path, and whether it ends with an arrow."""
        names = (path.column, path.column, path.column.upper(), f'"{path.column}"')
        spelled = self.prefix + self.chance.choice(names)
        arrows = len(path.keys) if path.keys[-1].isdigit() and len(path.keys) > 1 else 0
        if path.keys[0] == "items":
            arrows = len(path.keys)
        elif not arrows and self.chance.random() < 0.4:
            arrows = self.chance.randint(1, len(path.keys))
        first_arrow = len(path.keys) - arrows
        for place, key in enumerate(path.keys):
            if place >= first_arrow:
                arrow = "->>" if place == len(path.keys) - 1 else "->"
                is_place = key.isdigit() and len(path.keys) > 1
                spelled += f"{arrow}{key if is_place else _literal(key)}"
            else:
                spelled += self._step(key)
        return spelled, bool(arrows)

    def _step(self, key: str) -> str:
        """One level down, by a dot or by brackets."""
        if self.chance.random() < 0.4:
            return f"[{_literal(key)}]"
        if _SIMPLE.match(key) and key.isascii() and key not in _RESERVED:
            return f".{key}"
        return '."' + key.replace('"', '""') + '"' if key else f"[{_literal(key)}]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
