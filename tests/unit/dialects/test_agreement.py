"""The fast decoder, the field-by-field reference and a slow oracle agree on every event."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import admit, stored, values_of
from weir.dialects.decoding import check_each
from weir.dialects.fields import Field, check_event
from weir.dialects.jsontext import members
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.domain.event import Event
from weir.errors import InvalidInput

DIALECTS = {"/v1/events": native.FIELDS, "/v1/batch": novamesh.FIELDS}

TEXTS = ['"a"', '""', '"\\u00e9\\ud83c\\udf89"', '"%s"' % ("x" * 200), '"%s"' % ("x" * 257), '"é"']
TIMES = [
    '"2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05.5+02:00"', '"2026-01-02 03:04"',
    '"2026-01-02"', '"no time"', '"2026-02-30T00:00:00Z"',
]  # fmt: skip
OBJECTS = ["{}", ' { "a" : 1e999 } ', '{"a":{"b":[1,2.50]}}', '{"x":1,"x":2}', '{"y":null}']
WORDS = ["null", "5", "true", "[]"]


@st.composite
def event_texts(draw: st.DrawFn, fields: dict[str, Field]) -> str:
    """An event's text: known fields with fitting and other values, unknown ones, repeated ones."""
    fitting = {"text": TEXTS, "time": TIMES, "object": OBJECTS}
    pairs = []
    for name in draw(st.lists(st.sampled_from([*fields, "x", "y", "Event"]), max_size=6)):
        kind = fields[name].kind if name in fields else "object"
        one = st.sampled_from(fitting[kind])
        other = st.sampled_from(WORDS + TEXTS[:2] + OBJECTS[:1])
        value = draw(st.one_of(one, one, one, other))
        written = name.replace("e", "\\u0065", 1) if draw(st.integers(0, 9)) == 0 else name
        pairs.append(f'"{written}":{value}')
    if draw(st.integers(0, 5)):
        pairs.insert(draw(st.integers(0, len(pairs))), '"event":"ok"')
    return "{" + ",".join(pairs) + "}"


native_events = event_texts(native.FIELDS)
nova_events = event_texts(novamesh.FIELDS)


def _oracle(text: str, fields: dict[str, Field]) -> dict[str, object] | None:
    """The values of an event that must be taken, found the slow way; None: to be refused."""
    sent = dict(_texts(text))
    found: dict[str, object] = {field.target: None for field in fields.values()}
    for name, field in fields.items():
        own = sent.pop(name, "null")
        value = None if own == "null" else _fitting(own, field)
        if value is not None:
            found[field.target] = value
        elif own != "null" and field.lenient:
            sent[name] = own
        elif own != "null" or field.required:
            return None
    found["properties"] = _folded(sent, found["properties"])
    return found


def _texts(text: str) -> list[tuple[str, str]]:
    """Every member of an object and the text of its value, repeated ones included."""
    found = []
    scanner = json.JSONDecoder()
    at = 1
    while text[at] != "}":
        name, at = scanner.raw_decode(text, at)
        start = at + 1 + (len(text[at + 1 :]) - len(text[at + 1 :].lstrip()))
        _, end = scanner.raw_decode(text, start)
        found.append((name, text[start:end]))
        at = end + len(text[end:]) - len(text[end:].lstrip())
        at += text[at] == ","
    return found


def _fitting(text: str, field: Field) -> object | None:
    value = json.loads(text)
    if field.kind == "object":
        return text.encode() if isinstance(value, dict) else None
    if field.epoch and value == 5 and value is not True:
        return datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    if not isinstance(value, str):
        return None
    if field.kind == "time":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if field.chars_min <= len(value) <= (field.chars_max or 1 << 30) else None


def _folded(unknown: dict[str, str], properties: object) -> object:
    if not unknown:
        return properties
    own = ",".join(f'"{name}":{value}' for name, value in unknown.items())
    if properties is None:
        return f"{{{own}}}".encode()
    assert isinstance(properties, bytes)
    text = properties.decode()
    if unknown.keys() & json.loads(text).keys():
        return f'{{{own},"properties":{text}}}'.encode()
    return f"{text[:-1]},{own}}}".encode() if json.loads(text) else f"{{{own}}}".encode()


