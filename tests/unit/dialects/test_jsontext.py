"""Work on JSON text, against an oracle that takes the text apart slowly."""

import json
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.dialects.jsontext import compose, extend, fold, is_absent, members, share
from weir.domain.event import ABSENT

Pairs = list[tuple[str, object]]

NAMES = st.sampled_from(["a", "b", "properties", "", "é", '"', "\\", "a\n", "\x7f", "🎉"])
NUMBERS = st.sampled_from(
    ["0", "-0", "1e999", "1E-400", "12345678901234567890123456789012345678901234567890", "0.10"]
)
SPACE = st.sampled_from(["", " ", "\n\t ", "\r\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """The text of a JSON value, numbers of any size included."""
    kinds = ["number", "text", "word"] + (["list", "object"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "number":
        return draw(NUMBERS)
    if kind == "text":
        return json.dumps(draw(st.text(max_size=5)), ensure_ascii=draw(st.booleans()))
    if kind == "word":
        return draw(st.sampled_from(["null", "true", "false"]))
    if kind == "list":
        return "[" + ",".join(draw(st.lists(values(depth - 1), max_size=3))) + "]"
    return draw(objects(depth - 1))


@st.composite
def objects(draw: st.DrawFn, depth: int = 2) -> str:
    """The text of a JSON object, with spaces, escapes and repeated names."""
    pairs = []
    for name in draw(st.lists(NAMES, max_size=4)):
        quoted = json.dumps(name, ensure_ascii=draw(st.booleans()))
        pairs.append(
            f"{draw(SPACE)}{quoted}{draw(SPACE)}:{draw(SPACE)}{draw(values(depth))}{draw(SPACE)}"
        )
    return "{" + (",".join(pairs) or draw(SPACE)) + "}"


def _pairs(text: str) -> Pairs:
    """The members in order, every number as its text: the slow way. Objects become tuples."""
    found = json.loads(text, object_pairs_hook=tuple, parse_int=_Number, parse_float=_Number)
    return list(cast("tuple[tuple[str, object], ...]", found))


class _Number(str):
    __slots__ = ()


def _first_wins(pairs: Pairs) -> Pairs:
    kept: dict[str, object] = {}
    for name, value in pairs:
        kept.setdefault(name, value)
    return list(kept.items())


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


@given(objects())
@settings(max_examples=300)
def test_members_are_names_and_the_texts_of_values(text: str) -> None:
    """In order, repeated names too, every value exactly as written."""
    found = members(text)
    assert [(name, _value(value)) for name, value in found] == _pairs(text)
    assert all(value in text for _, value in found)
    assert members(text, count_max=1) == found[:2]


def _value(text: str) -> object:
    return json.loads(text, object_pairs_hook=tuple, parse_int=_Number, parse_float=_Number)


@given(objects())
@settings(max_examples=200)
def test_composing_members_gives_them_back(text: str) -> None:
    """And what is composed is valid JSON for every decoder we use."""
    values = dict(members(text))
    composed = _text(compose({name: _raw(value) for name, value in values.items()}))
    assert dict(members(composed)) == values
    msgspec.json.decode(composed, type=msgspec.Raw)


@given(objects(), objects())
@settings(max_examples=300)
def test_extending_keeps_own_text_and_adds_what_is_missing(own: str, other: str) -> None:
    """Own members win, and their text stands there byte for byte."""
    extended = _text(extend(_raw(own), share(_raw(other))))
    taken = {name for name, _ in _pairs(own)}
    expected = _pairs(own) + [pair for pair in _first_wins(_pairs(other)) if pair[0] not in taken]
    assert _first_wins(_pairs(extended)) == _first_wins(expected)
    if taken:
        assert extended.startswith(own[:-1])
    if _pairs(other) and taken.isdisjoint(name for name, _ in _pairs(other)):
        assert other[1:-1] in extended


@given(st.dictionaries(NAMES, values(), max_size=3), st.none() | objects())
@settings(max_examples=300)
def test_folding_loses_nothing(extras: dict[str, str], sent: str | None) -> None:
    """Every unknown field and every property is there; on a clash the sent object moves."""
    extras.pop("properties", None)
    properties = ABSENT if sent is None else _raw(sent)
    folded = fold({name: _raw(value) for name, value in extras.items()}, properties)
    if not extras:
        assert folded is properties
        return
    found = dict(_first_wins(_pairs(_text(folded))))
    for name, value in extras.items():
        assert found[name] == _value(value)
    if sent is None:
        assert len(found) == len(extras)
    elif {name for name, _ in _pairs(sent)} & extras.keys():
        assert found["properties"] == _value(sent)
        assert sent in _text(folded)
    else:
        assert found.items() >= dict(_first_wins(_pairs(sent))).items()


@pytest.mark.parametrize("number", ["1e999", "-0", "9" * 5000, "0.1000", "1E+5", "1" + "0" * 400])
def test_numbers_keep_their_text(number: str) -> None:
    """Whatever their size, through every operation."""
    text = f'{{"n":{number}}}'
    assert members(text) == [("n", number)]
    assert _text(extend(_raw('{"a":1}'), share(_raw(text)))) == f'{{"a":1,"n":{number}}}'
    both = share(_raw(f'{{"a":2,"n":{number}}}'))
    assert _text(extend(_raw('{"a":1}'), both)) == f'{{"a":1,"n":{number}}}'
    assert _text(fold({"n": _raw(number)}, _raw('{"a":1}'))) == f'{{"a":1,"n":{number}}}'


@pytest.mark.parametrize("empty", ["{}", "{ }", "{\n}"])
def test_empty_objects_take_members(empty: str) -> None:
    """No stray comma, whatever stands between the braces."""
    assert _text(extend(_raw(empty), share(_raw('{"a":1}')))) == '{"a":1}'
    assert _text(fold({"a": _raw("1")}, _raw(empty))) == '{"a":1}'
    assert _text(extend(_raw('{"a":1}'), share(_raw(empty)))) == '{"a":1}'


def test_absent_and_null_are_the_same() -> None:
    """And nothing else is either."""
    assert is_absent(ABSENT)
    assert is_absent(_raw("null"))
    assert not is_absent(_raw("{}"))
