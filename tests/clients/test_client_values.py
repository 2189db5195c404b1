"""What a program has becomes JSON by rules, or is told by field; nothing is guessed."""

import enum
import json
from collections import ChainMap, OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir_client.events import encode_event
from weir_client.values import Unsayable, plain

NOW_S = 1_800_000_000.25


class Plan(enum.Enum):
    PRO = "pro"


class Level(enum.IntEnum):
    HIGH = 3


class Colour(str, enum.Enum):  # noqa: UP042  # the older way to write it
    RED = "red"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Item:
    sku: str
    price: Decimal
    tags: frozenset[str] = frozenset({"b", "a"})


class Point(NamedTuple):
    x: int
    y: int


class Odd(Mapping[str, object]):
    """Names something that it does not have."""

    def __getitem__(self, name: str) -> object:
        raise KeyError(f"secret of {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class NotATime(datetime):
    """As pandas has it: a time that is unequal to itself."""

    __hash__ = datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


def sent(fields: Mapping[str, object]) -> dict[str, Any]:
    """The event as the node gets it."""
    found: dict[str, Any] = json.loads(
        encode_event(fields, context={}, now_s=NOW_S, random_bits=7).body
    )
    return found


UUID_1 = UUID(int=1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (42, "42"),
        (0, "0"),
        (-1, "-1"),
        (2**70, "1180591620717411303424"),
        (UUID_1, str(UUID_1)),
        (np.int64(42), "42"),
        (np.uint8(7), "7"),
        (np.str_("u"), "u"),
        (Level.HIGH, "3"),
        (Plan.PRO, "pro"),
        (Colour.RED, "red"),
        (Decimal(42), "42"),
        ("", ""),
        ("u_1", "u_1"),
    ],
)
def test_id_of_a_program_is_its_text(given: object, text: str) -> None:
    """Integers and UUIDs, which every framework has for its users, in each field that is an id."""
    fields = ("user_id", "anonymous_id", "session_id")
    found = sent({"event": "login", **dict.fromkeys(fields, given)})
    assert [found[field] for field in fields] == [text] * 3
    if text:
        assert sent({"event": "login", "event_id": given})["event_id"] == text


@pytest.mark.parametrize("field", ["user_id", "anonymous_id", "session_id", "event_id"])
@pytest.mark.parametrize("given", [True, 42.0, np.float64(42), np.bool_(True), b"u", ["u"], {}, 1j])
def test_id_that_names_nobody_is_told_by_field(field: str, given: object) -> None:
    """A boolean is no number of a user; 42.0 and 42 would be two."""
    with pytest.raises(Unsayable) as told:
        sent({"event": "login", field: given})
    assert told.value.field == field
    assert str(told.value).startswith(f"{field} ")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(8, 30), "08:30:00"),
        (timedelta(minutes=1), 60),
        (timedelta(days=1, milliseconds=250), 86400.25),
        (timedelta.max - timedelta(microseconds=999999), 86399999999999),
        (UUID_1, str(UUID_1)),
        (Decimal("1.10"), "1.10"),
        (Path("a") / "b", "a/b"),
        (PurePosixPath("/x"), "/x"),
        (Plan.PRO, "pro"),
        (Level.HIGH, 3),
        (Colour.RED, "red"),
        (Rights.READ | Rights.WRITE, 3),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({2, 1}), [1, 2]),
        ({1, "a"}, None),
        ((1, "a"), [1, "a"]),
        (Point(1, 2), [1, 2]),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}),
        (Item("s", Decimal(1)), {"sku": "s", "price": "1", "tags": ["a", "b"]}),
        ([Item("s", Decimal(1), frozenset())], [{"sku": "s", "price": "1", "tags": []}]),
        (np.int64(2**53 + 1), 2**53 + 1),
        (np.float64(1.5), 1.5),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(5), 5),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789"),
        (np.array(["2026-01-02"], "M8[ns]"), ["2026-01-02T00:00:00.000000000"]),
        (np.timedelta64(1500, "ms"), 1.5),
        (2**80, 2**80),
        (None, None),
        (False, False),
    ],
)
def test_value_of_a_program_is_kept_by_a_rule(given: object, kept: object) -> None:
    """Alone, in a list, in an object, and as a whole number where it is one."""
    found = sent({"event": "a", "properties": {"v": given, "l": [given], "o": {"v": given}}})
    if kept is None and given is not None:
        kept = found["properties"]["v"]
        assert sorted(map(str, kept)) == sorted(map(str, given))  # type: ignore[call-overload]  # sets
    assert found["properties"] == {"v": kept, "l": [kept], "o": {"v": kept}}
    assert type(found["properties"]["v"]) is type(kept)


