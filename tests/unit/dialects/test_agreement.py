"""The fast decoder, the field-by-field reference and a slow oracle agree on every event.

For every route of the table of dialects: each draws events from the route's own fields.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import FORMATS, admit, body_of, good_value, stored, told, values_of
from weir.dialects.batches import COMMAS_UNCOUNTED_BYTES
from weir.dialects.fields import Field, check_event
from weir.dialects.jsontext import members
from weir.dialects.novamesh import events as novamesh
from weir.dialects.shapes import Shape, event_finder
from weir.dialects.wire_types import checking_type, event_type, properties_finder
from weir.domain.event import Event
from weir.errors import InvalidInput

TEXTS = ['"a"', '""', '"\\u00e9\\ud83c\\udf89"', '"%s"' % ("x" * 200), '"%s"' % ("x" * 257), '"é"']
TIMES = [
    '"2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05.5+02:00"', '"2026-01-02 03:04"',
    '"2026-01-02"', '"no time"', '"2026-02-30T00:00:00Z"',
]  # fmt: skip
OBJECTS = ["{}", ' { "a" : 1e999 } ', '{"a":{"b":[1,2.50]}}', '{"x":1,"x":2}', '{"y":null}']
FITTING = {
    "text": TEXTS,
    "time": TIMES,
    "object": OBJECTS,
    "labels": ["[]", '["a","b"]', "{}", '{"a":1}'],
    "integer": ["0", "-7", "4500.0", "9" * 40],
    "number": ["0", "-1.5", "1e999", "9" * 40],
}
WORDS = ["null", "5", "true", "[]", "[1]"]
SHAPES = [(path, shape) for path, bodies in FORMATS.items() for shape in bodies.shapes]

each_path = pytest.mark.parametrize("path", FORMATS)
each_shape = pytest.mark.parametrize(("path", "shape"), SHAPES)
each_unknown = pytest.mark.parametrize("forbid_unknown_fields", [True, False])


@st.composite
def event_texts(draw: st.DrawFn, fields: Mapping[str, Field]) -> str:
    """An event's text: known fields with fitting and other values, unknown ones, repeated ones."""
    pairs = []
    for name in draw(st.lists(st.sampled_from([*fields, "x", "y", "Event"]), max_size=6)):
        kind = fields[name].kind if name in fields else "object"
        one = st.sampled_from(FITTING[kind])
        if name in fields and fields[name].choices:
            one = st.sampled_from([f'"{choice}"' for choice in fields[name].choices])
        other = st.sampled_from(WORDS + TEXTS[:2] + OBJECTS[:1])
        value = draw(st.one_of(one, one, one, other))
        written = name.replace("e", "\\u0065", 1) if draw(st.integers(0, 9)) == 0 else name
        pairs.append(f'"{written}":{value}')
    needed = [field for field in fields.values() if field.required]
    for field in needed if draw(st.integers(0, 5)) else needed[1:]:
        pair = f'"{field.name}":{good_value(field).decode()}'
        pairs.insert(draw(st.integers(0, len(pairs))), pair)
    return "{" + ",".join(pairs) + "}"


def batches(path: str) -> st.SearchStrategy[list[str]]:
    """A few events of a route."""
    return st.lists(event_texts(FORMATS[path].fields), min_size=1, max_size=4)


def _oracle(text: str, path: str) -> dict[str, object] | None:
    """The values of an event that must be taken, found the slow way; None: to be refused."""
    fields = FORMATS[path].fields
    sent = dict(_texts(text))
    found: dict[str, object] = dict.fromkeys(Event.__struct_fields__)
    for name, field in fields.items():
        own = sent.get(name, "null")
        value = None if own == "null" else _fitting(own, field)
        if value is None and (field.required or (own != "null" and not field.lenient)):
            return None
        if field.target:
            found[field.target] = value
            if value is not None or own == "null":
                sent.pop(name, None)
            else:
                sent[name] = sent.pop(name)  # behind the others
    if FORMATS[path].has_fields_in_order:
        sent = {name: sent[name] for name in [*fields, *sent] if name in sent}
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
        is_small = isinstance(value, dict) and len(value) <= (field.members_max or 1 << 30)
        return text.encode() if is_small else None
    if field.kind == "labels":
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return text if is_list or isinstance(value, dict) else None
    if field.kind == "integer":
        return text if re.fullmatch(r"-?\d+(\.0+)?", text) else None
    if field.kind == "number":
        return text if re.match(r"-?\d", text) else None
    if field.epoch and value == 5 and value is not True:
        return datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    return _fitting_text(value, field) if isinstance(value, str) else None


def _fitting_text(value: str, field: Field) -> object | None:
    if field.kind == "time":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    if field.choices:
        return value if value in field.choices else None
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


