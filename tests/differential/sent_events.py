"""Events as a sender writes them: JSON texts drawn from a seed, with what senders really send.

Mixed types under one key, keys with every sign that a path could mistake, integers beyond 2^53,
texts that are called NaN, numbers spelled in odd ways, keys sent twice, nulls, lists, objects, and
equal, late, early, future and missing times.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

DYADIC: Final = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "-1",
    "-2",
    "12",
    "0.5",
    "2.25",
    "-0.75",
    "10.5",
    "100",
)
"""Numbers whose sums are the same in any order."""

BIG: Final = (
    *("9007199254740991", "9007199254740992", "9007199254740993", "9007199254740994"),
    *("-9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("18446744073709551615", "18446744073709551616", "12345678901234567890123", "5"),
)
_TEXTS: Final = (
    "pro",
    "free",
    "Pro",
    "",
    "ünï",
    "O'Brien",
    'say "hi"',
    "10",
    "9",
    "50%",
    "a_b",
    "日本",
    "null",
)
_NO_NUMBERS: Final = ("NaN", "nan", "inf", "-inf", "Infinity", "1_000", "abc", "", "1,5", "0x10")
_ODDLY_SPELLED: Final = ("1e2", "12.50", "1E-2", "0.1e1", "1e3", "-0.0", "2.250")
_CITIES: Final = ("Oslo", "São Paulo", "", "Köln", "10115")
_EVENTS: Final = ("page", "purchase", "signup", "game", "événement")


class Style(NamedTuple):
    """How the events of one batch are drawn."""

    name: str
    is_mixed: bool
    """Whether a key may hold values of any type; else each key keeps to its own."""
    spells_oddly: bool
    since: datetime
    until: datetime
    first: int
    """The number of the first event: no two of a node have one number."""


class Sent(NamedTuple):
    """An event as it was sent, and its id."""

    event_id: str
    text: str


def draw_batch(seed: int, style: Style, count: int) -> list[Sent]:
    """Returns ``count`` events, always the same ones for the same arguments."""
    chance = Random(f"{seed}:{style.name}")
    numbers = range(style.first, style.first + count)
    return [_draw(chance, style, f"{style.name}-{number:05}", number) for number in numbers]


def _draw(chance: Random, style: Style, event_id: str, number: int) -> Sent:
    fields = {
        "event_id": json.dumps(event_id),
        "event": _text(chance.choice(_EVENTS)),
        "properties": _properties(chance, style, number),
    }
    if chance.random() < 0.85:
        fields["user_id"] = _text(f"u{chance.randrange(60)}")
    if chance.random() < 0.4:
        fields["anonymous_id"] = _text(f"anon-{chance.randrange(40)}")
    if chance.random() < 0.6:
        fields["session_id"] = _text(f"s{chance.randrange(300)}")
    if chance.random() < 0.7:
        fields["context"] = _context(chance)
    time = _time(chance, style)
    if time is not None:
        fields["ts"] = json.dumps(time)
    if chance.random() < 0.05:
        fields["sent_at"] = json.dumps("2020-02-02T02:02:02Z")
    return Sent(event_id, _object(fields))


def _time(chance: Random, style: Style) -> str | None:
    """A claimed time: usual, equal to others, at a bound, far away, or none."""
    drawn = chance.random()
    span = style.until - style.since
    if drawn < 0.55:
        moment = style.since + timedelta(seconds=chance.random() * span.total_seconds())
    elif drawn < 0.75:
        moment = style.since + timedelta(hours=6 * chance.randrange(4 * span.days))
    elif drawn < 0.85:
        moment = style.since + timedelta(days=chance.randrange(span.days))
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        moment -= timedelta(microseconds=chance.choice((0, 1)))
    elif drawn < 0.90:
        moment = datetime(2001 + chance.randrange(20), 2, 28, 23, 59, 59, tzinfo=UTC)
    elif drawn < 0.95:
        moment = datetime.now(UTC) + timedelta(days=400)
    else:
        return None
    written = moment.isoformat()
    return written.replace("+00:00", "Z") if chance.random() < 0.7 else _in_zone(moment)


def _in_zone(moment: datetime) -> str:
    return (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"


def _properties(chance: Random, style: Style, number: int) -> str:
    members: list[tuple[str, str]] = [("serial", str(number)), ("uid", str(2**53 + number))]
    drawn: dict[str, Callable[[], str]] = {
        "plan": lambda: _text(chance.choice(_TEXTS[:4] if not style.is_mixed else _TEXTS)),
        "Plan": lambda: _text(chance.choice(_TEXTS)),
        "amount": lambda: chance.choice(DYADIC),
        "n": lambda: str(chance.randrange(-3, 12)),
        "big": lambda: chance.choice(BIG),
        "score": lambda: _score(chance, style),
        "flag": lambda: _flag(chance, style),
        "word": lambda: _text(chance.choice(_TEXTS)),
        "mixed": lambda: _anything(chance, style),
        "day": lambda: _text(f"2026-0{chance.randrange(1, 10)}-1{chance.randrange(10)}"),
        "address": lambda: _address(chance, style),
        "tags": lambda: _list([_text(chance.choice(_TEXTS)) for _ in range(chance.randrange(4))]),
        "items": lambda: _items(chance),
        "a.b": lambda: chance.choice(DYADIC),
        "x/y": lambda: _text(chance.choice(_TEXTS)),
        "q~'\"": lambda: chance.choice(DYADIC),
        "$pathname": lambda: _text(chance.choice(("/", "/P", "/p/q"))),
        "": lambda: chance.choice(("1", '"empty"', "null")),
        "ünï": lambda: str(chance.randrange(5)),
        "a b": lambda: _text(chance.choice(_TEXTS)),
        "select": lambda: str(chance.randrange(5)),
        "~1": lambda: _text(chance.choice(("t", "u"))),
        "0": lambda: str(chance.randrange(3)),
        "properties": lambda: chance.choice(('{"n": 4}', '"deep"')),
        "*": lambda: chance.choice(DYADIC),
        "a\\b": lambda: _text("back"),
    }
    share = 0.8 if not style.is_mixed else 0.5
    for key, value in drawn.items():
        if chance.random() < share:
            members.append((key, value() if chance.random() > 0.06 else "null"))
    if chance.random() < 0.05:
        members.append(chance.choice((("plan", '"second"'), ("amount", "50"))))
    chance.shuffle(members)
    return "{" + ", ".join(f"{_key(chance, key)}: {value}" for key, value in members) + "}"


def _score(chance: Random, style: Style) -> str:
    if not style.is_mixed:
        return chance.choice(DYADIC)
    drawn = chance.random()
    if drawn < 0.4:
        return chance.choice(DYADIC)
    if drawn < 0.6:
        return _text(chance.choice(_NO_NUMBERS))
    if drawn < 0.8:
        return _text(chance.choice(("12", "12.50", "-3", "1e2", "0")))
    return chance.choice(("true", "[]", "{}", "[3]", '{"n": 3}'))


def _flag(chance: Random, style: Style) -> str:
    odd: tuple[str, ...] = ('"true"', '"maybe"') if style.is_mixed else ()
    return chance.choice(("true", "false", *odd))


def _anything(chance: Random, style: Style) -> str:
    plain = (*DYADIC, *BIG, "true", "false", '"pro"', '"10"', '"9"', '"NaN"', "[1,2]", '{"k":"v"}')
    odd: tuple[str, ...] = _ODDLY_SPELLED if style.spells_oddly else ()
    return chance.choice((*plain, *odd))


def _address(chance: Random, style: Style) -> str:
    if style.is_mixed and chance.random() < 0.1:
        return chance.choice(('"somewhere"', "7", "[]"))
    members = {"city": _text(chance.choice(_CITIES)), "zip": str(chance.randrange(5))}
    if chance.random() < 0.5:
        members["geo.point"] = _object({"lat": chance.choice(DYADIC), "a/b": '"slash"'})
    return _object(members)


def _items(chance: Random) -> str:
    count = chance.randrange(3)
    return _list(
        [_object({"sku": _text(chance.choice("abc")), "qty": str(chance.randrange(1, 4))})] * count
    )


def _context(chance: Random) -> str:
    members = {"page": _object({"path": _text(chance.choice(("/P", "/q", "")))})}
    if chance.random() < 0.5:
        members["n"] = chance.choice(DYADIC)
    if chance.random() < 0.5:
        members["os.name"] = _text(chance.choice(("Linux", "macOS")))
    return _object(members)


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{_text(key)}:{value}" for key, value in members.items()) + "}"


def _list(values: list[str]) -> str:
    return "[" + ",".join(values) + "]"


def _key(chance: Random, key: str) -> str:
    """A key with its letters as they are or escaped: both are the same key."""
    return json.dumps(key, ensure_ascii=chance.random() < 0.2)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