def test_dataclass_can_be_the_properties() -> None:
    """Whatever becomes an object can stand where an object is wanted."""
    found = sent({"event": "a", "properties": Item("s", Decimal(1)), "context": {"p": Plan.PRO}})
    assert (found["properties"]["sku"], found["context"]) == ("s", {"p": "pro"})
    assert sent({"event": Colour.RED})["event"] == "red"


def test_names_become_texts_and_none_falls_on_another() -> None:
    """As Python's own JSON writes them; two that become the same would lose one."""
    names = {1: 1, True and "t": 2, None: 3, 1.5: 4, UUID_1: 5, Plan.PRO: 6, np.int64(7): 7}
    assert sent({"event": "a", "properties": names})["properties"] == {
        "1": 1,
        "t": 2,
        "null": 3,
        "1.5": 4,
        str(UUID_1): 5,
        "pro": 6,
        "7": 7,
    }
    with pytest.raises(Unsayable, match=r"^properties\.1 stands there twice"):
        sent({"event": "a", "properties": {1: "a", "1": "b"}})


CYCLE: dict[str, object] = {}
CYCLE["self"] = CYCLE


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (float("nan"), "properties.v"),
        (float("inf"), "properties.v"),
        (np.float32("nan"), "properties.v"),
        (Decimal("NaN"), "properties.v"),
        (Decimal("-Infinity"), "properties.v"),
        (NotATime(2026, 1, 1), "properties.v"),
        (np.datetime64("NaT"), "properties.v"),
        (np.timedelta64("NaT"), "properties.v"),
        (Fraction(1, 3), "properties.v"),
        (object(), "properties.v"),
        (Item, "properties.v"),
        (b"bytes", "properties.v"),
        (bytearray(b"b"), "properties.v"),
        (1j, "properties.v"),
        (np.complex64(1), "properties.v"),
        ((n for n in "ab"), "properties.v"),
        (len, "properties.v"),
        (CYCLE, "properties"),
        ({(1,): 1}, "properties.v"),
        ("\ud83d", "properties.v"),
        ("a\0b", "properties.v"),
        ([1, {"deep": ["a\0b"]}], "properties.v.1.deep.0"),
        ({"\ud83d": 1}, "properties.v.\\ud83d"),
        ([0, {"price": b""}], "properties.v.1.price"),
        (Odd(), "properties"),
    ],
)
def test_what_cannot_be_kept_is_told_with_its_place(given: object, field: str) -> None:
    """Which field, and what it is, not what it holds."""
    with pytest.raises(Unsayable) as told:
        sent({"event": "a", "properties": {"v": given}})
    assert told.value.field == field
    assert told.value.words
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "event"),
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": 5}, "event"),
        ({"event": "a", "properties": [1]}, "properties"),
        ({"event": "a", "properties": "text"}, "properties"),
        ({"event": "a", "context": 5}, "context"),
        ({"event": "a", "ts": True}, "ts"),
        ({"event": "a", "ts": timedelta(1)}, "ts"),
        ({"event": "a", "ts": NotATime(2026, 1, 1)}, "ts"),
        ({"event": "a", "ts": object()}, "ts"),
        ({"event": "a", "event_id": ""}, "event_id"),
        (Odd(), ""),
    ],
)
def test_event_that_no_node_takes_is_told_at_the_call(
    fields: Mapping[str, object], field: str
) -> None:
    """The node's own rules for its own fields, as far as a type or an emptiness tells."""
    with pytest.raises(Unsayable) as told:
        sent(fields)
    assert told.value.field == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_json_already_is_sent_as_it_is(value: dict[str, object]) -> None:
    """Or told, when no node keeps one of its characters."""
    assert plain(value) == value
    text = json.dumps(value, ensure_ascii=False)
    try:
        found = sent({"event": "a", "properties": value})
    except Unsayable:
        assert "\\u0000" in json.dumps(value) or not text.isascii()
    else:
        assert found["properties"] == value