def _instant(time: datetime) -> str:
    """Without a zone it is UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _comparable(values: dict[str, object]) -> dict[str, object]:
    return {
        name: _instant(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


@given(native_events)
@settings(max_examples=600)
def test_native_reference_agrees_with_the_oracle(text: str) -> None:
    """Field by field: what is taken, and every value of it."""
    _check_reference(text, native.FIELDS)


@given(nova_events)
@settings(max_examples=600)
def test_novamesh_reference_agrees_with_the_oracle(text: str) -> None:
    """Field by field: what is taken, and every value of it."""
    _check_reference(text, novamesh.FIELDS)


def _check_reference(text: str, fields: dict[str, Field]) -> None:
    checked = check_event(msgspec.Raw(text.encode()), fields)
    expected = _oracle(text, fields)
    if expected is None:
        assert isinstance(checked, list)
        assert checked
        return
    assert isinstance(checked, Event), checked
    assert _comparable(values_of(checked)) == _comparable(expected)


@given(st.lists(native_events, min_size=1, max_size=4))
@settings(max_examples=600)
def test_native_array_is_stored_as_the_oracle_says(texts: list[str]) -> None:
    """Taken together, fast or not, each event is what it is alone; refused ones are left out."""
    body = f"[{','.join(texts)}]".encode()
    expected = [_oracle(text, native.FIELDS) for text in texts]
    taken = [values for values in expected if values is not None]
    admission = admit("/v1/events", body)
    assert (admission.event_count, admission.refused_count) == (len(taken), len(texts) - len(taken))
    found = [_comparable(values_of(event)) for event in stored("/v1/events", body)]
    assert found == [_comparable(values) for values in taken]
    told = msgspec.json.decode(admission.reply.body)["results"]
    assert {each["index"] for each in told} == {n for n, v in enumerate(expected) if v is None}


@given(st.lists(native_events, min_size=1, max_size=4), st.sampled_from(["lines", "envelope"]))
@settings(max_examples=300)
def test_all_forms_of_a_native_body_mean_the_same(texts: list[str], form: str) -> None:
    """NDJSON and the envelope store what the array stores."""
    array = f"[{','.join(texts)}]".encode()
    other = ("\n".join(texts) if form == "lines" else f'{{"events":[{",".join(texts)}]}}').encode()
    if form == "lines" and len(texts) == 1 and texts[0].startswith('{"events"'):
        return
    expected = [_comparable(values_of(event)) for event in stored("/v1/events", array)]
    assert [_comparable(values_of(event)) for event in stored("/v1/events", other)] == expected


@given(st.lists(nova_events, min_size=1, max_size=4), st.sampled_from(["null", *OBJECTS]))
@settings(max_examples=600)
def test_novamesh_batch_is_stored_whole_or_not_at_all(texts: list[str], context: str) -> None:
    """With the shared context under each event's own."""
    body = f'{{"events":[{",".join(texts)}],"context":{context}}}'.encode()
    expected = [_oracle(text, novamesh.FIELDS) for text in texts]
    if None in expected:
        with pytest.raises(InvalidInput) as caught:
            admit("/v1/batch", body)
        bad = {n for n, values in enumerate(expected) if values is None}
        assert {each["index"] for each in caught.value.details or []} == bad
        return
    for event, values in zip(stored("/v1/batch", body), expected, strict=True):
        assert values is not None
        own = values.pop("context")
        found = values_of(event)
        _check_context(found.pop("context"), own, context.strip())
        assert _comparable(found) == _comparable(values)


def _check_context(found: object, own: object, shared: str) -> None:
    if shared == "null":
        assert found == own
    elif own is None:
        assert found == shared.encode()
    else:
        assert isinstance(found, bytes)
        assert isinstance(own, bytes)
        mine = _first_of_each(own.decode())
        assert _first_of_each(found.decode()) == {**_first_of_each(shared), **mine}


def _first_of_each(text: str) -> dict[str, str]:
    return dict(reversed(members(text)))


@given(nova_events)
@settings(max_examples=300)
def test_novamesh_single_event_is_what_it_is_in_a_batch(text: str) -> None:
    """The two routes differ in nothing but their number of events."""
    expected: list[dict[str, Any]] | None
    try:
        expected = [values_of(e) for e in stored("/v1/batch", f'{{"events":[{text}]}}'.encode())]
    except InvalidInput:
        expected = None
    try:
        found: list[dict[str, Any]] | None = [
            values_of(event) for event in stored("/v1/ingest", text.encode())
        ]
    except InvalidInput:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("body", "between"), [("[{}]", ","), ('{{"events":[{}]}}', ","), ("{}", ","), ("{}\n", "\n")]
)
@given(texts=st.lists(native_events, max_size=5))
@settings(max_examples=100)
def test_fast_decoder_takes_nothing_that_the_reference_refuses(
    body: str, between: str, texts: list[str]
) -> None:
    """Where it says yes, the reference says the same values."""
    texts = texts[:1] if body == "{}" else texts
    known = native._known(body.format(between.join(texts)).encode())
    if known is None:
        return
    slow = check_each([msgspec.Raw(text.encode()) for text in texts], native.FIELDS)
    assert all(isinstance(item, Event) for item in slow)
    assert [_comparable(values_of(event)) for event in known.events] == [
        _comparable(values_of(item)) for item in slow if isinstance(item, Event)
    ]