def _comparable(values: Mapping[str, object]) -> dict[str, object]:
    """The values of an event; members that came out in another order are the same."""
    found = {
        name: _instant(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    properties = found["properties"]
    if isinstance(properties, bytes):
        found["properties"] = sorted(members(properties.decode()))
    return found


@each_path
@given(drawn=st.data())
@settings(max_examples=150)
def test_reference_agrees_with_the_oracle(path: str, drawn: st.DataObject) -> None:
    """Field by field: what is taken, and every value of it."""
    text = drawn.draw(event_texts(FORMATS[path].fields))
    checked = check_event(msgspec.Raw(text.encode()), FORMATS[path].fields)
    expected = _oracle(text, path)
    if expected is None:
        assert isinstance(checked, list)
        assert checked
        return
    assert isinstance(checked, Event), checked
    assert _comparable(values_of(checked)) == _comparable(expected)


@each_shape
@pytest.mark.parametrize("pad", [0, COMMAS_UNCOUNTED_BYTES], ids=["small", "large"])
@given(drawn=st.data())
@settings(max_examples=50)
def test_batch_is_stored_as_the_oracle_says(
    path: str, shape: Shape, pad: int, drawn: st.DataObject
) -> None:
    """Taken together, fast or not, each event is what it is alone; the policy is kept."""
    texts = drawn.draw(batches(path))
    if shape == "one":
        texts = texts[:1]
    if shape == "lines" and len(texts) == 1:
        return
    texts[0] = " " * pad + texts[0]
    body = body_of(path, shape, [text.encode() for text in texts])
    expected = [_oracle(text.strip(), path) for text in texts]
    bad = {index for index, values in enumerate(expected) if values is None}
    if bad:
        assert shape == "one" or len({str(each) for each in told(path, body)}) >= len(bad)
    if len(bad) == len(texts) or (bad and FORMATS[path].policy == "all or none"):
        assert _stored_or_none(path, body) == []
        return
    admission = admit(path, body)
    assert admission.event_count == len(texts) - len(bad)
    assert admission.refused_count == len(bad)
    taken = [values for values in expected if values is not None]
    for event, values in zip(stored(path, body), taken, strict=True):
        found = values_of(event)
        if FORMATS[path].beside and shape == "envelope":
            found["context"] = found["context"] if values["context"] else None
            found["sent_at"] = found["sent_at"] if values["sent_at"] else None
        assert _comparable(found) == _comparable(values)


def _stored_or_none(path: str, body: bytes) -> list[Event]:
    try:
        return stored(path, body)
    except InvalidInput:
        return []


@each_path
@each_unknown
@given(drawn=st.data())
@settings(max_examples=50)
def test_wire_types_take_nothing_that_the_reference_refuses(
    path: str, *, forbid_unknown_fields: bool, drawn: st.DataObject
) -> None:
    """Where they say yes, the reference says the same values."""
    bodies = FORMATS[path]
    text = drawn.draw(event_texts(bodies.fields)).encode()
    find_properties = properties_finder(bodies.fields)
    try:
        checking = checking_type(bodies.fields, forbid_unknown_fields=forbid_unknown_fields)
        checked = msgspec.json.decode(text, type=checking)
    except msgspec.ValidationError:
        return
    if find_properties([checked]) is None:
        return
    reference = check_event(msgspec.Raw(text), bodies.fields)
    assert isinstance(reference, Event), reference
    try:
        reading = event_type(bodies.fields, forbid_unknown_fields=forbid_unknown_fields)
        read = msgspec.json.decode(text, type=reading)
    except msgspec.ValidationError:
        return  # a lenient field that is unknown here
    for name in Event.__struct_fields__:
        if name != "properties":
            found, expected = getattr(read, name), getattr(reference, name)
            assert found == expected or not bytes(found or b"null").strip(b"null")


@each_path
@given(drawn=st.data())
@settings(max_examples=50)
def test_all_shapes_of_a_body_mean_the_same(path: str, drawn: st.DataObject) -> None:
    """What one shape stores every other stores."""
    texts = [text.encode() for text in drawn.draw(batches(path))]
    shapes: list[Shape] = [shape for shape in FORMATS[path].shapes if shape != "one"]
    if len(texts) < 2 or not shapes:
        return
    first, *others = (
        [
            _comparable(values_of(event))
            for event in _stored_or_none(path, body_of(path, shape, texts))
        ]
        for shape in shapes
    )
    assert all(other == first for other in others)


@given(st.lists(event_texts(novamesh.FIELDS), min_size=1, max_size=4), st.sampled_from(OBJECTS))
@settings(max_examples=200)
def test_shared_context_lies_under_each_events_own(texts: list[str], context: str) -> None:
    """The event's names win, of repeated ones the first."""
    beside = f',"context":{context}'.encode()
    body = body_of("/v1/batch", "envelope", [text.encode() for text in texts], beside)
    for event, text in zip(_stored_or_none("/v1/batch", body), texts, strict=False):
        values = _oracle(text, "/v1/batch")
        assert values is not None
        own = values["context"]
        mine = _first_of_each(own.decode()) if isinstance(own, bytes) else {}
        assert _first_of_each(bytes(event.context).decode()) == {
            **_first_of_each(context.strip()),
            **mine,
        }


def _first_of_each(text: str) -> dict[str, str]:
    return dict(reversed(members(text)))


def test_finders_find_the_events_of_every_shape() -> None:
    """As texts, in their order: what limits of single events are measured by."""
    for path, shape in SHAPES:
        texts = [b'{"event":1}', b'{"x":2}'] if shape != "one" else [b'{"event":1}']
        find = event_finder(FORMATS[path], msgspec.Raw)
        assert [bytes(raw) for raw in find(body_of(path, shape, texts))[0]] == texts
