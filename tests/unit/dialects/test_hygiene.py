"""Scans of JSON text: encoding, escapes, depth. Each against a slow and obvious oracle."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.dialects.hygiene import check_depth, check_text, find_fault, is_sound, mend
from weir.errors import InvalidInput

DEPTH_MAX = 64
ESCAPES = [
    *(r"\\", r"\"", r"\n", r"\u0000", r"\ud800", r"\uDBFF", r"\udc00", r"\uDFFF"),
    *(r"\u0041", "a", "u0000", "ud800", "é", r"\ud83c\udf89"),
]
"""Pieces of a JSON string."""


def _refusal(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        check_text(body)
    return caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"a"}',
        '{"é":"日本語 🎉"}',
        r'{"a":"\n\t\"\\\/\b\f\r"}',
        r'{"a":"\u00e9\ud83c\udf89\uD83C\uDF89"}',
        r'{"a":"\\u0000 \\ud800 \\\\udc00"}',
        r'{"a":"\u0001\u001f\uffff"}',
        r'{"a":"\ud7ff\ue000"}',
        "",
        '{"a":"' + "\N{DELETE}\u0080\ufffe" + '"}',
    ],
)
def test_sound_text_passes(text: str) -> None:
    """Anything that Unicode and JSON allow, but for the three exceptions."""
    check_text(text.encode())


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"a":"\xff"}', 6),
        (b'{"a":"\xc0\x80"}', 6),
        (b'{"a":"\xe0\x80\x80"}', 6),
        (b'{"a":"\xed\xa0\x80"}', 6),
        (b'{"a":"\xed\xb0\x80"}', 6),
        (b'{"a":"\xf4\x90\x80\x80"}', 6),
        (b'{"a":"\xf8\x88\x80\x80\x80"}', 6),
        (b'{"a":"\x80"}', 6),
        (b'{"a":"\xe2\x82"}', 6),
        (b'{"a":"\xc3', 6),
    ],
)
def test_invalid_utf8_is_refused_at_its_byte(body: bytes, at: int) -> None:
    """Overlong, surrogate, beyond Unicode, truncated, stray: all the kinds there are."""
    assert _refusal(body) == f"The body is not valid UTF-8 (byte {at})."


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        (r'{"a":"\u0000"}', "NUL", 6),
        (r'{"a":"\\\u0000"}', "NUL", 8),
        (r'{"\u0000":1}', "NUL", 2),
        (r'{"a":"\ud800"}', "surrogate", 6),
        (r'{"a":"\uDBFF"}', "surrogate", 6),
        (r'{"a":"\udc00"}', "surrogate", 6),
        (r'{"a":"x\uDfFf"}', "surrogate", 7),
        (r'{"a":"\ud800\ud800\udc00"}', "surrogate", 6),
        (r'{"a":"\ud800\udc00\udc00"}', "surrogate", 18),
        (r'{"a":"\ud800x\udc00"}', "surrogate", 6),
        (r'{"a":"\ud800\\\udc00"}', "surrogate", 6),
        (r'{"a":"\ud800\n\udc00"}', "surrogate", 6),
        (r'{"a":"\ud800\\udc00"}', "surrogate", 6),
        (r'{"a":"\ud800","b":"\udc00"}', "surrogate", 6),
        (r'{"a":"é\ud800"}', "surrogate", 8),
    ],
)
def test_escape_that_is_no_character_is_refused_at_its_byte(text: str, what: str, at: int) -> None:
    """NUL and lone surrogates; a pair is one character only when its halves touch."""
    assert what in _refusal(text.encode())
    assert f"(byte {at})" in _refusal(text.encode())


def test_byte_order_mark_is_refused() -> None:
    """It is no part of JSON (RFC 8259 section 8.1)."""
    assert "byte order mark" in _refusal(b"\xef\xbb\xbf{}")


@given(
    st.lists(
        st.sampled_from(ESCAPES),
        max_size=8,
    )
)
@settings(max_examples=500)
def test_escapes_are_judged_as_the_decoded_text_is(pieces: list[str]) -> None:
    """Refused exactly when the decoded string holds NUL or a lone surrogate."""
    literal = '"' + "".join(pieces) + '"'
    decoded = json.loads(literal)
    lone = re.search("[\ud800-\udfff]", decoded)
    try:
        check_text(literal.encode())
    except InvalidInput:
        assert "\0" in decoded or lone
    else:
        assert "\0" not in decoded
        assert not lone


@given(st.lists(st.sampled_from(ESCAPES), max_size=8))
@settings(max_examples=500)
def test_mended_text_differs_in_lone_surrogates_alone(pieces: list[str]) -> None:
    """Each is NUL then, and all else is what and where it was."""
    literal = '"' + "".join(pieces) + '"'
    mended = mend(literal.encode())
    assert len(mended) == len(literal.encode())
    expected = re.sub("[\ud800-\udfff]", "\0", json.loads(literal))
    assert json.loads(mended) == expected
    assert (find_fault(mended) is None) == is_sound(literal.encode())


# Depth.


def _nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _is_within(body: str, pieces: list[str], depth_max: int = DEPTH_MAX) -> bool:
    try:
        check_depth(body.encode(), [piece.encode() for piece in pieces], depth_max=depth_max)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("levels", [63, 64, 65, 66])
@pytest.mark.parametrize("kind", ["array", "object", "mixed"])
def test_depth_counts_every_level(levels: int, kind: str) -> None:
    """At the limit it passes, one above it does not."""
    body = {
        "array": _nested(levels),
        "object": '{"a":' * levels + "1" + "}" * levels,
        "mixed": _mixed(levels),
    }[kind]
    assert _is_within(body, []) == (levels <= DEPTH_MAX)
    assert _is_within(body, [""]) == (levels <= DEPTH_MAX)


def _mixed(levels: int) -> str:
    body = "1"
    for level in range(levels):
        body = f"[{body}]" if level % 2 else f'{{"a":{body}}}'
    return body


def test_brackets_in_strings_nest_nothing() -> None:
    """Nor do escaped quotes end a string, nor do names count."""
    noise = r'"[[[[{{{{\"[[[[{{{{\\"'
    body = f'{{"{"[" * 100}":[{",".join([noise] * 40)}],"b":"\\\\","c":"{"{" * 200}"}}'
    assert _depth(json.loads(body)) == 2
    assert _is_within(body, [])
    assert _is_within(body, [], depth_max=2)
    assert not _is_within(body, [], depth_max=1)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    """A wide document passes, wherever its brackets stand."""
    wide = "[" + ",".join(["[]"] * 1000) + "]"
    event = f'{{"event":"a","properties":{{"a":{wide}}}}}'
    assert _is_within(f"[{event},{event}]", [f'{{"a":{wide}}}'] * 2)


@pytest.mark.parametrize("place", ["properties", "context", "other"])
@pytest.mark.parametrize("company", ["none", "null", "absent", "empty", "folded"])
@pytest.mark.parametrize("levels", [61, 62, 63])
def test_depth_cannot_hide_in_a_batch(place: str, company: str, levels: int) -> None:
    """However many shallow events stand around the deep one, and whatever they hold."""
    deep = f'{{"{place}":{{"a":{_nested(levels - 1)}}}}}'
    shallow = {
        "null": '{"properties":null}',
        "absent": "{}",
        "empty": '{"properties":{}}',
        "folded": '{"x":1}',
    }.get(company)
    events = [deep, *([shallow] * 300 if shallow else [])]
    pieces = ["" for _ in events]
    if place == "properties":
        pieces[0] = f'{{"a":{_nested(levels - 1)}}}'
    if company in ("null", "empty"):
        pieces[1:] = ["null" if company == "null" else "{}"] * 300
    body = f'{{"events":[{",".join(events)}]}}'
    assert _is_within(body, pieces) == (_depth(json.loads(body)) <= DEPTH_MAX)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.recursive(
                    st.dictionaries(st.sampled_from(["a", "[{"]), st.just("]}"), max_size=2),
                    lambda inner: st.dictionaries(st.just("p"), st.lists(inner, max_size=3)),
                    max_leaves=12,
                ),
                "context": st.recursive(
                    st.just("[["),
                    lambda inner: st.lists(inner, min_size=1, max_size=2),
                    max_leaves=9,
                ),
                "null": st.none(),
            },
        ),
        max_size=12,
    ),
    st.integers(4, 9),
)
@settings(max_examples=400)
def test_depth_agrees_with_walking_the_value(
    events: list[dict[str, object]], depth_max: int
) -> None:
    """The shortcuts never let anything through, nor refuse what the exact measure lets pass."""
    body = json.dumps({"events": events})
    pieces = [json.dumps(event["properties"]) if "properties" in event else "" for event in events]
    expected = _depth(json.loads(body)) <= depth_max
    assert _is_within(body, pieces, depth_max) == expected


def test_levels_around_count() -> None:
    """A part of a document is as deep as it stands in it."""
    check_depth(_nested(62).encode(), [b""], depth_max=64, levels_around=2)
    with pytest.raises(InvalidInput, match="deeper than 64 levels"):
        check_depth(_nested(63).encode(), [b""], depth_max=64, levels_around=2)


def test_refusal_names_the_bracket() -> None:
    """Or how far it was looked for."""
    with pytest.raises(InvalidInput, match=r"\(byte 68\)"):
        check_depth(b"[1, " + _nested(70).encode() + b"]", [], depth_max=65)
    late = b"[" + b'"",' * 100_000 + _nested(70).encode() + b"]"
    with pytest.raises(InvalidInput, match="beyond byte"):
        check_depth(late, [], depth_max=64)
